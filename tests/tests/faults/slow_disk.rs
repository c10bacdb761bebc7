//! A disk on which each sync takes 300 ms: all is slower, and nobody loses what he holds by it.

use std::time::{Duration, Instant};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, require, rounds};

use crate::load::Load;
use crate::strace::Strace;

const DELAY: Duration = Duration::from_millis(300);
/// Far more than two syncs, with room for a machine that has other work too.
const TTL: Duration = Duration::from_secs(5);

fn ask(connection: &mut Connection, command: &[&str]) -> Reply {
    connection.ask(command).expect("the agent answers")
}

/// Says again and again that he lives, as fast as the disk lets him. Returns the shortest and the longest time it took.
fn hold(agent: &Agent, renewals: u32) -> (Duration, Duration) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let ttl = TTL.as_millis().to_string();
    ask(&mut connection, &["SET", "/held", "mine", "PX", &ttl]);
    let times = (0..renewals).map(|number| {
        let begin = Instant::now();
        let reply = ask(&mut connection, &["PEXPIRE", "/held", &ttl]);
        assert_eq!(reply, Reply::Text("1".to_string()), "renewal {number}: it was lost");
        begin.elapsed()
    });
    let times: Vec<Duration> = times.collect();
    (*times.iter().min().unwrap(), *times.iter().max().unwrap())
}

/// Waits until a key has ended, and returns how long it lived after it was asked for.
fn lifetime(agent: &Agent) -> Duration {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let begin = Instant::now();
    ask(&mut connection, &["SET", "/brief", "x", "PX", &TTL.as_millis().to_string()]);
    while ask(&mut connection, &["EXISTS", "/brief"]) == Reply::Text("1".to_string()) {}
    begin.elapsed()
}

#[test]
fn a_slow_disk_costs_nobody_his_lease_and_ends_nothing_early() {
    if !require("strace") {
        return;
    }
    let agent = Agent::start();
    let (fast, _) = hold(&agent, 10);
    let strace = Strace::of_syncs(agent.pid(), &format!("delay_enter={}", DELAY.as_micros()));
    let mut load = Load::new();
    let count = rounds(15, 300);
    load.during(agent.resp(), |_| {
        std::thread::scope(|scope| {
            let brief = scope.spawn(|| lifetime(&agent));
            let (quickest, slow) = hold(&agent, count);
            let lived = brief.join().unwrap();
            // Of each the quickest: what else the machine does makes nothing quicker.
            assert!(quickest >= DELAY && fast < DELAY, "quickest is {quickest:?}, without delay {fast:?}");
            assert!(slow < TTL, "a renewal took {slow:?}: nobody could hold anything");
            assert!(lived >= TTL, "a key that was to live {TTL:?} lived {lived:?}");
            println!("{count} renewals of {TTL:?}, the slowest {slow:?}, without delay {fast:?}; 0 lost");
        });
    });
    assert!(strace.struck() > 10, "{} syncs were delayed", strace.struck());
}
