//! The queue: in order, bounded, no place for two, nobody served too late.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use adsum_balance::{Pending, Ticket};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn whoever_waited_longest_is_served_first() {
    let now = Instant::now();
    let mut pending = Pending::default();
    for name in ["one", "two", "three"] {
        pending.join(name, now + MS, 10).unwrap();
    }
    let mut places = 2;
    let served = pending.serve(now, |_| {
        let free = places > 0;
        places -= i32::from(free);
        free
    });
    assert_eq!(served, ["one", "two"]);
    assert_eq!(pending.len(), 1);
}

#[test]
fn a_full_queue_hands_the_next_one_back() {
    let now = Instant::now();
    let mut pending = Pending::default();
    pending.join(1, now + MS, 1).unwrap();
    assert_eq!(pending.join(2, now + MS, 1), Err(2));
    assert_eq!(Pending::default().join(3, now + MS, 0), Err(3));
}

#[test]
fn whoever_has_gone_is_not_served() {
    let now = Instant::now();
    let mut pending = Pending::default();
    let one = pending.join("one", now + MS, 10).unwrap();
    pending.join("two", now + MS, 10).unwrap();
    assert_eq!(pending.cancel(one), Some("one"));
    assert_eq!(pending.cancel(one), None);
    assert_eq!(pending.serve(now, |_| true), ["two"]);
}

#[test]
fn who_is_given_up_is_handed_back_and_its_ticket_is_nobody_elses() {
    let now = Instant::now();
    let mut pending = Pending::default();
    let one = pending.join("one", now + MS, 10).unwrap();
    assert_eq!(pending.give_up(), ["one"]);
    pending.join("two", now + MS, 10).unwrap();
    assert_eq!(pending.cancel(one), None);
    assert_eq!(pending.give_up(), ["two"]);
}

#[test]
fn whoever_waited_too_long_is_handed_back_and_not_served() {
    let now = Instant::now();
    let mut pending = Pending::default();
    pending.join("late", now + MS, 10).unwrap();
    pending.join("patient", now + 9 * MS, 10).unwrap();
    assert_eq!(pending.next_wakeup(), Some(now + MS));
    assert_eq!(pending.serve(now + MS, |_| true), ["patient"]);
    assert_eq!(pending.expired(now + MS), ["late"]);
    assert!(pending.is_empty());
    assert_eq!(pending.next_wakeup(), None);
}

#[derive(Clone, Debug)]
enum Step {
    Join { patience: u64 },
    Cancel(usize),
    Free,
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..20).prop_map(|patience| Step::Join { patience }),
        1 => (0usize..64).prop_map(Step::Cancel),
        3 => Just(Step::Free),
        3 => (0u64..6).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ]
}

/// As simple as it can be said: a list of (number, until), and how many places are taken.
#[derive(Default)]
struct Model {
    queue: VecDeque<(usize, Instant)>,
    free: usize,
    taken: Vec<usize>,
}

impl Model {
    /// Everybody whose time is not over gets a place in order of arrival while there is one.
    fn serve(&mut self, now: Instant) -> Vec<usize> {
        let mut served = Vec::new();
        while self.free > 0 {
            let Some(at) = self.queue.iter().position(|(_, until)| *until > now) else { break };
            let (number, _) = self.queue.remove(at).unwrap();
            self.free -= 1;
            served.push(number);
        }
        served
    }
}

proptest! {
    #[test]
    fn places_are_given_in_order_each_to_one_and_never_too_late(steps in prop::collection::vec(step(), 1..120)) {
        const MOST: usize = 5;
        let mut now = Instant::now();
        let (mut pending, mut model) = (Pending::default(), Model::default());
        let mut tickets: Vec<Ticket> = Vec::new();
        for step in steps {
            match step {
                Step::Join { patience } => {
                    let (number, until) = (tickets.len(), now + patience as u32 * MS);
                    let joined = pending.join(number, until, MOST);
                    prop_assert_eq!(joined.is_ok(), model.queue.len() < MOST);
                    if let Ok(ticket) = joined {
                        tickets.push(ticket);
                        model.queue.push_back((number, until));
                    }
                }
                Step::Cancel(which) if !tickets.is_empty() => {
                    let number = which % tickets.len();
                    let waited = model.queue.iter().position(|(queued, _)| *queued == number);
                    let gone = waited.and_then(|at| model.queue.remove(at)).map(|(number, _)| number);
                    prop_assert_eq!(pending.cancel(tickets[number]), gone);
                }
                Step::Cancel(_) => {}
                Step::Free => {
                    model.free += 1;
                    let mut free = model.free;
                    let served = pending.serve(now, |_| {
                        let place = free > 0;
                        free -= usize::from(place);
                        place
                    });
                    prop_assert_eq!(&served, &model.serve(now));
                    prop_assert_eq!(free, model.free);
                    prop_assert!(served.iter().all(|number| !model.taken.contains(number)), "served twice");
                    model.taken.extend(served);
                }
                Step::Pass(millis) => now += millis as u32 * MS,
                Step::Sweep => {
                    let late: Vec<usize> =
                        model.queue.iter().filter(|(_, until)| *until <= now).map(|(number, _)| *number).collect();
                    model.queue.retain(|(_, until)| *until > now);
                    prop_assert_eq!(pending.expired(now), late);
                }
            }
            prop_assert!(pending.len() <= MOST);
            prop_assert_eq!(pending.len(), model.queue.len());
            prop_assert_eq!(pending.next_wakeup(), model.queue.iter().map(|(_, until)| *until).min());
        }
    }
}
