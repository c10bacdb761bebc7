//! What is sent again: the table, row by row, and whole requests against a second reading of the table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_balance::{
    Balancer, Budget, Candidate, Class, ConnectFailure, Event, Exchange, Moment, Next, NoPick, NotSent,
    Scene, Seat, Sent, Try,
};
use adsum_forward::GatewayError;
use adsum_model::{Idempotency, InstanceId, Policy};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// What becomes of a request after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// At no cost.
    Again,
    /// On the budget.
    AgainPaid,
    /// Over a fresh connection, without counting as a try.
    Reconnect,
    Forward,
    Refuse(GatewayError),
    Gone,
}

/// One row: what each kind of request does, as long as it may be sent again at all, and what it does when it may not.
struct Row {
    name: &'static str,
    event: Event,
    idempotent: Then,
    keyed: Then,
    other: Then,
    at_last: Then,
}

const fn answered(status: StatusCode) -> Event {
    Event::Answered { status, class: Class::Technical, retry_after: None }
}

const CLOSED: Then = Then::Refuse(GatewayError::UpstreamClosed);
const NO_CONNECTION: Then = Then::Refuse(GatewayError::ConnectFailed);
const LATE: Then = Then::Refuse(GatewayError::UpstreamTimeout);
const INVALID: Then = Then::Refuse(GatewayError::UpstreamInvalid);

fn row(name: &'static str, event: Event, then: [Then; 4]) -> Row {
    let [idempotent, keyed, other, at_last] = then;
    Row { name, event, idempotent, keyed, other, at_last }
}

