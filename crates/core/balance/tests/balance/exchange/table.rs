//! What is sent again, written out: a row per situation, a column per kind of request.

use adsum_balance::{Class, ConnectFailure, Event, NotSent, Sent};
use adsum_forward::GatewayError;
use adsum_model::Idempotency;
use http::StatusCode;

/// What becomes of a request after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
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
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) event: Event,
    pub(super) idempotent: Then,
    pub(super) keyed: Then,
    pub(super) other: Then,
    pub(super) at_last: Then,
}

pub(super) const fn answered(status: StatusCode) -> Event {
    Event::Answered { status, class: Class::Technical, retry_after: None }
}

pub(super) const CLOSED: Then = Then::Refuse(GatewayError::UpstreamClosed);
pub(super) const NO_CONNECTION: Then = Then::Refuse(GatewayError::ConnectFailed);
pub(super) const LATE: Then = Then::Refuse(GatewayError::UpstreamTimeout);
pub(super) const INVALID: Then = Then::Refuse(GatewayError::UpstreamInvalid);

pub(super) fn row(name: &'static str, event: Event, then: [Then; 4]) -> Row {
    let [idempotent, keyed, other, at_last] = then;
    Row { name, event, idempotent, keyed, other, at_last }
}

/// Columns: idempotent method; `Idempotency-Key` that the policy trusts; any other; any of them when it may not be.
pub(super) fn table() -> Vec<Row> {
    [unsent(), unanswered(), answers()].into_iter().flatten().collect()
}

/// No instance has seen anything of the request.
fn unsent() -> Vec<Row> {
    use Then::{Again, Reconnect};
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
    ]
}

/// An instance may have processed it.
fn unanswered() -> Vec<Row> {
    use Then::{AgainPaid, Gone};
    vec![
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
        row("what came is no HTTP", Event::Invalid, [INVALID, INVALID, INVALID, INVALID]),
        row("the caller has gone", Event::CallerGone, [Gone, Gone, Gone, Gone]),
    ]
}

/// An instance has answered.
fn answers() -> Vec<Row> {
    use Then::{AgainPaid, Forward};
    let business = Event::Answered {
        status: StatusCode::SERVICE_UNAVAILABLE,
        class: Class::Business,
        retry_after: None,
    };
    vec![
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
    ]
}

impl Row {
    pub(super) fn of(&self, kind: Kind) -> Then {
        match kind {
            Kind::Idempotent => self.idempotent,
            Kind::Keyed => self.keyed,
            Kind::Other => self.other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Idempotent,
    Keyed,
    Other,
}

/// Every method, with and without a key, under a policy that trusts keys and one that does not.
pub(super) fn asks() -> Vec<(&'static str, bool, Idempotency, Kind)> {
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
