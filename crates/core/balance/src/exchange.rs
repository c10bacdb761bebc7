//! One request from its arrival to its end: after each thing that happens, what is done next.
//!
//! ```text
//! new -> first --> Try --pick--> begin_try --> event --> after --> Try ... | Forward | Refuse | Abandon
//!                   ^               |                      |
//!                   |               no pick: event         |
//!                   +--- placed <--- Hold <----------------+
//! ```
//!
//! What may be sent again, while nothing of an answer has been forwarded:
//!
//! | what happened | idempotent method, or `Idempotency-Key` where the policy trusts it | any other |
//! |---|---|---|
//! | not sent: no connection, refused stream, above GOAWAY's last stream, closed before a byte | yes | yes |
//! | sent, connection lost before an answer | yes, on the budget | no: 502 |
//! | sent, no answer within `try_timeout` | yes, on the budget | no: 504 |
//! | 502, 503, 504 of class technical | yes, on the budget | forwarded |
//! | any other answer | forwarded | forwarded |
//!
//! Never: past the deadline, beyond `retries`, when bytes of the body went out that are not kept, or when the request is
//! a retry of another gateway of ours already. A reused connection that turns out to be closed before a byte was
//! written to it was no try: the request goes over a fresh connection, without counting.

use std::time::{Duration, Instant};

use adsum_forward::{GatewayError, X_ATTEMPTS, seldom};
use adsum_model::{Idempotency, Policy};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::balancer::{NoPick, Seat};
use crate::deadline::Patience;
use crate::lot::Lots;
use crate::{Budget, Class, Deadline, Moment};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const PAUSE: Duration = Duration::from_millis(25);
/// Of `Retry-After`: an instance that asks for more is believed, and its answer forwarded.
const LONGEST_WISH: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// No try begins with less time than this: it could not finish.
const SHORTEST_TRY: Duration = Duration::from_millis(1);

/// What happened to the present try, or to the request before one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    ConnectFailed(ConnectFailure),
    /// The connection was there, and the instance certainly did not process the request.
    NotSent(NotSent),
    /// The connection ended or was reset, and no byte of an answer had come.
    Lost {
        sent: Sent,
        reused: bool,
    },
    /// No answer by [`TryLimits::answer_by`].
    TryTimedOut,
    /// What came is no HTTP.
    Invalid,
    /// The head of an answer is there, nothing of it has been forwarded.
    Answered {
        status: StatusCode,
        class: Class,
        retry_after: Option<Duration>,
    },
    CallerGone,
    /// The balancer had no instance; `replacing` as the pool says.
    NoPick {
        reason: NoPick,
        replacing: bool,
    },
    /// Too many wait already.
    PendingFull,
    /// Nobody became free by the moment of [`Next::Hold`].
    HoldExpired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    Refused,
    TimedOut,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// A connection that had been used before was closed before a byte of this request was written, or had arrived.
    Closed,
    /// HTTP/2 `REFUSED_STREAM`.
    RefusedStream,
    /// The stream is above the last one that GOAWAY names.
    GoneAway,
}

/// Whether a byte of the request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Nothing,
    Something,
}

/// What else matters for the decision.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub now: Instant,
    pub lot: u64,
    /// There is a routable member that this request has not tried: [`crate::Balancer::has_other`].
    pub others: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for `pause`, pick, begin.
    Try(Try),
    /// Wait in the queue of the service until this moment at most; [`Event::HoldExpired`] follows, or a pick.
    Hold {
        until: Instant,
    },
    /// The answer goes to the caller.
    Forward,
    Refuse(GatewayError),
    /// Let go: the caller gets nothing more. If an answer has begun, it is cut visibly.
    Abandon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    pub pause: Duration,
    /// Not over a connection that has been used before.
    pub fresh: bool,
}

/// How long one try may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryLimits {
    /// When the connection has to be made: [`ConnectFailure::TimedOut`].
    pub connect_by: Option<Instant>,
    /// When an answer has to have begun: [`Event::TryTimedOut`]. While the body is still coming, only what the caller
    /// itself has set; [`Exchange::answer_by`] says what follows.
    pub answer_by: Option<Instant>,
}

/// The state of one request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// An instance may get it twice.
    repeatable: bool,
    /// It is a retry already, of a gateway before us.
    marked: bool,
    patience: Patience,
    deadline: Option<Deadline>,
    retries: u32,
    connect_timeout: Duration,
    try_timeout: Duration,
    hold: Duration,
    held_until: Option<Instant>,
    /// Tries begun, without those that were none.
    tries: u32,
    tried: Vec<Seat>,
    current: Option<Seat>,
    fresh: bool,
    /// Bytes of the body went out that are not kept.
    spent: bool,
    /// The body is still coming.
    sending: bool,
    ended: bool,
}

