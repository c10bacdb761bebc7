//! A semaphore: never more holders than it allows, each under a fence of its slot.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adsum_tests::lock::Fenced;
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds};

const CLIENTS: usize = 8;
const HOLDERS: usize = 3;

#[derive(Default)]
struct Seen {
    /// Between the answer to the LOCK and the sending of the UNLOCK.
    holding: AtomicUsize,
    most: AtomicUsize,
    /// By slot, the fences in the order in which they were held.
    fences: Mutex<HashMap<String, Vec<u64>>>,
}

impl Seen {
    fn once(&self, connection: &mut Connection) {
        let limit = HOLDERS.to_string();
        let command = ["LOCK", "pool", "me", "PX", "60000", "WAIT", "0", "LIMIT", &limit];
        let Reply::List(granted) = connection.ask(&command).unwrap() else { panic!("a slot and a fence") };
        let [Reply::Text(slot), Reply::Text(fence)] = granted.as_slice() else { panic!("{granted:?}") };
        let holding = self.holding.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(holding, Ordering::SeqCst);
        let fence: u64 = fence.parse().unwrap();
        self.fences.lock().unwrap().entry(slot.clone()).or_default().push(fence);
        // Somebody else comes in between if he can.
        std::thread::sleep(Duration::from_millis(2));
        self.holding.fetch_sub(1, Ordering::SeqCst);
        assert_eq!(connection.unlock(slot, fence).unwrap(), Fenced::Done);
    }
}

#[test]
fn a_semaphore_has_as_many_holders_as_it_allows_and_never_more() {
    let agent = Agent::start();
    let (seen, each) = (Seen::default(), rounds(30, 2_000));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(agent.resp()).unwrap();
                (0..each).for_each(|_| seen.once(&mut connection));
            });
        }
    });
    let fences = seen.fences.into_inner().unwrap();
    let mut slots: Vec<&str> = fences.keys().map(String::as_str).collect();
    slots.sort_unstable();
    assert_eq!(slots, ["pool:1", "pool:2", "pool:3"]);
    assert!(fences.values().all(|fences| fences.is_sorted_by(|one, next| one < next)), "{fences:?}");
    assert_eq!(fences.values().map(Vec::len).sum::<usize>(), CLIENTS * each as usize);
    assert_eq!(seen.most.into_inner(), HOLDERS, "the most that held at once");
}
