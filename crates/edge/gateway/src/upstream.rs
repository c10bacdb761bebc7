//! An instance as one worker knows it: the connections to it, and what it has in flight.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_model::{InstanceId, Name, Upstream as Speech};
use adsum_routing::{Member, Standing};
use http::HeaderValue;
use tokio::sync::{Notify, watch};

use crate::control::InFlight;
use crate::metrics::{Counter, InstanceSeries, Ledger};
use crate::settings::Limits;

mod connect;
mod line;
mod shared;
mod socket;
mod trust;

pub(crate) use connect::{ConnectError, Opened};
pub(crate) use line::{Broken, Line, Unanswered};
pub(crate) use shared::{Seat as SharedSeat, Shared, StreamError};
pub(crate) use socket::{Socket, Stream};
pub(crate) use trust::{Authorities, Trust};

/// A connection that has rested for less than this is good for a request that cannot be repeated.
const RECENT: Duration = Duration::from_millis(500);

pub(crate) struct Upstream {
    pub(crate) instance: InstanceId,
    pub(crate) version: u32,
    pub(crate) endpoint: SocketAddr,
    pub(crate) speech: Speech,
    /// For TLS: whom to trust, and by which name the instance is asked for.
    trust: Option<Trust>,
    /// HTTP/1.1 connections between two requests. The one used last is at the end.
    #[allow(clippy::vec_box, reason = "a line moves between here and its requests, and is large")]
    resting: RefCell<Vec<Box<Line>>>,
    /// HTTP/2 connections.
    shared: RefCell<Vec<Shared>>,
    /// Connections of this kind are being made: whoever comes meanwhile waits for them.
    opening: Cell<bool>,
    opened: Notify,
    /// TLS has settled on HTTP/1.1, so that connections are not shared.
    speaks_lines: Cell<bool>,
    requests: Cell<u32>,
    upgrades: Cell<u32>,
    /// Until when what is in flight has to end, from the moment it drains.
    drain: watch::Sender<Option<Instant>>,
    /// It drains, or has left the table: somebody waits until it has nothing in flight.
    departs: Cell<bool>,
    pub(crate) series: Arc<InstanceSeries>,
    ledger: Arc<Ledger>,
    bell: Rc<Notify>,
    kept: usize,
    /// How long a connection may rest, unless the instance says less.
    patience: Duration,
    /// Its id, for `X-Served-By`.
    pub(crate) label: HeaderValue,
}

/// Who it is, and what to do with it.
pub(crate) struct Role<'a> {
    pub(crate) service: &'a Name,
    pub(crate) instance: &'a InstanceId,
    pub(crate) version: u32,
    pub(crate) endpoint: SocketAddr,
    pub(crate) speech: &'a Speech,
    pub(crate) trust: Option<Trust>,
}

impl Upstream {
    /// `bell` is rung when the last of what is in flight has ended while it drains.
    pub(crate) fn new(
        role: Role<'_>,
        ledger: &Arc<Ledger>,
        bell: &Rc<Notify>,
        limits: &Limits,
    ) -> Rc<Upstream> {
        let series = ledger.instance(role.service, role.version, role.instance);
        Rc::new(Upstream {
            instance: role.instance.clone(),
            version: role.version,
            endpoint: role.endpoint,
            speech: role.speech.clone(),
            trust: role.trust,
            resting: RefCell::default(),
            shared: RefCell::default(),
            opening: Cell::new(false),
            opened: Notify::new(),
            speaks_lines: Cell::new(false),
            requests: Cell::new(0),
            upgrades: Cell::new(0),
            drain: watch::Sender::new(None),
            departs: Cell::new(false),
            series,
            ledger: ledger.clone(),
            bell: bell.clone(),
            kept: limits.upstream_kept,
            patience: limits.upstream_idle,
            label: HeaderValue::from_str(role.instance.as_str()).expect("an id is letters and digits"),
        })
    }

