//! A thousand wait for one lock: each is granted it once, in the order in which they came, and waiting costs nothing.

use std::time::{Duration, Instant};

use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds, until, until_ok};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::stage::SOON;

const WAITERS: usize = 1_000;
const TTL: Duration = Duration::from_secs(60);

/// Each waiter is a descriptor here and one in the agent, which inherits the limit.
fn raise_the_limit() {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, now.max(4_096).min(most), most).unwrap();
}

/// Whoever waits is counted, so that the next comes after it.
fn stand_in_line(agent: &Agent, looking: &mut Connection) -> Vec<Connection> {
    let wait = |number: usize| {
        let mut waiter = Connection::open(agent.resp()).unwrap();
        waiter.send_lock("lock", &number.to_string(), TTL, Wait::ForEver).unwrap();
        until_ok("it waits", SOON, || match blocked(looking) {
            count if count == number + 1 => Ok(()),
            count => Err(format!("{count} wait")),
        });
        waiter
    };
    (0..WAITERS).map(wait).collect()
}

fn blocked(connection: &mut Connection) -> usize {
    let Reply::Text(info) = connection.ask(&["INFO", "clients"]).unwrap() else { panic!("INFO is text") };
    let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    count.unwrap().trim().parse().unwrap()
}

/// The processor time that the agent has used.
fn cpu(agent: &Agent) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // Of a hundredth of a second each: user and system.
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_thousand_who_wait_for_one_lock_get_it_once_each_in_the_order_in_which_they_came() {
    raise_the_limit();
    let agent = Agent::start();
    let mut holder = Connection::open(agent.resp()).unwrap();
    for _ in 0..rounds(1, 20) {
        let fence = holder.lock("lock", "holder", TTL, Wait::Not).unwrap().unwrap();
        let mut waiters = stand_in_line(&agent, &mut holder);
        let waiting = while_nothing_happens(&agent);
        let (begin, before) = (Instant::now(), cpu(&agent));
        let last = pass_on(&mut holder, fence, &mut waiters);
        let (took, used) = (begin.elapsed(), cpu(&agent) - before);
        println!(
            "{WAITERS} grants in {took:?}, {used:?} of processor time; {waiting:?} of it per second of waiting"
        );
        assert!(waiting < Duration::from_millis(300), "waiting costs {waiting:?} per second");
        assert!(used < Duration::from_millis(5) * u32::try_from(WAITERS).unwrap(), "{used:?}");
        assert_eq!(holder.fence("lock").unwrap(), None, "the last one was {last}");
        waiters.iter_mut().for_each(nothing_else_came);
    }
}

/// Of one second.
fn while_nothing_happens(agent: &Agent) -> Duration {
    let (begin, before) = (Instant::now(), cpu(agent));
    until("a second has passed", SOON, || (begin.elapsed() >= Duration::from_secs(1)).then_some(()));
    cpu(agent) - before
}

/// Each releases when it has been granted. Fences grow along the line: nobody was granted it out of turn, and the next
/// fence in line is what the next one is told.
fn pass_on(holder: &mut Connection, mut fence: u64, waiters: &mut [Connection]) -> u64 {
    assert_eq!(holder.unlock("lock", fence).unwrap(), Fenced::Done);
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let granted = waiter.granted().unwrap().expect("it waits for ever");
        assert!(granted > fence, "number {number} has {granted} after {fence}");
        let owner = waiter.ask(&["GET", "lock"]).unwrap();
        assert_eq!(owner, Reply::Text(number.to_string()));
        fence = granted;
        assert_eq!(waiter.unlock("lock", fence).unwrap(), Fenced::Done);
    }
    fence
}

/// The next thing that it is told is the answer to this.
fn nothing_else_came(waiter: &mut Connection) {
    assert_eq!(waiter.ask(&["ECHO", "last"]).unwrap(), Reply::Text("last".to_string()));
}

/// Somebody who gives up or goes away loses his place, and the lock goes to the next in line.
#[test]
fn who_goes_away_loses_his_place_in_the_line() {
    let agent = Agent::start();
    let mut holder = Connection::open(agent.resp()).unwrap();
    let fence = holder.lock("lock", "holder", TTL, Wait::Not).unwrap().unwrap();
    let mut gone = Connection::open(agent.resp()).unwrap();
    gone.send_lock("lock", "gone", TTL, Wait::ForEver).unwrap();
    until("the first waits", SOON, || (blocked(&mut holder) == 1).then_some(()));
    let mut brief = Connection::open(agent.resp()).unwrap();
    brief.send_lock("lock", "brief", TTL, Wait::AtMost(Duration::from_millis(50))).unwrap();
    let mut last = Connection::open(agent.resp()).unwrap();
    assert_eq!(brief.granted().unwrap(), None);
    drop(gone);
    last.send_lock("lock", "last", TTL, Wait::ForEver).unwrap();
    until("one waits", SOON, || {
        let Reply::Text(list) = holder.ask(&["CLIENT", "LIST"]).unwrap() else { panic!("a list is text") };
        // The holder and the two who are still there.
        (blocked(&mut holder) == 1 && list.lines().count() == 3).then_some(())
    });
    assert_eq!(holder.unlock("lock", fence).unwrap(), Fenced::Done);
    assert!(last.granted().unwrap().unwrap() > fence);
}
