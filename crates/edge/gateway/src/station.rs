//! A service as one worker sees it: its pool, who gets a request, who waits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_balance::{
    Ask, Balancer, Budget, Candidate, Class, Ejection, Event, Exchange, Next, NoPick, Pending, Picked, Scene,
    Seat, per_worker,
};
use adsum_model::{Name, Upstream as Speech};
use adsum_routing::{Member, Pool, Standing};
use http::HeaderMap;
use tokio::sync::Notify;

use crate::control::Ejected;
use crate::metrics::{Ledger, RouteSeries};
use crate::upstream::{InFlightKind, Role, Trust, Upstream};
use crate::worker::Worker;

pub(crate) struct Station {
    pub(crate) service: Name,
    pool: RefCell<Arc<Pool>>,
    balancer: RefCell<Balancer>,
    budget: RefCell<Budget>,
    pending: RefCell<Pending<Rc<Waiter>>>,
    /// By the index of their seats.
    upstreams: RefCell<Vec<Option<Rc<Upstream>>>>,
    /// By label.
    routes: RefCell<BTreeMap<String, Arc<RouteSeries>>>,
    workers: u32,
    ledger: Arc<Ledger>,
}

/// A request that waits for an instance.
pub(crate) struct Waiter {
    wish: Wish,
    lease: RefCell<Option<(Lease, Picked)>>,
    bell: Notify,
}

/// What decides which instance a request gets; see [`Ask`].
#[derive(Clone, Default)]
pub(crate) struct Wish {
    pub(crate) lot: u64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) sticky: Option<String>,
    pub(crate) tried: Vec<Seat>,
}

/// A request, an upgraded connection or a TCP connection that an instance has; dropped, it has ended.
pub(crate) struct Lease {
    station: Rc<Station>,
    seat: Seat,
    pub(crate) upstream: Rc<Upstream>,
    kind: InFlightKind,
    begun: Instant,
    observed: bool,
    /// After which time the head of an answer came whose end tells how the instance did.
    undecided: Option<Duration>,
}

