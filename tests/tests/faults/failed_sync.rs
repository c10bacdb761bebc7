//! The disk refuses a sync: nothing is acknowledged from then on, the agent ends, and what it had acknowledged is there.

use std::time::Duration;

use adsum_tests::{Agent, require, rounds, until};

use crate::load::{Load, Tally};
use crate::strace::Strace;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_refused_sync_ends_the_agent_and_loses_nothing_acknowledged() {
    if !require("strace") {
        return;
    }
    let mut agent = Agent::start();
    let (mut load, mut total, count) = (Load::new(), Tally::default(), rounds(6, 50));
    for refused in 1..=count {
        load.during(agent.resp(), |progress| {
            progress.wait_for(20);
            let strace = Strace::of_syncs(agent.pid(), &format!("error=EIO:when={refused}"));
            let status = agent.wait_exit(SOON);
            assert!(!status.success(), "sync {refused} was refused, and the agent ended with {status}");
            // It tells of it before it lets the agent go on, and that is read beside us.
            until("the refusal is told", SOON, || (strace.struck() == 1).then_some(()));
        });
        assert!(agent.log().contains("Input/output error"), "{}", agent.log());
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "after sync {refused}");
    }
    println!("{count} refused syncs: {total:?}");
}

/// The control: it is the refusal that ends the agent, not the looking on.
#[test]
fn an_agent_whose_syncs_are_only_watched_goes_on() {
    if !require("strace") {
        return;
    }
    let agent = Agent::start();
    Load::new().during(agent.resp(), |progress| {
        let strace = Strace::of_syncs(agent.pid(), "error=EIO:when=60000");
        progress.wait_for(200);
        assert_eq!(strace.struck(), 0);
    });
}