impl Exchange {
    /// A request has come. The budget takes note of it.
    pub fn new(
        method: &Method,
        headers: &HeaderMap,
        policy: &Policy,
        budget: &mut Budget,
        moment: Moment,
    ) -> Exchange {
        budget.request(moment.now);
        let patience = Patience::new(policy.timeout, headers, moment);
        let keyed = policy.idempotency == Idempotency::Backend && headers.contains_key(&IDEMPOTENCY_KEY);
        Exchange {
            repeatable: is_idempotent(method) || keyed,
            marked: seldom(headers, &X_ATTEMPTS).is_some(),
            patience,
            deadline: patience.from(moment.now),
            retries: policy.retries,
            connect_timeout: policy.connect_timeout,
            try_timeout: policy.try_timeout,
            hold: policy.hold,
            held_until: None,
            tries: 0,
            tried: Vec::new(),
            current: None,
            fresh: false,
            spent: false,
            sending: false,
            ended: false,
        }
    }

    /// Its body is still coming: until [`Exchange::body_ended`], nobody but the caller itself can be out of patience, and
    /// whoever sends or takes the body is watched by its silence.
    pub fn body_begins(&mut self) {
        self.sending = true;
        self.deadline = self.patience.of_caller();
    }

    /// All of its body had come at `whole`: the time for an answer runs from then on.
    pub fn body_ended(&mut self, whole: Instant) {
        if std::mem::take(&mut self.sending) {
            self.deadline = self.patience.from(whole);
        }
    }

    /// When an answer has to have begun if the body, all of which had not come when the present try began, ends at
    /// `whole`.
    pub fn answer_by(&self, whole: Instant) -> Option<Instant> {
        let deadline = self.patience.from(whole).map(|deadline| deadline.at);
        earlier(after(self.try_timeout, whole), deadline)
    }

    /// What to do at the beginning.
    pub fn first(&mut self, now: Instant) -> Next {
        if self.has_time_after(Duration::ZERO, now) {
            Next::Try(Try { pause: Duration::ZERO, fresh: false })
        } else {
            self.refuse(GatewayError::Deadline)
        }
    }

    /// A member has been picked, and the request goes to it now.
    pub fn begin_try(&mut self, seat: Seat, now: Instant) -> TryLimits {
        self.tries += 1;
        self.current = Some(seat);
        let deadline = self.deadline.map(|deadline| deadline.at);
        let patience = if self.sending { None } else { after(self.try_timeout, now) };
        let answer_by = earlier(patience, deadline);
        TryLimits { connect_by: earlier(after(self.connect_timeout, now), answer_by), answer_by }
    }

    /// Bytes of the body went out that are not kept, so the request cannot be sent a second time.
    pub fn body_spent(&mut self) {
        self.spent = true;
    }

    /// Members that are avoided while there are others, for [`crate::Ask`].
    pub fn tried(&self) -> &[Seat] {
        &self.tried
    }

    /// The member of the present try, from `begin_try` until it has failed.
    pub fn current(&self) -> Option<Seat> {
        self.current
    }

    /// Whether the next try must not go over a connection that has been used before: as the last [`Try`] said, for a
    /// request that was held meanwhile.
    pub fn wants_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether an instance may get it twice, by its method or by the policy.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// For `X-Attempts`.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Decides. The budget is charged when something that was sent is sent again.
    pub fn after(&mut self, event: Event, scene: &Scene, budget: &mut Budget) -> Next {
        if self.ended {
            return Next::Abandon;
        }
        match event {
            Event::CallerGone => self.abandon(),
            Event::ConnectFailed(_) => self.unsent(GatewayError::ConnectFailed, scene),
            Event::NotSent(NotSent::Closed) | Event::Lost { sent: Sent::Nothing, reused: true } => {
                self.stale(scene)
            }
            Event::NotSent(NotSent::RefusedStream | NotSent::GoneAway)
            | Event::Lost { sent: Sent::Nothing, reused: false } => {
                self.unsent(GatewayError::UpstreamClosed, scene)
            }
            Event::Lost { sent: Sent::Something, reused: _ } => {
                self.sent(GatewayError::UpstreamClosed, scene, budget)
            }
            Event::TryTimedOut => self.sent(self.timeout_error(scene.now), scene, budget),
            Event::Invalid => self.refuse(GatewayError::UpstreamInvalid),
            Event::Answered { status, class, retry_after } => {
                self.answered(status, class, retry_after, scene, budget)
            }
            Event::NoPick { reason, replacing } => self.not_picked(reason, replacing, scene.now),
            Event::PendingFull => self.refuse(GatewayError::PendingFull),
            Event::HoldExpired => self.hold_expired(scene.now),
        }
    }