impl Station {
    pub(crate) fn new(pool: &Arc<Pool>, worker: &Worker, now: Instant) -> Rc<Station> {
        let workers = worker.workers();
        let station = Rc::new(Station {
            service: pool.service.clone(),
            pool: RefCell::new(pool.clone()),
            balancer: RefCell::new(Balancer::new(workers, worker.lot())),
            budget: RefCell::new(Budget::new(&pool.policy, workers, now)),
            pending: RefCell::default(),
            upstreams: RefCell::default(),
            routes: RefCell::default(),
            workers,
            ledger: worker.ledger.clone(),
        });
        station.update(pool, worker, now);
        station
    }

    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.pool.borrow().clone()
    }

    /// Whether it is about this very pool already.
    pub(crate) fn has(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool.borrow(), pool)
    }

    /// The pool is this from now on. Upstreams that are not in it any more are handed to the worker, which keeps those
    /// that have something in flight.
    pub(crate) fn update(self: &Rc<Station>, pool: &Arc<Pool>, worker: &Worker, now: Instant) {
        *self.pool.borrow_mut() = pool.clone();
        self.budget.borrow_mut().update(&pool.policy);
        let candidates = pool.members.iter().map(|member| Candidate {
            instance: &member.instance,
            version: member.version,
            routable: member.standing == Standing::Routable,
        });
        let mut balancer = self.balancer.borrow_mut();
        balancer.panic(pool.panic, now);
        balancer.update(&pool.policy, &pool.weights, candidates, now);
        drop(balancer);
        self.place_members(pool, worker, now);
        self.serve_pending(now);
        self.disappoint_pending();
    }

    /// Nobody is in it any more.
    pub(crate) fn close(self: &Rc<Station>, worker: &Worker, now: Instant) {
        let pool = Pool { members: Vec::new(), replacing: false, ..Pool::clone(&self.pool()) };
        self.update(&Arc::new(pool), worker, now);
    }

    fn place_members(&self, pool: &Pool, worker: &Worker, now: Instant) {
        let mut before = std::mem::take(&mut *self.upstreams.borrow_mut());
        let balancer = self.balancer.borrow();
        let mut after: Vec<Option<Rc<Upstream>>> = Vec::new();
        for member in &pool.members {
            let Some(seat) = balancer.seat_of(&member.instance) else { continue };
            let is_for = |known: &mut Rc<Upstream>| known.is_for(member);
            // Whoever is not taken stays where it is, and is parted with below.
            let known = before.get_mut(seat.index()).and_then(|known| known.take_if(is_for));
            let known = known.or_else(|| worker.take_back(member));
            let upstream = known
                .unwrap_or_else(|| worker.upstream(self.role(member, self.trust(&member.upstream, worker))));
            upstream.stand(member.standing, now);
            if after.len() <= seat.index() {
                after.resize_with(seat.index() + 1, || None);
            }
            after[seat.index()] = Some(upstream);
        }
        drop(balancer);
        *self.upstreams.borrow_mut() = after;
        before.into_iter().flatten().for_each(|gone| worker.part_with(gone));
        pool.members.iter().for_each(|member| worker.tell_leaving(member, now));
    }

    fn role<'a>(&'a self, member: &'a Member, trust: Option<Trust>) -> Role<'a> {
        Role {
            service: &self.service,
            instance: &member.instance,
            version: member.version,
            endpoint: member.endpoint,
            speech: &member.upstream,
            trust,
        }
    }

    fn trust(&self, speech: &Speech, worker: &Worker) -> Option<Trust> {
        let Speech::Https(wish) = speech else { return None };
        let trust = worker.authorities().trust(&self.service, wish);
        trust
            .inspect_err(
                |error| tracing::warn!(service = %self.service, %error, "cannot speak TLS with instances"),
            )
            .ok()
    }

    /// What is counted of a route.
    pub(crate) fn route(&self, label: &str, worker: &Worker) -> Arc<RouteSeries> {
        if let Some(known) = self.routes.borrow().get(label) {
            return known.clone();
        }
        let series = worker.ledger.route(&self.service, label);
        self.routes.borrow_mut().insert(label.to_owned(), series.clone());
        series
    }

    /// Forgets routes that are not in the table any more.
    pub(crate) fn keep_routes(&self, is_in: impl Fn(&str) -> bool) {
        self.routes.borrow_mut().retain(|label, _| is_in(label));
    }

    pub(crate) fn upstreams(&self) -> Vec<Rc<Upstream>> {
        self.upstreams.borrow().iter().flatten().cloned().collect()
    }

    /// Those of its instances that get nothing for their failures; counts them, too.
    pub(crate) fn ejected(&self, now: Instant) -> Vec<Ejected> {
        let balancer = self.balancer.borrow();
        let mut ejected = Vec::new();
        for (instance, Ejection { failures, until }) in balancer.ejected(now) {
            ejected.push(Ejected {
                service: self.service.clone(),
                instance: instance.clone(),
                failures,
                until,
            });
        }
        for upstream in self.upstreams.borrow().iter().flatten() {
            let is_out = ejected.iter().any(|ejected| ejected.instance == upstream.instance);
            upstream.series.ejected.set(is_out.into());
        }
        ejected
    }

    pub(crate) fn exchange(
        &self,
        method: &http::Method,
        headers: &http::HeaderMap,
        moment: adsum_balance::Moment,
    ) -> Exchange {
        Exchange::new(method, headers, &self.pool.borrow().policy, &mut self.budget.borrow_mut(), moment)
    }

    /// What is to be done after an event.
    pub(crate) fn after(&self, exchange: &mut Exchange, event: Event, now: Instant, lot: u64) -> Next {
        let others = self.balancer.borrow().has_other(exchange, now);
        let scene = Scene { now, lot, others };
        exchange.after(event, &scene, &mut self.budget.borrow_mut())
    }

    /// An instance for a request, which has it from now on. Nobody overtakes those who wait.
    pub(crate) fn pick(self: &Rc<Station>, wish: &Wish, now: Instant) -> Result<(Lease, Picked), NoPick> {
        if self.pending.borrow().is_empty() {
            return self.pick_now(wish, now);
        }
        let somebody = self.pool.borrow().routable().next().is_some();
        Err(if somebody { NoPick::Full } else { NoPick::Nobody })
    }

    fn pick_now(self: &Rc<Station>, wish: &Wish, now: Instant) -> Result<(Lease, Picked), NoPick> {
        let ask = Ask {
            lot: wish.lot,
            key: wish.key.as_deref(),
            sticky: wish.sticky.as_deref(),
            tried: &wish.tried,
        };
        let mut balancer = self.balancer.borrow_mut();
        let picked = balancer.pick(&ask, now)?;
        let upstreams = self.upstreams.borrow();
        let upstream = upstreams.get(picked.seat.index()).and_then(Option::as_ref).ok_or(NoPick::Nobody)?;
        balancer.begin(picked.seat);
        drop(balancer);
        Ok((Lease::new(self, picked.seat, upstream, now), picked))
    }

    /// Waits for an instance until `until`.
    pub(crate) async fn hold(
        self: &Rc<Station>,
        wish: Wish,
        until: Instant,
    ) -> Result<(Lease, Picked), Event> {
        let waiter = Rc::new(Waiter { wish, lease: RefCell::default(), bell: Notify::new() });
        let most = per_worker(self.pool.borrow().policy.max_pending, self.workers) as usize;
        let joined = self.pending.borrow_mut().join(waiter.clone(), until, most);
        let Ok(ticket) = joined else { return Err(Event::PendingFull) };
        // Dropped with the request, it leaves the queue.
        let _place = Place::new(self, ticket);
        let served = tokio::time::timeout_at(until.into(), waiter.bell.notified()).await;
        let lease = waiter.lease.borrow_mut().take();
        match (served, lease) {
            (_, Some(lease)) => Ok(lease),
            (Ok(()), None) => {
                let replacing = self.pool.borrow().replacing;
                Err(Event::NoPick { reason: NoPick::Nobody, replacing })
            }
            (Err(_), None) => Err(Event::HoldExpired),
        }
    }

    /// Gives what has become free to those who wait, in the order in which they came.
    fn serve_pending(self: &Rc<Station>, now: Instant) {
        if self.pending.borrow().is_empty() {
            return;
        }
        let served = self.pending.borrow_mut().serve(now, |waiter| match self.pick_now(&waiter.wish, now) {
            Ok(lease) => {
                *waiter.lease.borrow_mut() = Some(lease);
                true
            }
            Err(_) => false,
        });
        served.iter().for_each(|waiter| waiter.bell.notify_one());
    }

    /// Nobody is there, and nobody comes: those who wait are told now.
    fn disappoint_pending(&self) {
        let pool = self.pool();
        if pool.replacing || pool.routable().next().is_some() {
            return;
        }
        let disappointed = self.pending.borrow_mut().give_up();
        disappointed.iter().for_each(|waiter| waiter.bell.notify_one());
    }
}

