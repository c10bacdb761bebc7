//! The budget: whatever happens, instances get at most so many requests more than have come.

use std::time::{Duration, Instant};

use adsum_balance::{Balancer, Budget, Candidate, Class, Event, Exchange, Moment, Next, Scene, Seat, Sent};
use adsum_model::{InstanceId, Policy};
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn seat() -> Seat {
    let mut balancer = Balancer::new(1, 0);
    let id = InstanceId::from_seed(1);
    let candidate = Candidate { instance: &id, version: 1, routable: true };
    balancer.update(&Policy::default(), &Default::default(), [candidate], Instant::now());
    balancer.seat_of(&id).unwrap()
}

fn unavailable() -> Event {
    Event::Answered { status: StatusCode::SERVICE_UNAVAILABLE, class: Class::Technical, retry_after: None }
}

/// One request whose tries all end with this event; returns how many there were.
fn attempts(policy: &Policy, budget: &mut Budget, now: Instant, event: Event, seat: Seat) -> u64 {
    let moment = Moment { now, wall: 0 };
    let mut exchange = Exchange::new(&Method::GET, &HeaderMap::new(), policy, budget, moment);
    let mut next = exchange.first(now);
    while let Next::Try(_) = next {
        exchange.begin_try(seat, now);
        next = exchange.after(event, &Scene { now, lot: 7, others: true }, budget);
    }
    u64::from(exchange.tries())
}

#[test]
fn a_retry_storm_is_a_fifth_more_and_the_floor() {
    let start = Instant::now();
    let policy = Policy { retries: 3, ..Policy::default() };
    let mut budget = Budget::new(&policy, 1, start);
    let seat = seat();
    let sent: u64 = (0..30_000)
        .map(|milli| attempts(&policy, &mut budget, start + milli * MS, unavailable(), seat))
        .sum();
    assert!(sent <= 30_000 * 120 / 100 + 10 * 30, "{sent}");
    assert!(sent >= 30_000 * 119 / 100, "the budget is there to be used: {sent}");
}

#[test]
fn without_the_budget_the_same_storm_is_a_multiple() {
    let start = Instant::now();
    let policy = Policy { retries: 3, retry_floor: u32::MAX, ..Policy::default() };
    let mut budget = Budget::new(&policy, 1, start);
    let seat = seat();
    let sent: u64 =
        (0..1_000).map(|milli| attempts(&policy, &mut budget, start + milli * MS, unavailable(), seat)).sum();
    assert_eq!(sent, 4_000);
}

#[test]
fn what_was_never_sent_costs_nothing() {
    let start = Instant::now();
    let policy = Policy { retries: 2, retry_budget: 0, retry_floor: 0, ..Policy::default() };
    let mut budget = Budget::new(&policy, 1, start);
    let nothing = Event::Lost { sent: Sent::Nothing, reused: false };
    assert_eq!(attempts(&policy, &mut budget, start, nothing, seat()), 3);
    assert_eq!(attempts(&policy, &mut budget, start, unavailable(), seat()), 1, "and this is not free");
}

#[test]
fn the_floor_is_there_again_each_second() {
    let start = Instant::now();
    let policy = Policy { retries: 1, retry_budget: 0, retry_floor: 3, ..Policy::default() };
    let mut budget = Budget::new(&policy, 1, start);
    let seat = seat();
    for second in [0, 1, 2, 60] {
        let now = start + second * 1000 * MS;
        let retries: u64 =
            (0..10).map(|_| attempts(&policy, &mut budget, now, unavailable(), seat) - 1).sum();
        assert_eq!(retries, 3, "in second {second}");
    }
}

#[test]
fn workers_share_the_floor() {
    let start = Instant::now();
    let policy = Policy { retries: 1, retry_budget: 0, retry_floor: 10, ..Policy::default() };
    let of_one = |workers| {
        let mut budget = Budget::new(&policy, workers, start);
        let seat = seat();
        (0..100).map(|_| attempts(&policy, &mut budget, start, unavailable(), seat) - 1).sum::<u64>()
    };
    assert_eq!(of_one(1), 10);
    assert_eq!(of_one(4), 2);
    assert_eq!(of_one(64), 1, "each has one at least");
}

proptest! {
    #[test]
    fn over_any_time_there_are_no_more_attempts_than_the_share_and_the_floor_allow(
        percent in 0u32..=100,
        floor in 0u32..5,
        retries in 0u32..6,
        requests in prop::collection::vec((0u64..1500, any::<bool>()), 1..400),
    ) {
        let start = Instant::now();
        let policy = Policy { retries, retry_budget: percent, retry_floor: floor, ..Policy::default() };
        let mut budget = Budget::new(&policy, 1, start);
        let seat = seat();
        let (mut now, mut sent, mut come) = (start, 0u64, 0u64);
        for (pause, fails) in requests {
            now += pause as u32 * MS;
            come += 1;
            let fine = Event::Answered { status: StatusCode::OK, class: Class::Fine, retry_after: None };
            sent += attempts(&policy, &mut budget, now, if fails { unavailable() } else { fine }, seat);
            let seconds = (now - start).as_secs() + 1;
            let allowed = come * 100 + come * u64::from(percent) + u64::from(floor) * seconds * 100;
            prop_assert!(sent * 100 <= allowed, "{sent} attempts of {come} requests in {seconds} s");
        }
    }
}
