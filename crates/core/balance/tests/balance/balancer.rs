//! Who is picked at all: shares of versions, limits, sticky clients, slow start, and what is remembered of whom.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_balance::{Ask, Balancer, Candidate, Class, InFlight, NoPick, Seat};
use adsum_model::{Balance, InstanceId, Policy};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

pub(crate) fn id(number: u64) -> InstanceId {
    InstanceId::from_seed(number)
}

/// Members are (number, version, routable).
pub(crate) fn update(
    balancer: &mut Balancer,
    policy: &Policy,
    weights: &[(u32, u32)],
    members: &[(u64, u32, bool)],
    now: Instant,
) {
    let ids: Vec<InstanceId> = members.iter().map(|(number, ..)| id(*number)).collect();
    let candidates = members.iter().zip(&ids).map(|((_, version, routable), instance)| Candidate {
        instance,
        version: *version,
        routable: *routable,
    });
    let weights: BTreeMap<u32, u32> = weights.iter().copied().collect();
    balancer.update(policy, &weights, candidates, now);
}

pub(crate) fn policy(balance: Balance) -> Policy {
    Policy { balance, ..Policy::default() }
}

pub(crate) fn strategies() -> Vec<Balance> {
    vec![
        Balance::PeakEwma,
        Balance::RoundRobin,
        Balance::LeastRequests,
        Balance::Random,
        Balance::Hash(adsum_model::HashKey::Path),
    ]
}

fn picked(balancer: &mut Balancer, ask: &Ask<'_>, now: Instant) -> Result<InstanceId, NoPick> {
    balancer.pick(ask, now).map(|picked| balancer.instance(picked.seat).unwrap().clone())
}

#[test]
fn versions_get_their_share_to_a_hundredth_of_a_percent() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    let members = [(1, 1, true), (2, 1, true), (3, 2, true), (4, 3, true)];
    update(&mut balancer, &policy(Balance::Random), &[(1, 9_899), (2, 100), (3, 1)], &members, now);
    let mut counts = BTreeMap::new();
    for lot in 0..1_000_000 {
        let id = picked(&mut balancer, &Ask { lot, ..Ask::default() }, now).unwrap();
        *counts.entry(id).or_insert(0i64) += 1;
    }
    let near = |count: i64, expect: i64| {
        let deviation = 5 * (expect as f64).sqrt() as i64;
        assert!((count - expect).abs() <= deviation, "{count} instead of {expect}");
    };
    near(counts[&id(1)], 494_950);
    near(counts[&id(2)], 494_950);
    near(counts[&id(3)], 10_000);
    near(counts[&id(4)], 100);
}

#[test]
fn the_share_of_a_version_without_instances_goes_to_the_others() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    update(
        &mut balancer,
        &policy(Balance::Random),
        &[(1, 5_000), (2, 5_000)],
        &[(1, 1, true), (2, 2, false)],
        now,
    );
    for lot in 0..100 {
        assert_eq!(picked(&mut balancer, &Ask { lot, ..Ask::default() }, now), Ok(id(1)));
    }
}

#[test]
fn a_version_without_a_share_gets_nothing_even_alone() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    update(&mut balancer, &Policy::default(), &[(2, 10_000)], &[(1, 1, true)], now);
    assert_eq!(picked(&mut balancer, &Ask::default(), now), Err(NoPick::Nobody));
    let sticky = id(1);
    let ask = Ask { sticky: Some(sticky.as_str()), ..Ask::default() };
    assert_eq!(picked(&mut balancer, &ask, now), Err(NoPick::Nobody));
}

#[test]
fn a_sticky_client_keeps_its_instance_while_that_takes_requests() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    let members = [(1, 1, true), (2, 1, true), (3, 1, true)];
    update(&mut balancer, &Policy::default(), &[], &members, now);
    let second = id(2);
    for lot in 0..50 {
        let ask = Ask { lot, sticky: Some(second.as_str()), ..Ask::default() };
        let picked = balancer.pick(&ask, now).unwrap();
        assert!(picked.kept);
        assert_eq!(balancer.instance(picked.seat), Some(&second));
    }
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, true), (2, 1, false), (3, 1, true)], now);
    let picked = balancer.pick(&Ask { sticky: Some(second.as_str()), ..Ask::default() }, now).unwrap();
    assert!(!picked.kept);
    assert_ne!(balancer.instance(picked.seat), Some(&second));
    let tried = [balancer.seat_of(&id(1)).unwrap()];
    let first = id(1);
    let ask = Ask { sticky: Some(first.as_str()), tried: &tried, ..Ask::default() };
    assert!(!balancer.pick(&ask, now).unwrap().kept, "it has failed this very request");
    let stranger = Ask { sticky: Some("nobody at all"), ..Ask::default() };
    assert!(!balancer.pick(&stranger, now).unwrap().kept);
}

