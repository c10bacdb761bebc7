//! One agent per data directory: a second one says who has it, at once; a killed one leaves it free, at once.

use std::time::{Duration, Instant};

use adsum_tests::{Agent, rounds};

/// Longer than the quickest of some refused starts takes, where a start takes no time.
const AT_ONCE: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_second_agent_is_refused_at_once_and_the_first_goes_on() {
    let begin = Instant::now();
    let first = Agent::start();
    let (start, mut quickest) = (begin.elapsed(), SOON);
    for _ in 0..rounds(3, 50) {
        let begin = Instant::now();
        let mut second = Agent::builder().data_dir(&first.data_dir()).spawn();
        let status = second.wait_exit(SOON);
        quickest = quickest.min(begin.elapsed());
        assert!(!status.success(), "{status}");
        let journal = first.data_dir().join("journal");
        let expected = format!("data directory {} is in use by process {}", journal.display(), first.pid());
        assert!(second.log().contains(&expected), "{}", second.log());
    }
    println!("started after {start:?}, refused after {quickest:?}");
    assert!(quickest < AT_ONCE + start, "refused after {quickest:?}, and a start takes {start:?}");
    assert_eq!(first.redis_cli(&["SET", "a", "1"]).ok(), "OK");
}

/// The keeper lives on and holds nothing of the agent's.
#[test]
fn a_killed_agent_leaves_its_directory_free_at_once() {
    let mut agent = Agent::start();
    for round in 0..rounds(3, 50) {
        agent.kill9();
        assert!(agent.keeper().is_some(), "it has outlived the agent");
        agent.restart();
        assert_eq!(agent.redis_cli(&["INCR", "starts"]).ok(), (round + 1).to_string());
    }
}