    pub(crate) fn in_flight(&self) -> InFlight {
        InFlight { requests: self.requests.get(), upgrades: self.upgrades.get() }
    }

    /// What the table says of it.
    pub(crate) fn stand(&self, standing: Standing, now: Instant) {
        match standing {
            Standing::Routable => self.departs.set(false),
            Standing::Draining(_) => self.depart(),
        }
        self.tell(standing, now);
    }

    /// Lets what is in flight know whether it has to end, and until when.
    pub(crate) fn tell(&self, standing: Standing, now: Instant) {
        self.drain.send_if_modified(|drain| match standing {
            Standing::Routable => drain.take().is_some(),
            Standing::Draining(rest) => {
                let begins = drain.is_none();
                drain.get_or_insert(now + rest);
                begins
            }
        });
    }

    /// It drains, or has left the table: nothing is kept for it.
    pub(crate) fn depart(&self) {
        self.departs.set(true);
        self.resting.borrow_mut().clear();
        self.shared.borrow_mut().clear();
    }

    pub(crate) fn departs(&self) -> bool {
        self.departs.get()
    }

    pub(crate) fn watch_drain(&self) -> watch::Receiver<Option<Instant>> {
        self.drain.subscribe()
    }

    /// A connection between two requests, if there is a good one. A request that cannot be repeated gets one that was
    /// used a moment ago only, since an instance closes those that rest.
    pub(crate) fn take_resting(&self, repeatable: bool, now: Instant) -> Option<Box<Line>> {
        let mut resting = self.resting.borrow_mut();
        let line = resting.last()?;
        let rested = now.saturating_duration_since(line.rested);
        let limit = if repeatable { line.patience } else { RECENT.min(line.patience) };
        if rested >= limit {
            return None;
        }
        let mut line = resting.pop()?;
        line.reused = true;
        Some(line)
    }

    /// Keeps a connection whose answer has ended for the next request.
    pub(crate) fn rest(&self, mut line: Box<Line>, now: Instant) {
        if self.departs.get() || !line.is_ready() {
            return;
        }
        line.rest(now);
        let mut resting = self.resting.borrow_mut();
        if resting.len() < self.kept {
            resting.push(line);
        }
    }

    /// Closes connections that have rested for long, or that the instance has closed.
    pub(crate) fn sweep(&self, now: Instant) {
        self.resting
            .borrow_mut()
            .retain_mut(|line| now.saturating_duration_since(line.rested) < line.patience && line.is_alive());
        self.shared.borrow_mut().retain(|shared| !shared.is_over(now));
    }

    /// Whether it is the upstream of this member.
    pub(crate) fn is_for(&self, member: &Member) -> bool {
        self.instance == member.instance
            && self.version == member.version
            && self.endpoint == member.endpoint
            && self.speech == member.upstream
    }

    pub(crate) fn begin(&self, kind: InFlightKind) {
        let (count, total) = self.counts(kind);
        count.set(count.get() + 1);
        total.add(1);
        self.series.in_flight.add(1);
        if kind == InFlightKind::Upgrade {
            self.series.upgraded.add(1);
        }
    }

    pub(crate) fn end(&self, kind: InFlightKind) {
        let (count, total) = self.counts(kind);
        count.set(count.get() - 1);
        total.sub(1);
        self.series.in_flight.sub(1);
        if self.in_flight().is_empty() && self.departs.get() {
            self.bell.notify_one();
        }
    }

    pub(crate) fn count_cut(&self) {
        self.series.cut.add(1);
        self.ledger.cut.add(1);
    }

    fn counts(&self, kind: InFlightKind) -> (&Cell<u32>, &Counter) {
        match kind {
            InFlightKind::Request => (&self.requests, &self.ledger.in_flight),
            InFlightKind::Upgrade => (&self.upgrades, &self.ledger.upgrades),
        }
    }
}

/// What an instance has of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InFlightKind {
    Request,
    /// An upgraded connection, an event stream, a TCP connection.
    Upgrade,
}