#[test]
fn the_limit_of_an_instance_is_shared_by_the_workers() {
    let now = Instant::now();
    for (workers, most, expect) in [(1, 3, 3), (2, 3, 1), (8, 3, 1), (4, 100, 25)] {
        let mut balancer = Balancer::new(workers, 0);
        let limited = Policy { max_requests: most, ..Policy::default() };
        update(&mut balancer, &limited, &[], &[(1, 1, true)], now);
        for _ in 0..expect {
            let picked = balancer.pick(&Ask::default(), now).unwrap();
            balancer.begin(picked.seat);
        }
        assert_eq!(balancer.pick(&Ask::default(), now), Err(NoPick::Full));
        balancer.end(balancer.seat_of(&id(1)).unwrap());
        assert!(balancer.pick(&Ask::default(), now).is_ok());
    }
}

#[test]
fn when_the_drawn_version_is_full_the_other_one_takes_the_request() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    let limited = Policy { max_requests: 1, ..Policy::default() };
    update(&mut balancer, &limited, &[(1, 9_999), (2, 1)], &[(1, 1, true), (2, 2, true)], now);
    let first = balancer.pick(&Ask::default(), now).unwrap();
    balancer.begin(first.seat);
    let second = balancer.pick(&Ask::default(), now).unwrap();
    assert_ne!(first.seat, second.seat);
}

#[test]
fn with_one_instance_a_second_try_goes_there_again() {
    let now = Instant::now();
    for strategy in strategies() {
        let mut balancer = Balancer::new(1, 0);
        update(&mut balancer, &policy(strategy), &[], &[(1, 1, true)], now);
        let seat = balancer.seat_of(&id(1)).unwrap();
        let ask = Ask { tried: &[seat], key: Some(b"key"), ..Ask::default() };
        assert_eq!(balancer.pick(&ask, now).map(|picked| picked.seat), Ok(seat));
    }
}

#[test]
fn what_has_gone_is_remembered_until_nothing_of_it_is_in_flight() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, true), (2, 1, true)], now);
    let seat = balancer.seat_of(&id(1)).unwrap();
    balancer.begin(seat);
    balancer.begin(seat);
    balancer.upgrade(seat);
    update(&mut balancer, &Policy::default(), &[], &[(2, 1, true)], now);
    let departing: Vec<(InstanceId, InFlight)> =
        balancer.departing().map(|(_, id, in_flight)| (id.clone(), in_flight)).collect();
    assert_eq!(departing, [(id(1), InFlight { requests: 1, upgrades: 1 })]);
    assert!(!balancer.end(seat), "the upgraded connection is still there");
    assert!(balancer.end_upgrade(seat), "this was the last one");
    assert_eq!(balancer.members().count(), 1);
    assert!(!balancer.end(seat), "its seat means nobody now");
    update(&mut balancer, &Policy::default(), &[], &[(2, 1, true), (3, 1, true)], now);
    assert_eq!(balancer.instance(seat), None, "also when somebody else has the place");
    assert_eq!(balancer.seat_of(&id(3)).unwrap().index(), seat.index());
}

#[test]
fn a_draining_instance_says_when_its_last_request_has_ended() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, true)], now);
    let seat = balancer.seat_of(&id(1)).unwrap();
    balancer.begin(seat);
    balancer.begin(seat);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, false)], now);
    assert_eq!(balancer.pick(&Ask::default(), now), Err(NoPick::Nobody));
    assert_eq!(balancer.in_flight(&id(1)), InFlight { requests: 2, upgrades: 0 });
    assert!(!balancer.end(seat));
    assert!(balancer.end(seat));
    assert_eq!(balancer.departing().count(), 1, "it is in the table still");
}

#[test]
fn an_instance_that_comes_back_has_what_is_known_of_it() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, true), (2, 1, true)], now);
    let slow = balancer.seat_of(&id(1)).unwrap();
    balancer.observe(slow, 500 * MS, Class::Fine, now);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, false), (2, 1, true)], now);
    update(&mut balancer, &Policy::default(), &[], &[(1, 1, true), (2, 1, true)], now);
    for lot in 0..100 {
        assert_eq!(picked(&mut balancer, &Ask { lot, ..Ask::default() }, now), Ok(id(2)));
    }
}

