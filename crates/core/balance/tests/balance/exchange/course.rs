//! A request under way, with all that a test wants to vary.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_balance::{Balancer, Budget, Candidate, Event, Exchange, Moment, Next, Scene, Seat, Try};
use adsum_model::{InstanceId, Policy};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::table::Then;

/// A request under way, with all that a test wants to vary.
pub(super) struct Course {
    pub(super) exchange: Exchange,
    pub(super) budget: Budget,
    pub(super) now: Instant,
    pub(super) seat: Seat,
}

impl Course {
    pub(super) fn new(
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

    pub(super) fn after(&mut self, event: Event) -> Next {
        self.after_with(event, true)
    }

    pub(super) fn after_with(&mut self, event: Event, others: bool) -> Next {
        let scene = Scene { now: self.now, lot: 11, others };
        self.exchange.after(event, &scene, &mut self.budget)
    }

    pub(super) fn begin(&mut self) {
        self.exchange.begin_try(self.seat, self.now);
    }
}

pub(super) fn seat() -> Seat {
    let id = InstanceId::from_seed(1);
    let mut balancer = Balancer::new(1, 0);
    let candidate = Candidate { instance: &id, version: 1, routable: true };
    balancer.update(&Policy::default(), &BTreeMap::new(), [candidate], Instant::now());
    balancer.seat_of(&id).unwrap()
}

pub(super) fn generous() -> Policy {
    Policy { retry_floor: 1_000, try_timeout: Duration::from_secs(1), retries: 2, ..Policy::default() }
}

#[track_caller]
pub(super) fn check(next: Next, then: Then, what: &str) {
    match (next, then) {
        (Next::Try(Try { fresh: true, .. }), Then::Again | Then::AgainPaid | Then::Reconnect) => {}
        (Next::Forward, Then::Forward) | (Next::Abandon, Then::Gone) => {}
        (Next::Refuse(error), Then::Refuse(expect)) if error == expect => {}
        (next, then) => panic!("{what}: {next:?} instead of {then:?}"),
    }
}