    /// A connection that was closed while nobody looked.
    fn stale(&mut self, scene: &Scene) -> Next {
        if self.fresh {
            return self.unsent(GatewayError::UpstreamClosed, scene);
        }
        if self.spent || !self.has_time_after(Duration::ZERO, scene.now) {
            return self.refuse(GatewayError::UpstreamClosed);
        }
        self.tries = self.tries.saturating_sub(1);
        self.current = None;
        self.fresh = true;
        Next::Try(Try { pause: Duration::ZERO, fresh: true })
    }

    /// No instance has seen anything of the request.
    fn unsent(&mut self, error: GatewayError, scene: &Scene) -> Next {
        let pause = if scene.others { Duration::ZERO } else { self.pause(scene.lot) };
        if self.may_try_again() && self.has_time_after(pause, scene.now) {
            self.again(pause)
        } else {
            self.refuse(error)
        }
    }

    /// An instance may have processed the request.
    fn sent(&mut self, error: GatewayError, scene: &Scene, budget: &mut Budget) -> Next {
        let pause = self.pause(scene.lot);
        let again = self.repeatable && self.may_try_again() && self.has_time_after(pause, scene.now);
        if again && budget.retry(scene.now) { self.again(pause) } else { self.refuse(error) }
    }

    fn answered(
        &mut self,
        status: StatusCode,
        class: Class,
        retry_after: Option<Duration>,
        scene: &Scene,
        budget: &mut Budget,
    ) -> Next {
        let passing = matches!(status.as_u16(), 502..=504) && class == Class::Technical;
        let wished = retry_after.unwrap_or_default();
        let pause = self.pause(scene.lot).max(wished);
        let again = passing
            && self.repeatable
            && self.may_try_again()
            && wished <= self.hold.min(LONGEST_WISH)
            && self.has_time_after(pause, scene.now);
        if again && budget.retry(scene.now) {
            return self.again(pause);
        }
        self.ended = true;
        Next::Forward
    }

    fn not_picked(&mut self, reason: NoPick, replacing: bool, now: Instant) -> Next {
        let error = match reason {
            NoPick::Nobody => GatewayError::NoInstance,
            NoPick::Full => GatewayError::PendingFull,
        };
        let waits = replacing || reason == NoPick::Full;
        if !waits || self.hold.is_zero() {
            return self.refuse(error);
        }
        let patience = *self.held_until.get_or_insert_with(|| now + self.hold);
        let until = self.deadline.map_or(patience, |deadline| deadline.at.min(patience));
        if until <= now { self.hold_expired(now) } else { Next::Hold { until } }
    }

    fn hold_expired(&mut self, now: Instant) -> Next {
        let late = self.deadline.is_some_and(|deadline| deadline.at <= now);
        self.refuse(if late { GatewayError::Deadline } else { GatewayError::HoldExpired })
    }

    fn again(&mut self, pause: Duration) -> Next {
        self.tried.extend(self.current.take());
        self.fresh = true;
        Next::Try(Try { pause, fresh: true })
    }

    fn refuse(&mut self, error: GatewayError) -> Next {
        self.ended = true;
        Next::Refuse(error)
    }

    fn abandon(&mut self) -> Next {
        self.ended = true;
        Next::Abandon
    }

    fn may_try_again(&self) -> bool {
        !self.marked && !self.spent && self.tries <= self.retries
    }

    fn has_time_after(&self, pause: Duration, now: Instant) -> bool {
        self.deadline.is_none_or(|deadline| now + pause + SHORTEST_TRY <= deadline.at)
    }

    fn timeout_error(&self, now: Instant) -> GatewayError {
        if self.is_out_of_callers_time(now) { GatewayError::Deadline } else { GatewayError::UpstreamTimeout }
    }

    /// The time that the caller itself has given is over: a try that had no answer by then says nothing of its instance.
    pub fn is_out_of_callers_time(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline.of_caller && deadline.at <= now)
    }

    /// Doubles with each try; somewhere between half of it and all of it, so that those who failed together do not
    /// come back together.
    fn pause(&self, lot: u64) -> Duration {
        let doublings = self.tries.saturating_sub(1).min(8);
        let whole = (PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
        whole.mul_f64(0.5 + Lots::new(lot).fraction() / 2.0)
    }
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

/// 0 is never.
fn after(limit: Duration, now: Instant) -> Option<Instant> {
    if limit.is_zero() { None } else { now.checked_add(limit) }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