/// Columns: idempotent method; `Idempotency-Key` that the policy trusts; any other; any of them when it may not be.
fn table() -> Vec<Row> {
    use Then::{Again, AgainPaid, Forward, Gone, Reconnect};
    let business = Event::Answered {
        status: StatusCode::SERVICE_UNAVAILABLE,
        class: Class::Business,
        retry_after: None,
    };
    vec![
        row(
            "connection refused",
            Event::ConnectFailed(ConnectFailure::Refused),
            [Again, Again, Again, NO_CONNECTION],
        ),
        row(
            "no connection in time",
            Event::ConnectFailed(ConnectFailure::TimedOut),
            [Again, Again, Again, NO_CONNECTION],
        ),
        row("TLS failed", Event::ConnectFailed(ConnectFailure::Tls), [Again, Again, Again, NO_CONNECTION]),
        row("HTTP/2 REFUSED_STREAM", Event::NotSent(NotSent::RefusedStream), [Again, Again, Again, CLOSED]),
        row("stream above the GOAWAY id", Event::NotSent(NotSent::GoneAway), [Again, Again, Again, CLOSED]),
        row(
            "reused connection found closed, no byte written",
            Event::NotSent(NotSent::Closed),
            [Reconnect, Reconnect, Reconnect, CLOSED],
        ),
        row(
            "reused connection lost, no byte accepted",
            Event::Lost { sent: Sent::Nothing, reused: true },
            [Reconnect, Reconnect, Reconnect, CLOSED],
        ),
        row(
            "fresh connection lost, no byte accepted",
            Event::Lost { sent: Sent::Nothing, reused: false },
            [Again, Again, Again, CLOSED],
        ),
        row(
            "request sent on a reused connection, closed, no byte of an answer",
            Event::Lost { sent: Sent::Something, reused: true },
            [AgainPaid, AgainPaid, CLOSED, CLOSED],
        ),
        row(
            "request sent on a fresh connection, closed, no byte of an answer",
            Event::Lost { sent: Sent::Something, reused: false },
            [AgainPaid, AgainPaid, CLOSED, CLOSED],
        ),
        row("no answer within the time of a try", Event::TryTimedOut, [AgainPaid, AgainPaid, LATE, LATE]),
        row(
            "502 of the instance",
            answered(StatusCode::BAD_GATEWAY),
            [AgainPaid, AgainPaid, Forward, Forward],
        ),
        row(
            "503 of the instance",
            answered(StatusCode::SERVICE_UNAVAILABLE),
            [AgainPaid, AgainPaid, Forward, Forward],
        ),
        row(
            "504 of the instance",
            answered(StatusCode::GATEWAY_TIMEOUT),
            [AgainPaid, AgainPaid, Forward, Forward],
        ),
        row("503 that the service calls business", business, [Forward, Forward, Forward, Forward]),
        row(
            "500 of the instance",
            answered(StatusCode::INTERNAL_SERVER_ERROR),
            [Forward, Forward, Forward, Forward],
        ),
        row(
            "501 of the instance",
            answered(StatusCode::NOT_IMPLEMENTED),
            [Forward, Forward, Forward, Forward],
        ),
        row(
            "505 of the instance",
            answered(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
            [Forward, Forward, Forward, Forward],
        ),
        row(
            "408 of the instance",
            answered(StatusCode::REQUEST_TIMEOUT),
            [Forward, Forward, Forward, Forward],
        ),
        row("425 of the instance", answered(StatusCode::TOO_EARLY), [Forward, Forward, Forward, Forward]),
        row(
            "429 of the instance",
            answered(StatusCode::TOO_MANY_REQUESTS),
            [Forward, Forward, Forward, Forward],
        ),
        row("404 of the instance", answered(StatusCode::NOT_FOUND), [Forward, Forward, Forward, Forward]),
        row("302 of the instance", answered(StatusCode::FOUND), [Forward, Forward, Forward, Forward]),
        row("200 of the instance", answered(StatusCode::OK), [Forward, Forward, Forward, Forward]),
        row("what came is no HTTP", Event::Invalid, [INVALID, INVALID, INVALID, INVALID]),
        row("the caller has gone", Event::CallerGone, [Gone, Gone, Gone, Gone]),
    ]
}

impl Row {
    fn of(&self, kind: Kind) -> Then {
        match kind {
            Kind::Idempotent => self.idempotent,
            Kind::Keyed => self.keyed,
            Kind::Other => self.other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Idempotent,
    Keyed,
    Other,
}

/// Every method, with and without a key, under a policy that trusts keys and one that does not.
fn asks() -> Vec<(&'static str, bool, Idempotency, Kind)> {
    let methods = [
        ("GET", Kind::Idempotent),
        ("HEAD", Kind::Idempotent),
        ("OPTIONS", Kind::Idempotent),
        ("TRACE", Kind::Idempotent),
        ("PUT", Kind::Idempotent),
        ("DELETE", Kind::Idempotent),
        ("POST", Kind::Other),
        ("PATCH", Kind::Other),
        ("CONNECT", Kind::Other),
        ("PURGE", Kind::Other),
        ("get", Kind::Other),
    ];
    let mut asks = Vec::new();
    for (method, kind) in methods {
        for (key, idempotency) in [
            (false, Idempotency::Off),
            (true, Idempotency::Off),
            (false, Idempotency::Backend),
            (true, Idempotency::Backend),
        ] {
            let trusted = key && idempotency == Idempotency::Backend && kind == Kind::Other;
            asks.push((method, key, idempotency, if trusted { Kind::Keyed } else { kind }));
        }
    }
    asks
}

/// A request under way, with all that a test wants to vary.
struct Course {
    exchange: Exchange,
    budget: Budget,
    now: Instant,
    seat: Seat,
}

impl Course {
    fn new(
        method: &str,
        key: bool,
        marked: bool,
        policy: &Policy,
        headers: &[(&'static str, &str)],
    ) -> Course {
        let now = Instant::now();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        if key {
            map.insert(HeaderName::from_static("idempotency-key"), HeaderValue::from_static("\"a\""));
        }
        if marked {
            map.insert(HeaderName::from_static("x-attempts"), HeaderValue::from_static("2"));
        }
        let mut budget = Budget::new(policy, 1, now);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let moment = Moment { now, wall: 1_000_000 };
        let exchange = Exchange::new(&method, &map, policy, &mut budget, moment);
        Course { exchange, budget, now, seat: seat() }
    }

    fn after(&mut self, event: Event) -> Next {
        self.after_with(event, true)
    }

    fn after_with(&mut self, event: Event, others: bool) -> Next {
        let scene = Scene { now: self.now, lot: 11, others };
        self.exchange.after(event, &scene, &mut self.budget)
    }

    fn begin(&mut self) {
        self.exchange.begin_try(self.seat, self.now);
    }
}

fn seat() -> Seat {
    let id = InstanceId::from_seed(1);
    let mut balancer = Balancer::new(1, 0);
    let candidate = Candidate { instance: &id, version: 1, routable: true };
    balancer.update(&Policy::default(), &BTreeMap::new(), [candidate], Instant::now());
    balancer.seat_of(&id).unwrap()
}

fn generous() -> Policy {
    Policy { retry_floor: 1_000, try_timeout: Duration::from_secs(1), retries: 2, ..Policy::default() }
}

#[track_caller]
fn check(next: Next, then: Then, what: &str) {
    match (next, then) {
        (Next::Try(Try { fresh: true, .. }), Then::Again | Then::AgainPaid | Then::Reconnect) => {}
        (Next::Forward, Then::Forward) | (Next::Abandon, Then::Gone) => {}
        (Next::Refuse(error), Then::Refuse(expect)) if error == expect => {}
        (next, then) => panic!("{what}: {next:?} instead of {then:?}"),
    }
}

#[test]
fn each_row_of_the_table_holds_for_each_method() {
    for row in table() {
        for (method, key, idempotency, kind) in asks() {
            let policy = Policy { idempotency, ..generous() };
            let mut course = Course::new(method, key, false, &policy, &[]);
            course.begin();
            check(course.after(row.event), row.of(kind), &format!("{} for {method}, key {key}", row.name));
        }
    }
}

#[test]
fn no_row_sends_again_what_may_not_be_sent_again() {
    for row in table() {
        for (method, key, idempotency, kind) in asks() {
            let what = |why| format!("{} for {method}: {why}", row.name);
            let policy = Policy { idempotency, ..generous() };
            let then = row.of(kind);
            // A connection that was no try is replaced even then.
            let at_last = if then == Then::Reconnect { then } else { row.at_last };

            let mut spent = Course::new(method, key, false, &policy, &[]);
            spent.begin();
            spent.exchange.body_spent();
            check(spent.after(row.event), row.at_last, &what("the body is gone"));

            let mut marked = Course::new(method, key, true, &policy, &[]);
            marked.begin();
            check(marked.after(row.event), at_last, &what("a retry already"));

            let mut off = Course::new(method, key, false, &Policy { retries: 0, ..policy.clone() }, &[]);
            off.begin();
            check(off.after(row.event), at_last, &what("retries are off"));

            let mut poor = Course::new(
                method,
                key,
                false,
                &Policy { retry_budget: 0, retry_floor: 0, ..policy.clone() },
                &[],
            );
            poor.begin();
            let unpaid = if then == Then::AgainPaid { row.at_last } else { then };
            check(poor.after(row.event), unpaid, &what("the budget is empty"));

            let mut late = Course::new(method, key, false, &policy, &[]);
            late.begin();
            late.now += policy.timeout;
            check(late.after(row.event), row.at_last, &what("the deadline has passed"));
        }
    }
}

#[test]
fn after_the_end_nothing_comes_any_more() {
    for end in [answered(StatusCode::OK), Event::Invalid, Event::CallerGone] {
        for row in table() {
            let mut course = Course::new("GET", false, false, &generous(), &[]);
            course.begin();
            course.after(end);
            assert_eq!(course.after(row.event), Next::Abandon, "{} after {end:?}", row.name);
        }
    }
}

#[test]
fn a_closed_connection_is_replaced_once_without_counting() {
    let policy = Policy { retries: 1, ..generous() };
    let mut course = Course::new("POST", false, false, &policy, &[]);
    course.begin();
    let closed = Event::NotSent(NotSent::Closed);
    assert_eq!(course.after(closed), Next::Try(Try { pause: Duration::ZERO, fresh: true }));
    assert_eq!(
        (course.exchange.tries(), course.exchange.tried().len()),
        (0, 0),
        "the instance is not to blame"
    );
    course.begin();
    assert!(matches!(course.after(closed), Next::Try(_)), "the second time it is a retry");
    assert_eq!((course.exchange.tries(), course.exchange.tried().len()), (1, 1));
    course.begin();
    assert_eq!(course.after(closed), Next::Refuse(GatewayError::UpstreamClosed));
}

#[test]
fn what_was_not_sent_goes_to_another_member_at_once_and_to_the_same_after_a_pause() {
    let event = Event::ConnectFailed(ConnectFailure::Refused);
    for (others, range) in [(true, 0..=0), (false, 12..=25)] {
        let mut course = Course::new("POST", false, false, &generous(), &[]);
        course.begin();
        let Next::Try(again) = course.after_with(event, others) else { panic!("not sent again") };
        assert!(range.contains(&again.pause.as_millis()), "{again:?}");
    }
}

#[test]
fn pauses_double_with_each_try_up_to_their_cap_and_are_never_equal_for_all() {
    let policy = Policy { retries: 7, ..generous() };
    let pauses = |lot| {
        let mut course = Course::new("GET", false, false, &policy, &[]);
        let mut pauses = Vec::new();
        course.begin();
        while let Next::Try(again) = course.exchange.after(
            answered(StatusCode::SERVICE_UNAVAILABLE),
            &Scene { now: course.now, lot, others: true },
            &mut course.budget,
        ) {
            pauses.push(again.pause);
            course.begin();
        }
        pauses
    };
    for lot in 0..100 {
        for (pause, whole) in pauses(lot).iter().zip([25, 50, 100, 200, 250, 250, 250]) {
            assert!(*pause >= whole * MS / 2 && *pause <= whole * MS, "{pause:?} of {whole} ms");
        }
    }
    assert_ne!(pauses(1), pauses(2));
    assert_eq!(pauses(1).len(), 7);
}

#[test]
fn retry_after_is_waited_for_when_there_is_time_and_else_the_answer_is_forwarded() {
    let policy = Policy { timeout: Duration::from_secs(5), hold: Duration::from_secs(3), ..generous() };
    let after = |seconds| {
        let mut course = Course::new("GET", false, false, &policy, &[]);
        course.begin();
        course.after(Event::Answered {
            status: StatusCode::SERVICE_UNAVAILABLE,
            class: Class::Technical,
            retry_after: Some(Duration::from_secs(seconds)),
        })
    };
    assert!(matches!(after(0), Next::Try(Try { pause, .. }) if pause > Duration::ZERO));
    assert!(matches!(after(2), Next::Try(Try { pause, .. }) if pause == Duration::from_secs(2)));
    assert_eq!(after(4), Next::Forward, "longer than a request is held");
    assert_eq!(after(6), Next::Forward, "longer than the rest");
}

#[test]
fn a_request_that_nobody_takes_is_held_only_when_that_can_change() {
    let nobody = |replacing| Event::NoPick { reason: NoPick::Nobody, replacing };
    let full = Event::NoPick { reason: NoPick::Full, replacing: false };
    let first = |policy: &Policy, event| Course::new("POST", false, false, policy, &[]).after(event);
    assert_eq!(first(&generous(), nobody(false)), Next::Refuse(GatewayError::NoInstance));
    assert!(matches!(first(&generous(), nobody(true)), Next::Hold { .. }));
    assert!(matches!(first(&generous(), full), Next::Hold { .. }));
    let off = Policy { hold: Duration::ZERO, ..generous() };
    assert_eq!(first(&off, nobody(true)), Next::Refuse(GatewayError::NoInstance));
    assert_eq!(first(&off, full), Next::Refuse(GatewayError::PendingFull));
    assert_eq!(first(&generous(), Event::PendingFull), Next::Refuse(GatewayError::PendingFull));
    assert_eq!(first(&generous(), Event::HoldExpired), Next::Refuse(GatewayError::HoldExpired));
}

#[test]
fn all_waits_of_a_request_together_are_no_longer_than_its_hold() {
    let full = Event::NoPick { reason: NoPick::Full, replacing: false };
    let mut course = Course::new("GET", false, false, &generous(), &[]);
    let start = course.now;
    let Next::Hold { until } = course.after(full) else { panic!("not held") };
    assert_eq!(until, start + generous().hold);
    course.now += Duration::from_secs(4);
    course.begin();
    assert!(matches!(course.after(answered(StatusCode::BAD_GATEWAY)), Next::Try(_)));
    assert_eq!(course.after(full), Next::Hold { until });
    course.now = until;
    assert_eq!(course.after(full), Next::Refuse(GatewayError::HoldExpired));
}

#[test]
fn the_callers_deadline_ends_waits_tries_and_retries() {
    let policy = Policy { try_timeout: Duration::from_secs(1), ..generous() };
    let full = Event::NoPick { reason: NoPick::Full, replacing: false };
    let mut course = Course::new("GET", false, false, &policy, &[("x-request-deadline", "1000300")]);
    let deadline = course.now + 300 * MS;
    assert_eq!(course.after(full), Next::Hold { until: deadline });
    let limits = course.exchange.begin_try(course.seat, course.now);
    assert_eq!((limits.connect_by, limits.answer_by), (Some(deadline), Some(deadline)));
    course.now = deadline;
    assert_eq!(course.after(Event::TryTimedOut), Next::Refuse(GatewayError::Deadline));
    let mut over = Course::new("GET", false, false, &policy, &[("grpc-timeout", "0m")]);
    assert_eq!(over.exchange.first(over.now), Next::Refuse(GatewayError::Deadline));
    let mut waited = Course::new("GET", false, false, &policy, &[("grpc-timeout", "20m")]);
    waited.now += 20 * MS;
    assert_eq!(waited.after(Event::HoldExpired), Next::Refuse(GatewayError::Deadline));
}

#[test]
fn the_policys_times_are_those_of_a_try() {
    let policy = Policy { timeout: Duration::ZERO, try_timeout: Duration::ZERO, ..Policy::default() };
    let mut course = Course::new("GET", false, false, &policy, &[]);
    let limits = course.exchange.begin_try(course.seat, course.now);
    assert_eq!((limits.connect_by, limits.answer_by), (Some(course.now + policy.connect_timeout), None));
    let mut course = Course::new("GET", false, false, &generous(), &[]);
    let limits = course.exchange.begin_try(course.seat, course.now);
    assert_eq!(limits.answer_by, Some(course.now + Duration::from_secs(1)));
    assert_eq!(limits.connect_by, limits.answer_by, "no connection is waited for longer than its try");
}

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
