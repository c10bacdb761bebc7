//! What each strategy does with members that are equal, slow, busy, failing, going.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_balance::{Ask, Balancer, Class};
use adsum_model::{Balance, HashKey, InstanceId};
use proptest::prelude::*;

use crate::balancer::{id, policy, strategies, update};

const MS: Duration = Duration::from_millis(1);

fn of(strategy: Balance, members: u64, now: Instant) -> Balancer {
    let mut balancer = Balancer::new(1, 3);
    let members: Vec<(u64, u32, bool)> = (0..members).map(|number| (number, 1, true)).collect();
    update(&mut balancer, &policy(strategy), &[], &members, now);
    balancer
}

fn pick(balancer: &mut Balancer, ask: &Ask<'_>, now: Instant) -> InstanceId {
    let picked = balancer.pick(ask, now).unwrap();
    balancer.instance(picked.seat).unwrap().clone()
}

fn counts(balancer: &mut Balancer, picks: u64, now: Instant) -> BTreeMap<InstanceId, u64> {
    let mut counts = BTreeMap::new();
    for lot in 0..picks {
        let key = lot.to_be_bytes();
        let ask = Ask { lot, key: Some(&key), ..Ask::default() };
        *counts.entry(pick(balancer, &ask, now)).or_insert(0) += 1;
    }
    counts
}

#[test]
fn equal_members_get_equal_shares() {
    let now = Instant::now();
    for strategy in strategies() {
        let mut balancer = of(strategy.clone(), 10, now);
        let counts = counts(&mut balancer, 100_000, now);
        assert!(
            counts.len() == 10 && counts.values().all(|count| (9_500..10_500).contains(count)),
            "{strategy:?} gave {counts:?}"
        );
    }
}

#[test]
fn round_robin_goes_around_and_each_worker_begins_elsewhere() {
    let now = Instant::now();
    let mut around = of(Balance::RoundRobin, 3, now);
    let order: Vec<InstanceId> = (0..6).map(|_| pick(&mut around, &Ask::default(), now)).collect();
    assert_eq!(order[..3], order[3..]);
    let first = |seed| {
        let mut balancer = Balancer::new(3, seed);
        let members = [(1, 1, true), (2, 1, true), (3, 1, true)];
        update(&mut balancer, &policy(Balance::RoundRobin), &[], &members, now);
        pick(&mut balancer, &Ask::default(), now)
    };
    assert!(first(0) != first(1) && first(1) != first(2));
}

#[test]
fn least_requests_finds_the_idle_one() {
    let now = Instant::now();
    let mut balancer = of(Balance::LeastRequests, 5, now);
    for number in [0, 1, 2, 4] {
        let seat = balancer.seat_of(&id(number)).unwrap();
        balancer.begin(seat);
    }
    for lot in 0..100 {
        assert_eq!(pick(&mut balancer, &Ask { lot, ..Ask::default() }, now), id(3));
    }
}

#[test]
fn a_slow_member_gets_little_and_is_tried_again_when_it_is_forgotten() {
    let now = Instant::now();
    let mut balancer = of(Balance::PeakEwma, 2, now);
    let (slow, quick) = (balancer.seat_of(&id(0)).unwrap(), balancer.seat_of(&id(1)).unwrap());
    balancer.observe(slow, 200 * MS, Class::Fine, now);
    balancer.observe(quick, MS, Class::Fine, now);
    assert_eq!(counts(&mut balancer, 1_000, now).get(&id(0)), None);
    (0..250).for_each(|_| balancer.begin(quick));
    assert_eq!(
        counts(&mut balancer, 1_000, now).get(&id(1)),
        None,
        "as soon as the quick one has too much to do"
    );
    for _ in 0..250 {
        balancer.end(quick);
    }
    let later = now + Duration::from_secs(120);
    balancer.observe(quick, MS, Class::Fine, later);
    assert!(counts(&mut balancer, 1_000, later)[&id(0)] > 900);
}

