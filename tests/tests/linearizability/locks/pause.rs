//! An agent that is stopped for longer than locks live: nobody could renew in that time, so it does not count.
//!
//! What counts as a pause is a gap of over a second between two looks at the clock; a shorter one is time like any other.

use std::time::{Duration, Instant};

use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::Connection;
use adsum_tests::{Agent, rounds, until};
use nix::sys::signal::Signal;

use crate::fault::is_stopped;
use crate::stage::SOON;

const LOCKS: usize = 50;
/// Far more than it takes to grant all of them and to renew all of them, also where that is slow: only the pause is not to
/// count.
const TTL: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_secs(7);
/// Longer than the test.
const LONG: Duration = Duration::from_secs(60);

/// Stops the agent for this long.
fn pause(agent: &Agent, pause: Duration) {
    agent.signal(Signal::SIGSTOP);
    until("the agent is stopped", SOON, || is_stopped(agent.pid()).then_some(()));
    let begin = Instant::now();
    until("it has been stopped for long enough", SOON, || (begin.elapsed() >= pause).then_some(()));
    agent.signal(Signal::SIGCONT);
}

#[test]
fn no_lock_ends_because_the_agent_was_stopped_and_none_is_granted_twice() {
    let mut expired = 0;
    let rounds = rounds(1, 20);
    for _ in 0..rounds {
        expired += stopped(&Agent::start());
    }
    println!("{rounds} pauses of {PAUSE:?}: {} locks of {TTL:?}, {expired} expired", rounds as usize * LOCKS);
    assert_eq!(expired, 0, "locks that ended before their holders could renew");
}

/// Everybody holds a lock, and somebody waits for each; both see a pause of the agent. Returns how many locks had
/// expired.
fn stopped(agent: &Agent) -> usize {
    let mut holder = Connection::open(agent.resp()).unwrap();
    let key = |number: usize| format!("lock/{number}");
    let grant = |holder: &mut Connection, number: usize| {
        holder.lock(&key(number), "holder", TTL, Wait::Not).unwrap().expect("nobody else has it")
    };
    let mut waiters: Vec<Connection> = (0..LOCKS).map(|_| Connection::open(agent.resp()).unwrap()).collect();
    let fences: Vec<u64> = (0..LOCKS).map(|number| grant(&mut holder, number)).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        waiter.send_lock(&key(number), "waiter", LONG, Wait::ForEver).unwrap();
    }
    pause(agent, PAUSE);
    let renewed: Vec<Fenced> =
        (0..LOCKS).map(|number| holder.renew(&key(number), fences[number], LONG).unwrap()).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        // Its waiter gets it only now, under a fence of its own.
        if renewed[number] == Fenced::Done {
            assert_eq!(holder.fence(&key(number)).unwrap(), Some(fences[number]));
            assert_eq!(holder.unlock(&key(number), fences[number]).unwrap(), Fenced::Done);
        }
        let fence = waiter.granted().unwrap().expect("it waits for ever");
        assert!(fence > fences[number], "{fence} after {}", fences[number]);
        assert_eq!(holder.fence(&key(number)).unwrap(), Some(fence));
    }
    renewed.iter().filter(|renewed| **renewed != Fenced::Done).count()
}

/// The control: without the pause the same time ends every lock.
#[test]
fn the_same_time_without_a_pause_ends_every_lock() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let fence = connection.lock("lock", "holder", TTL, Wait::Not).unwrap().unwrap();
    let begin = Instant::now();
    until("the time of the pause has passed", SOON, || (begin.elapsed() >= PAUSE).then_some(()));
    assert_eq!(connection.renew("lock", fence, TTL).unwrap(), Fenced::By(0));
}
