//! Nobody passes before all who live have let go.

use std::time::{Duration, Instant};

use adsum_model::{InstanceId, Revision};
use adsum_routing::{
    Barrier, Face, InFlight, LEASE, LOOK, MemberId, Question, REMEMBERED, STANDSTILL, Verdict,
};

use crate::kit::name;

mod model;

const SECOND: Duration = Duration::from_secs(1);

fn gateway(worker: u32) -> MemberId {
    MemberId { node: name("one"), face: Face::Gateway, worker }
}

fn dns() -> MemberId {
    MemberId { node: name("two"), face: Face::Dns, worker: 0 }
}

fn in_flight(requests: u64, upgrades: u64) -> [(InstanceId, InFlight); 1] {
    [(InstanceId::from_seed(1), InFlight { requests, upgrades })]
}

/// About instance 1, draining since revision 1042, for 30 seconds.
fn question(start: Instant) -> Question {
    Question { instance: InstanceId::from_seed(1), revision: Revision(1042), deadline: start + 30 * SECOND }
}

#[track_caller]
fn check(barrier: &Barrier, start: Instant, now: Instant, expect: &[&str]) {
    let told: Vec<String> = match barrier.verdict(&question(start), now) {
        Verdict::Passed => Vec::new(),
        Verdict::Waiting(holdups) => holdups.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(told, expect);
}

#[test]
fn all_members_are_waited_for_and_people_are_told_why() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    barrier.join(dns(), start);
    barrier.report(&gateway(0), Revision(1041), [], start);
    barrier.report(&gateway(1), Revision(1042), in_flight(3, 1), start);
    barrier.report(&gateway(2), Revision(1043), in_flight(0, 0), start);
    check(
        &barrier,
        start,
        start,
        &[
            "gateway on node one (worker 0) has applied 1041 of 1042",
            "gateway on node one (worker 1) has 3 requests and 1 upgraded connection in flight",
            "dns on node two has applied 0 of 1042",
        ],
    );
    assert!(barrier.report(&gateway(0), Revision(1042), in_flight(1, 0), start));
    assert!(barrier.report(&gateway(1), Revision(1042), in_flight(0, 2), start));
    assert!(barrier.report(&dns(), Revision(1042), [], start));
    check(
        &barrier,
        start,
        start,
        &[
            "gateway on node one (worker 0) has 1 request in flight",
            "gateway on node one (worker 1) has 2 upgraded connections in flight",
        ],
    );
    barrier.report(&gateway(0), Revision(1042), [], start);
    barrier.leave(&gateway(1));
    check(&barrier, start, start, &[]);
}

#[test]
fn without_members_there_is_nothing_to_wait_for() {
    let start = Instant::now();
    check(&Barrier::default(), start, start, &[]);
    assert_eq!(Barrier::default().next_wakeup(start), None);
}

#[test]
fn a_member_that_says_nothing_more_blocks_for_one_lease() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    barrier.report(&gateway(0), Revision(1041), [], start);
    barrier.report(&gateway(1), Revision(1042), [], start + SECOND);
    let end = start + LEASE;
    assert_eq!(barrier.next_wakeup(start), Some(start + LOOK));
    assert_eq!(barrier.next_wakeup(end - LOOK / 2), Some(end));
    check(
        &barrier,
        start,
        end - Duration::from_nanos(1),
        &["gateway on node one (worker 0) has applied 1041 of 1042"],
    );
    check(&barrier, start, end, &[]);
    assert_eq!(barrier.next_wakeup(end), Some(end + LOOK), "of the other one");
    assert!(barrier.report(&gateway(0), Revision(1041), [], end), "it is back, and is waited for again");
    check(&barrier, start, end, &["gateway on node one (worker 0) has applied 1041 of 1042"]);
}

#[test]
fn nobody_loses_its_lease_while_the_observer_stands_still() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    barrier.awake(start);
    barrier.report(&gateway(0), Revision(1041), [], start);
    let behind = ["gateway on node one (worker 0) has applied 1041 of 1042"];
    let after = start + 60 * SECOND;
    assert!(barrier.awake(after), "a minute in which nobody looked");
    check(&barrier, start, after, &behind);
    // From then on its silence is its own.
    let mut now = after;
    while now + LOOK < after + LEASE {
        now += LOOK;
        assert!(!barrier.awake(now));
        check(&barrier, start, now, &behind);
    }
    now += LOOK;
    assert!(!barrier.awake(now) && LOOK < STANDSTILL);
    check(&barrier, start, now, &[]);
}

#[track_caller]
fn check_live(barrier: &Barrier, now: Instant, why: &str) {
    assert!(barrier.members(now).all(|member| member.live), "{why}");
}

#[test]
fn after_the_deadline_what_is_in_flight_blocks_no_longer_but_what_is_not_applied_does() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    let late = start + 30 * SECOND;
    barrier.report(&gateway(0), Revision(1042), in_flight(1, 1), late - SECOND);
    barrier.report(&gateway(1), Revision(1041), in_flight(1, 0), late - SECOND);
    check(&barrier, start, late, &["gateway on node one (worker 1) has applied 1041 of 1042"]);
    barrier.report(&gateway(1), Revision(1042), in_flight(1, 0), late);
    check(&barrier, start, late, &[]);
}

#[test]
fn a_report_that_was_overtaken_says_nothing_and_one_after_a_new_start_does() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    barrier.report(&gateway(0), Revision(1042), [], start);
    assert!(!barrier.report(&gateway(0), Revision(1041), in_flight(1, 0), start));
    check(&barrier, start, start, &[]);
    barrier.join(gateway(0), start);
    barrier.report(&gateway(0), Revision(1041), in_flight(1, 0), start);
    check(&barrier, start, start, &["gateway on node one (worker 0) has applied 1041 of 1042"]);
}

#[test]
fn a_report_says_whether_it_changed_anything() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    assert!(barrier.report(&gateway(0), Revision(7), [], start));
    assert!(!barrier.report(&gateway(0), Revision(7), in_flight(0, 0), start + SECOND));
    check_live(&barrier, start + SECOND / 2 + LEASE, "it renews the lease all the same");
    assert!(barrier.report(&gateway(0), Revision(7), in_flight(1, 0), start));
    assert!(barrier.report(&gateway(0), Revision(8), in_flight(1, 0), start));
}

#[test]
fn the_gone_are_shown_for_a_while_and_then_forgotten() {
    let start = Instant::now();
    let mut barrier = Barrier::default();
    barrier.report(&gateway(0), Revision(7), in_flight(2, 0), start);
    let gone = start + LEASE;
    let shown: Vec<_> =
        barrier.members(gone).map(|member| (member.applied, member.in_flight.len(), member.live)).collect();
    assert_eq!(shown, [(Revision(7), 1, false)]);
    barrier.join(gateway(1), gone + REMEMBERED);
    assert_eq!(barrier.members(gone + REMEMBERED).count(), 1);
}
