//! What is sent again: the table row by row, pauses, waits, deadlines.

use std::time::Duration;

use adsum_balance::{Class, ConnectFailure, Event, Next, NoPick, NotSent, Scene, Try};
use adsum_forward::GatewayError;
use adsum_model::Policy;
use http::StatusCode;

mod course;
mod reading;
mod table;

use course::{Course, check, generous};
use table::{Then, answered, asks, table};

const MS: Duration = Duration::from_millis(1);

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
    assert!(course.exchange.wants_fresh(), "what the retry asked for holds after the wait too");
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

#[test]
fn the_time_for_an_answer_begins_when_the_body_has_come() {
    let policy = Policy { try_timeout: 200 * MS, timeout: 500 * MS, ..generous() };
    let mut course = Course::new("POST", false, false, &policy, &[]);
    course.exchange.body_begins();
    let limits = course.exchange.begin_try(course.seat, course.now);
    assert_eq!((limits.connect_by, limits.answer_by), (Some(course.now + policy.connect_timeout), None));
    course.now += 3000 * MS;
    assert_eq!(course.exchange.answer_by(course.now), Some(course.now + 200 * MS));
    course.exchange.body_ended(course.now);
    assert_eq!(course.exchange.deadline().map(|deadline| deadline.at), Some(course.now + 500 * MS));
    course.now += 200 * MS;
    assert_eq!(course.after(Event::TryTimedOut), Next::Refuse(GatewayError::UpstreamTimeout));
    assert!(!course.exchange.is_out_of_callers_time(course.now));
}

#[test]
fn the_callers_own_deadline_does_not_wait_for_its_body() {
    let policy = Policy { timeout: 500 * MS, ..generous() };
    let mut course = Course::new("POST", false, false, &policy, &[("x-request-deadline", "1000300")]);
    let deadline = course.now + 300 * MS;
    course.exchange.body_begins();
    let limits = course.exchange.begin_try(course.seat, course.now);
    assert_eq!((limits.connect_by, limits.answer_by), (Some(deadline), Some(deadline)));
    course.now = deadline;
    assert_eq!(course.exchange.answer_by(course.now), Some(deadline));
    assert!(course.exchange.is_out_of_callers_time(course.now));
    assert_eq!(course.after(Event::TryTimedOut), Next::Refuse(GatewayError::Deadline));
}
