//! Clients that wait for a lock, and are gone.

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, until};

use super::SOON;
use super::witness::{MIB, unharmed};

const WAITERS: usize = 1000;

/// How many wait, as INFO says.
pub(super) fn blocked(connection: &mut Connection) -> usize {
    let Reply::Text(info) = connection.ask(&["INFO", "clients"]).unwrap() else { panic!("INFO is text") };
    let number = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    number.unwrap().trim().parse().unwrap()
}

#[test]
fn a_thousand_waiters_that_vanish_leave_the_lock_to_who_is_there() {
    let agent = Agent::start();
    let mut holder = Connection::open(agent.resp()).unwrap();
    let Reply::Text(fence) = holder.ask(&["LOCK", "one", "holder", "PX", "60000"]).unwrap() else {
        panic!("it is free")
    };
    unharmed(&agent, 48 * MIB, || {
        let mut waiters: Vec<Connection> =
            (0..WAITERS).map(|_| Connection::open(agent.resp()).unwrap()).collect();
        for waiter in &mut waiters {
            waiter.send(&["LOCK", "one", "waiter", "PX", "60000", "WAIT", "0"]).unwrap();
        }
        until("all wait", SOON, || (blocked(&mut holder) == WAITERS).then_some(()));
        drop(waiters);
        until("nobody waits", SOON, || (blocked(&mut holder) == 0).then_some(()));
    });
    assert_eq!(holder.ask(&["UNLOCK", "one", &fence]).unwrap(), Reply::Text("OK".into()));
    let next = holder.ask(&["LOCK", "one", "next", "PX", "60000"]).unwrap();
    assert!(matches!(&next, Reply::Text(later) if later != &fence), "{next:?}");
}
