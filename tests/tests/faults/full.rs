//! The filesystem of the data directory is filled up by somebody else while clients write, and cleared again: what grows
//! is refused, the rest is served, and it is over without a restart.

use std::time::{Duration, Instant};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds, until};

use crate::filesystem::Filesystem;
use crate::load::{Load, Tally};

const SOON: Duration = Duration::from_secs(30);

/// What a client can do on a full disk: read, and give back what he holds.
fn use_while_full(agent: &Agent) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let mut ask = |command: &[&str]| connection.ask(command).expect("the agent answers");
    let Reply::Error(refusal) = ask(&["SET", "/more", "x"]) else { panic!("a write was taken") };
    assert!(refusal.starts_with("ERR disk full: ") && refusal.contains("free space there"), "{refusal}");
    assert_eq!(ask(&["GET", "/held"]), Reply::Text("mine".to_string()));
    assert_eq!(ask(&["DEL", "/held"]), Reply::Text("1".to_string()));
    assert_eq!(ask(&["GET", "/held"]), Reply::Nil);
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_is_left_behind_without_a_restart() {
    let (mut total, count) = (Tally::default(), rounds(1, 20));
    for round in 0..count {
        let Some(filesystem) = Filesystem::mount(128) else { return };
        let mut agent = Agent::builder().data_dir(&filesystem.data()).start();
        // Large, so that the preallocated rest of a segment and the reserve are soon used up.
        let mut load = Load::of_bytes(20_000);
        assert_eq!(agent.redis_cli(&["SET", "/held", "mine"]).ok(), "OK");
        let recovered = load.during(agent.resp(), |progress| {
            progress.wait_for(50 + 20 * u64::from(round));
            filesystem.fill_up();
            until("writes are refused", SOON, || (progress.refused() > 0).then_some(()));
            use_while_full(&agent);
            let cleared = Instant::now();
            filesystem.clear();
            progress.wait_for(50);
            (cleared.elapsed(), progress.refused())
        });
        println!("goes on {:?} after there is room; {} writes were refused", recovered.0, recovered.1);
        agent.kill9();
        agent.restart();
        total += load.check(agent.resp());
        assert_eq!((total.lost, total.invented), (0, 0), "in round {round}");
        assert_eq!(agent.redis_cli(&["EXISTS", "/held"]).ok(), "0");
        agent.kill9();
    }
    println!("{count} times full: {total:?}");
}