#[track_caller]
fn check_ramp(strategy: Balance, after: Duration, expect: std::ops::Range<f64>) {
    let start = Instant::now();
    let ramped = Policy { slow_start: Duration::from_secs(10), ..policy(strategy) };
    let mut balancer = Balancer::new(1, 0);
    let old: Vec<(u64, u32, bool)> = (1..=9).map(|number| (number, 1, true)).collect();
    update(&mut balancer, &ramped, &[], &old, start);
    let all: Vec<(u64, u32, bool)> = (1..=10).map(|number| (number, 1, true)).collect();
    update(&mut balancer, &ramped, &[], &all, start);
    let now = start + after;
    let ask = |lot| Ask { lot, ..Ask::default() };
    let to_new = (0..50_000).filter(|lot| picked(&mut balancer, &ask(*lot), now) == Ok(id(10))).count();
    let of_full_share = to_new as f64 / 5_000.0;
    assert!(expect.contains(&of_full_share), "{of_full_share} of its share after {after:?}");
}

#[test]
fn a_newcomer_begins_with_a_tenth_and_gets_its_full_share_in_the_end() {
    for strategy in [Balance::RoundRobin, Balance::Random, Balance::PeakEwma] {
        check_ramp(strategy.clone(), Duration::ZERO, 0.07..0.14);
        check_ramp(strategy.clone(), Duration::from_secs(5), 0.45..0.65);
        check_ramp(strategy, Duration::from_secs(10), 0.9..1.1);
    }
}

#[test]
fn least_requests_gives_a_newcomer_a_tenth_of_the_load() {
    let start = Instant::now();
    let ramped = Policy { slow_start: Duration::from_secs(10), ..policy(Balance::LeastRequests) };
    let mut balancer = Balancer::new(1, 0);
    update(&mut balancer, &ramped, &[], &[(1, 1, true)], start);
    update(&mut balancer, &ramped, &[], &[(1, 1, true), (2, 1, true)], start);
    for lot in 0..110 {
        let picked = balancer.pick(&Ask { lot, ..Ask::default() }, start).unwrap();
        balancer.begin(picked.seat);
    }
    assert!((9..=11).contains(&balancer.in_flight(&id(2)).requests));
}

proptest! {
    #[test]
    fn whatever_happens_only_routable_members_with_room_are_picked(
        strategy in prop::sample::select(strategies()),
        most in 0u32..3,
        pools in prop::collection::vec(prop::collection::btree_map(0u64..8, (1u32..4, any::<bool>()), 0..8), 1..6),
        weights in prop::collection::btree_map(1u32..4, 0u32..3, 0..3),
        lots in prop::collection::vec(any::<u64>(), 30),
    ) {
        let now = Instant::now();
        let policy = Policy { max_requests: most, slow_start: MS, ..policy(strategy) };
        let weights: Vec<(u32, u32)> = weights.into_iter().collect();
        let mut balancer = Balancer::new(1, 0);
        let mut open: Vec<Seat> = Vec::new();
        for pool in pools {
            let members: Vec<(u64, u32, bool)> =
                pool.iter().map(|(number, (version, routable))| (*number, *version, *routable)).collect();
            update(&mut balancer, &policy, &weights, &members, now);
            let takes = |number: u64, version: u32, routable: bool, balancer: &Balancer| {
                let share = weights.is_empty() || weights.iter().any(|(v, share)| *v == version && *share > 0);
                let load = balancer.in_flight(&id(number)).requests;
                (routable && share, most == 0 || load < most)
            };
            for lot in &lots {
                let able: Vec<(u64, (bool, bool))> = members
                    .iter()
                    .map(|(number, version, routable)| (*number, takes(*number, *version, *routable, &balancer)))
                    .collect();
                let tried: Vec<Seat> = open.iter().rev().take(2).copied().collect();
                let key = (lot % 2 == 0).then_some(&b"key"[..]);
                match balancer.pick(&Ask { lot: *lot, key, tried: &tried, sticky: None }, now) {
                    Ok(picked) => {
                        let chosen = balancer.instance(picked.seat).unwrap().clone();
                        let (_, able_to) = able.iter().find(|(number, _)| id(*number) == chosen).unwrap();
                        prop_assert_eq!(*able_to, (true, true));
                        let untried = able.iter().any(|(number, able)| {
                            *able == (true, true) && !tried.contains(&balancer.seat_of(&id(*number)).unwrap())
                        });
                        prop_assert!(!untried || !tried.contains(&picked.seat), "a tried one while there was another");
                        balancer.begin(picked.seat);
                        open.push(picked.seat);
                    }
                    Err(NoPick::Full) => {
                        prop_assert!(able.iter().any(|(_, able)| able.0));
                        prop_assert!(able.iter().all(|(_, able)| *able != (true, true)));
                        if let Some(seat) = open.pop() { balancer.end(seat); }
                    }
                    Err(NoPick::Nobody) => prop_assert!(able.iter().all(|(_, able)| !able.0)),
                }
            }
        }
        for seat in open { balancer.end(seat); }
        prop_assert!(balancer.members().all(|(_, _, in_flight)| in_flight.is_none()));
        update(&mut balancer, &policy, &weights, &[], now);
        prop_assert_eq!(balancer.members().count(), 0);
    }
}