/// A place in the queue.
struct Place<'a> {
    station: &'a Station,
    ticket: adsum_balance::Ticket,
}

impl<'a> Place<'a> {
    fn new(station: &'a Station, ticket: adsum_balance::Ticket) -> Place<'a> {
        station.ledger.pending.add(1);
        Place { station, ticket }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.station.ledger.pending.sub(1);
        let gone = self.station.pending.borrow_mut().cancel(self.ticket);
        drop(gone);
    }
}

impl Lease {
    fn new(station: &Rc<Station>, seat: Seat, upstream: &Rc<Upstream>, now: Instant) -> Lease {
        upstream.begin(InFlightKind::Request);
        Lease {
            station: station.clone(),
            seat,
            upstream: upstream.clone(),
            kind: InFlightKind::Request,
            begun: now,
            observed: false,
            undecided: None,
        }
    }

    pub(crate) fn seat(&self) -> Seat {
        self.seat
    }

    /// How the instance did: the head of its answer has come, or the try has failed.
    pub(crate) fn observe(&mut self, class: Class, now: Instant) {
        if !self.observed {
            self.observed = true;
            let latency: Duration = now.saturating_duration_since(self.begun);
            self.station.balancer.borrow_mut().observe(self.seat, latency, class, now);
        }
    }

    /// The head of an answer has come whose end tells how the instance did.
    pub(crate) fn answering(&mut self, now: Instant) {
        self.observed = true;
        let latency = now.saturating_duration_since(self.begun);
        self.undecided = Some(latency);
        self.station.balancer.borrow_mut().answering(self.seat, latency, now);
    }

    /// The end of the answer tells.
    pub(crate) fn conclude(&mut self, trailers: &HeaderMap) {
        let (Some(latency), Some(class)) = (self.undecided.take(), Class::of_trailers(trailers)) else {
            return;
        };
        let mut balancer = self.station.balancer.borrow_mut();
        balancer.conclude(self.seat, self.begun, latency, class, Instant::now());
    }

    /// It stays open for long from now on.
    pub(crate) fn upgrade(&mut self) {
        self.station.balancer.borrow_mut().upgrade(self.seat);
        self.upstream.begin(InFlightKind::Upgrade);
        self.upstream.end(InFlightKind::Request);
        self.kind = InFlightKind::Upgrade;
    }

    /// It is cut, since its time is over.
    pub(crate) fn cut(&self) {
        self.upstream.count_cut();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.observed {
            self.observe(Class::CallerGone, Instant::now());
        }
        let mut balancer = self.station.balancer.borrow_mut();
        match self.kind {
            InFlightKind::Request => balancer.end(self.seat),
            InFlightKind::Upgrade => balancer.end_upgrade(self.seat),
        };
        drop(balancer);
        self.upstream.end(self.kind);
        if !self.station.pending.borrow().is_empty() {
            self.station.serve_pending(Instant::now());
        }
    }
}
