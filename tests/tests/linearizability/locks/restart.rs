//! Locks that are held while the agent is killed: none ends before its time, and fences go on growing.

use std::time::{Duration, Instant};

use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::Connection;
use adsum_tests::{Agent, rounds, until};

use crate::stage::SOON;

const LOCKS: u64 = 100;

struct Held {
    key: String,
    fence: u64,
    asked: Instant,
    ttl: Duration,
}

/// TTLs of 1 s to 4 s: also where a grant and a start are slow, some are held for longer than both take.
fn hold(connection: &mut Connection, number: u64) -> Held {
    let (key, ttl) = (format!("lock/{number}"), Duration::from_millis(1000 + number * 30));
    let asked = Instant::now();
    let fence = connection.lock(&key, "holder", ttl, Wait::Not).unwrap().expect("nobody has it");
    Held { key, fence, asked, ttl }
}

/// Waits until somebody else gets it, and returns how long after its time that was.
fn end(connection: &mut Connection, held: &Held) -> Duration {
    let fence = connection.lock(&held.key, "next", SOON, Wait::ForEver).unwrap().unwrap();
    let lived = held.asked.elapsed();
    assert!(lived >= held.ttl, "{} lived for {lived:?} of {:?}", held.key, held.ttl);
    assert!(fence > held.fence, "{fence} after {}", held.fence);
    assert_eq!(connection.unlock(&held.key, held.fence).unwrap(), Fenced::By(fence));
    assert_eq!(connection.unlock(&held.key, fence).unwrap(), Fenced::Done);
    lived.saturating_sub(held.ttl)
}

#[test]
fn a_lock_outlives_a_kill_of_the_agent_with_its_fence_and_all_of_its_time() {
    let mut agent = Agent::start();
    let mut late = Vec::new();
    let rounds = rounds(2, 100);
    for _ in 0..rounds {
        let mut connection = Connection::open(agent.resp()).unwrap();
        let held: Vec<Held> = (0..LOCKS).map(|number| hold(&mut connection, number)).collect();
        let killed = Instant::now();
        agent.kill9();
        agent.restart();
        let down = killed.elapsed();
        let mut connection = Connection::open(agent.resp()).unwrap();
        let mut still = 0;
        for held in &held {
            // Whether it is still held is asked before the clock is read, so that a lock at its end is no mistake.
            let fence = connection.fence(&held.key).unwrap();
            let over = held.asked.elapsed() >= held.ttl;
            assert!(fence == Some(held.fence) || over, "{} is held under {fence:?}", held.key);
            still += u64::from(fence == Some(held.fence));
        }
        assert!(
            still > 0,
            "the locks were over before anybody could look: the machine is too slow for this test"
        );
        late.extend(held.iter().map(|held| end(&mut connection, held).saturating_sub(down)));
    }
    late.sort_unstable();
    let (least, most) = (late.first().unwrap(), late.last().unwrap());
    println!("{rounds} kills: {} locks, {least:?} to {most:?} later than TTL and downtime", late.len());
}

/// The line of those who wait is gone with the agent; whoever still wants the lock asks again.
#[test]
fn who_waited_at_a_kill_can_wait_again() {
    let mut agent = Agent::start();
    let mut holder = Connection::open(agent.resp()).unwrap();
    let fence = holder.lock("lock", "holder", SOON, Wait::Not).unwrap().unwrap();
    let mut waiter = Connection::open(agent.resp()).unwrap();
    waiter.send_lock("lock", "waiter", SOON, Wait::ForEver).unwrap();
    agent.kill9();
    waiter.granted().unwrap_err();
    agent.restart();
    let mut holder = Connection::open(agent.resp()).unwrap();
    let mut waiter = Connection::open(agent.resp()).unwrap();
    waiter.send_lock("lock", "waiter", SOON, Wait::ForEver).unwrap();
    until("it waits", SOON, || {
        let info = holder.ask(&["INFO", "clients"]).unwrap();
        format!("{info:?}").contains("blocked_clients:1\\r").then_some(())
    });
    assert_eq!(holder.unlock("lock", fence).unwrap(), Fenced::Done);
    assert!(waiter.granted().unwrap().unwrap() > fence);
}
