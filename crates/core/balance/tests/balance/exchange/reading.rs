//! Whole requests against a second reading of the table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_balance::{Next, Scene};
use adsum_model::Policy;
use proptest::prelude::*;

use super::course::{Course, check};
use super::table::{Kind, Row, Then, asks, table};

const MS: Duration = Duration::from_millis(1);

/// A second reading of the table, for whole requests: how many tries there were, who paid, how late it is.
struct Reading {
    kind: Kind,
    marked: bool,
    retries: u32,
    floor: u32,
    spent: bool,
    tries: u32,
    reconnected: bool,
    /// Retries paid for, by second.
    paid: BTreeMap<u64, u32>,
    deadline: Option<Instant>,
    start: Instant,
}

impl Reading {
    /// What must happen, and for a retry between which bounds its pause lies; two possibilities when it depends on
    /// the length of that pause whether there is time.
    fn expect(&mut self, row: &Row, others: bool, now: Instant) -> Expectation {
        let then = row.of(self.kind);
        let fits = |pause: Duration| self.deadline.is_none_or(|deadline| now + pause + MS <= deadline);
        let whole = (25 * MS * 2u32.pow(self.tries - 1)).min(250 * MS);
        let (least, most) = match then {
            Then::Again if others => (Duration::ZERO, Duration::ZERO),
            Then::Reconnect if !self.reconnected => {
                let again = !self.spent && fits(Duration::ZERO);
                return if again { Expectation::Reconnect } else { Expectation::Last };
            }
            Then::Reconnect if others => (Duration::ZERO, Duration::ZERO),
            Then::Again | Then::AgainPaid | Then::Reconnect => (whole / 2, whole),
            Then::Forward | Then::Refuse(_) | Then::Gone => return Expectation::Last,
        };
        let paid = *self.paid.entry((now - self.start).as_secs()).or_default();
        let may = !self.marked && !self.spent && self.tries <= self.retries;
        let pays = then != Then::AgainPaid || paid < self.floor;
        match (may && pays && fits(least), fits(most)) {
            (true, true) => Expectation::Again(least, most),
            (true, false) => Expectation::Either(least, most),
            (false, _) => Expectation::Last,
        }
    }

    fn sent_again(&mut self, row: &Row, now: Instant) {
        self.reconnected = true;
        if row.of(self.kind) == Then::AgainPaid {
            *self.paid.entry((now - self.start).as_secs()).or_default() += 1;
        }
    }
}

#[derive(Debug)]
enum Expectation {
    Again(Duration, Duration),
    Either(Duration, Duration),
    Reconnect,
    Last,
}

/// One thing that happens to a request: after how long, which row, whether other members are left, whether the body is
/// gone by then.
type Happening = (u64, prop::sample::Index, bool, bool, u64);

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn for_every_course_of_a_request_the_decisions_are_those_of_the_table(
        ask in prop::sample::select(asks()),
        marked in prop::bool::weighted(0.1),
        retries in 0u32..5,
        floor in 0u32..4,
        timeout in prop_oneof![Just(0u64), 1u64..2_000],
        happenings in prop::collection::vec(
            (0u64..400, any::<prop::sample::Index>(), any::<bool>(), prop::bool::weighted(0.1), any::<u64>()),
            1..8,
        ),
    ) {
        let (method, key, idempotency, kind) = ask;
        let policy = Policy {
            idempotency,
            retries,
            retry_budget: 0,
            retry_floor: floor,
            timeout: timeout as u32 * MS,
            try_timeout: Duration::from_secs(1),
            ..Policy::default()
        };
        let mut course = Course::new(method, key, marked, &policy, &[]);
        let deadline = (timeout > 0).then(|| course.now + policy.timeout);
        let mut reading = Reading {
            kind, marked, retries, floor, deadline,
            spent: false, tries: 0, reconnected: false, paid: BTreeMap::new(), start: course.now,
        };
        run(&mut course, &mut reading, &happenings)?;
    }
}

fn run(course: &mut Course, reading: &mut Reading, happenings: &[Happening]) -> Result<(), TestCaseError> {
    let table = table();
    for (wait, which, others, spent, lot) in happenings {
        let row = which.get(&table);
        course.begin();
        reading.tries += 1;
        course.now += *wait as u32 * MS;
        if *spent {
            course.exchange.body_spent();
            reading.spent = true;
        }
        let expect = reading.expect(row, *others, course.now);
        let scene = Scene { now: course.now, lot: *lot, others: *others };
        let next = course.exchange.after(row.event, &scene, &mut course.budget);
        let what = format!("{} in try {}: {next:?}, expected {expect:?}", row.name, reading.tries);
        match (next, expect) {
            (Next::Try(again), Expectation::Again(least, most) | Expectation::Either(least, most)) => {
                prop_assert!(again.fresh && least <= again.pause && again.pause <= most, "{}", what);
                prop_assert!(
                    reading.deadline.is_none_or(|at| course.now + again.pause + MS <= at),
                    "{}",
                    what
                );
                reading.sent_again(row, course.now);
                course.now += again.pause;
            }
            (Next::Try(again), Expectation::Reconnect) => {
                prop_assert!(again.pause.is_zero() && again.fresh, "{}", what);
                reading.tries -= 1;
                reading.reconnected = true;
            }
            (next, Expectation::Last | Expectation::Either(..)) => {
                prop_assert!(!matches!(next, Next::Try(_) | Next::Hold { .. }), "{}", what);
                check(next, row.at_last, &what);
                break;
            }
            (_, Expectation::Again(..) | Expectation::Reconnect) => prop_assert!(false, "{}", what),
        }
        prop_assert_eq!(course.exchange.tries(), reading.tries);
    }
    Ok(())
}