#[test]
fn a_member_that_fails_quickly_does_not_attract_requests() {
    let now = Instant::now();
    let mut balancer = of(Balance::PeakEwma, 2, now);
    let mut to_failing = 0;
    for lot in 0..10_000u64 {
        let at = now + lot as u32 * MS;
        let seat = balancer.pick(&Ask { lot, ..Ask::default() }, at).unwrap().seat;
        balancer.begin(seat);
        let fails = balancer.instance(seat) == Some(&id(0));
        to_failing += u32::from(fails);
        let (latency, class) = if fails { (MS / 10, Class::Technical) } else { (MS * 2, Class::Fine) };
        balancer.observe(seat, latency, class, at);
        balancer.end(seat);
    }
    assert!((1..200).contains(&to_failing), "{to_failing} of 10000");
}

#[test]
fn a_member_that_refuses_politely_is_not_shunned() {
    let now = Instant::now();
    let mut balancer = of(Balance::PeakEwma, 2, now);
    for number in [0, 1] {
        let seat = balancer.seat_of(&id(number)).unwrap();
        balancer.observe(seat, MS, if number == 0 { Class::Business } else { Class::Fine }, now);
    }
    assert!((4_000..6_000).contains(&counts(&mut balancer, 10_000, now)[&id(0)]));
}

#[test]
fn a_cold_member_among_warm_ones_is_not_flooded() {
    let now = Instant::now();
    let mut balancer = of(Balance::PeakEwma, 4, now);
    for number in 0..4 {
        let seat = balancer.seat_of(&id(number)).unwrap();
        balancer.observe(seat, 20 * MS, Class::Fine, now);
    }
    let five: Vec<(u64, u32, bool)> = (0..5).map(|number| (number, 1, true)).collect();
    update(&mut balancer, &policy(Balance::PeakEwma), &[], &five, now);
    let cold = counts(&mut balancer, 10_000, now)[&id(4)];
    assert!((1_700..2_300).contains(&cold), "{cold} of 10000, a fifth would be 2000");
}

fn hashed() -> Balance {
    Balance::Hash(HashKey::Header("x-user".to_string()))
}

#[test]
fn without_a_key_chance_decides() {
    let now = Instant::now();
    let mut balancer = of(hashed(), 3, now);
    let mut met = std::collections::BTreeSet::new();
    for lot in 0..100 {
        met.insert(pick(&mut balancer, &Ask { lot, ..Ask::default() }, now));
    }
    assert_eq!(met.len(), 3);
}

#[test]
fn a_key_stays_with_its_version_too() {
    let now = Instant::now();
    let mut balancer = Balancer::new(1, 0);
    let members: Vec<(u64, u32, bool)> = (0..6).map(|number| (number, 1 + number as u32 % 2, true)).collect();
    update(&mut balancer, &policy(hashed()), &[(1, 7_000), (2, 3_000)], &members, now);
    let mut to_second = 0;
    for key in 0u64..10_000 {
        let bytes = key.to_be_bytes();
        let ask = |lot| Ask { lot, key: Some(&bytes), ..Ask::default() };
        let one = pick(&mut balancer, &ask(1), now);
        assert_eq!(one, pick(&mut balancer, &ask(2), now));
        to_second += u32::from([1, 3, 5].iter().any(|number| id(*number) == one));
    }
    assert!((2_800..3_200).contains(&to_second), "{to_second} of 10000");
}

proptest! {
    #[test]
    fn when_one_of_n_goes_only_its_keys_move(
        count in 2u64..40,
        gone in any::<prop::sample::Index>(),
        keys in prop::collection::vec(any::<[u8; 6]>(), 1..200),
        lots in any::<u64>(),
    ) {
        let now = Instant::now();
        let gone = gone.index(count as usize) as u64;
        let mut balancer = of(hashed(), count, now);
        let of_key = |balancer: &mut Balancer, key: &[u8]| {
            pick(balancer, &Ask { lot: lots, key: Some(key), ..Ask::default() }, now)
        };
        let before: Vec<InstanceId> = keys.iter().map(|key| of_key(&mut balancer, key)).collect();
        let rest: Vec<(u64, u32, bool)> =
            (0..count).filter(|number| *number != gone).map(|number| (number, 1, true)).collect();
        update(&mut balancer, &policy(hashed()), &[], &rest, now);
        for (key, before) in keys.iter().zip(&before) {
            let after = of_key(&mut balancer, key);
            prop_assert!(after == *before || *before == id(gone), "a key moved that had nothing to do with it");
            prop_assert!(after != id(gone));
        }
    }
}
