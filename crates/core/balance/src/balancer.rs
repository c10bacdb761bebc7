//! Which instance of a service gets the next request, as one worker sees it. No locks: each worker has its own.
//!
//! 1. A sticky client goes to its instance, when that is routable and has room.
//! 2. The version is drawn by the shares of the service, if it has any. A version without routable instances has no
//!    part in it; one whose share is 0 gets nothing, even if it is the only one left.
//! 3. Among the instances of the version the strategy decides. Instances that the request has tried already, or that
//!    are full, are left out; when the version has no other, the next version that has one takes the request.
//!
//! An instance in slow start is passed by at random as often as its share is short of a full one, beginning with nine
//! times out of ten; sticky clients and hash keys take no notice of that.
//!
//! With a hash key both draws come from the key, so that a key stays with its version too.
//!
//! An instance that fails five times in a row is ejected: it gets nothing for a while ([`crate::breaker`]), by no strategy,
//! key or cookie. At most half of the instances of a version (of all, when the service has no shares) are out at a time, so
//! that no share goes elsewhere for it; when more would be, because others have gone, those whose time is over first
//! are back at once. In a pool that panics, nobody is out.
//!
//! `max_requests` of the policy is for all workers together: each has an equal part of it, and at least 1.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_model::{Balance, InstanceId, Policy};

use crate::breaker::{Breaker, Ejection};
use crate::budget::per_worker;
use crate::class::Class;
use crate::ewma::Ewma;
use crate::exchange::Exchange;
use crate::group::{Group, Judge};
use crate::lot::{Lots, hash, scale};
pub use crate::member::{InFlight, Seat};
use crate::member::{Member, Seats};

/// What an instance that nothing is known of, beside others of which nothing is known, seems to take: 1 ms.
const UNKNOWN: f64 = 1e6;

/// An instance in the table.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub instance: &'a InstanceId,
    pub version: u32,
    /// Gets new requests; else it is draining.
    pub routable: bool,
}

/// A request that wants an instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Chance.
    pub lot: u64,
    /// What [`Balance::Hash`] looks at: the value of the header or cookie, or the path. Without one, chance decides.
    pub key: Option<&'a [u8]>,
    /// The instance that the sticky cookie names.
    pub sticky: Option<&'a str>,
    /// [`Exchange::tried`].
    pub tried: &'a [Seat],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    pub seat: Seat,
    /// It is the one that the sticky cookie named, so the cookie needs not be set.
    pub kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPick {
    /// No instance is routable.
    Nobody,
    /// All routable instances have as many requests as they may.
    Full,
}

/// The instances of one service in one worker.
#[derive(Clone, Debug)]
pub struct Balancer {
    workers: u32,
    /// Where round robin begins, so that the workers do not all begin with the same instance.
    seed: u64,
    strategy: Balance,
    /// Requests of one instance in this worker; 0 is without a limit.
    most: u32,
    slow_start: Duration,
    seats: Seats,
    groups: Vec<Group>,
    shares: u64,
    /// When the last of the members in slow start has left it.
    ramps_until: Option<Instant>,
    begun: bool,
    /// Too few instances pass; nobody is ejected then.
    panic: bool,
}

impl Balancer {
    pub fn new(workers: u32, seed: u64) -> Balancer {
        Balancer {
            workers: workers.max(1),
            seed,
            strategy: Balance::default(),
            most: 0,
            slow_start: Duration::ZERO,
            seats: Seats::default(),
            groups: Vec::new(),
            shares: 0,
            ramps_until: None,
            begun: false,
            panic: false,
        }
    }

    /// The pool is this from now on. What is known of those that stay is kept; those that have gone are forgotten as
    /// soon as they have nothing in flight.
    pub fn update<'a>(
        &mut self,
        policy: &Policy,
        weights: &BTreeMap<u32, u32>,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        now: Instant,
    ) {
        self.strategy.clone_from(&policy.balance);
        self.most = per_worker(policy.max_requests, self.workers);
        self.slow_start = policy.slow_start;
        self.seats.iter_mut().for_each(|member| member.listed = false);
        let newcomer = self.usual_latency(now);
        for candidate in candidates {
            self.list(&candidate, newcomer, now);
        }
        self.begun = true;
        self.forget_gone();
        self.end_ramps(now);
        self.regroup(weights);
        self.readmit_surplus(now);
    }

    /// Whether the pool panics from now on: too few instances pass, and every one is needed.
    pub fn panic(&mut self, panic: bool, now: Instant) {
        self.panic = panic;
        self.readmit_surplus(now);
    }

    /// Picks; nothing changes but whose turn it is. [`Balancer::begin`] follows.
    pub fn pick(&mut self, ask: &Ask<'_>, now: Instant) -> Result<Picked, NoPick> {
        if self.groups.is_empty() {
            return Err(NoPick::Nobody);
        }
        if let Some(seat) = ask.sticky.and_then(|id| self.sticky(id, ask.tried, now)) {
            return Ok(Picked { seat, kept: true });
        }
        let key = ask.key.filter(|_| matches!(self.strategy, Balance::Hash(_))).map(hash);
        let mut lots = Lots::new(ask.lot);
        let first = self.draw_group(key.unwrap_or_else(|| lots.draw()));
        let picked = self.choose(first, ask.tried, key, &mut lots, now);
        let picked = picked.or_else(|| {
            // All untried ones are full: better one that has been tried than none.
            let repeats = !ask.tried.is_empty();
            repeats.then(|| self.choose(first, &[], key, &mut lots, now)).flatten()
        });
        picked.map(|at| Picked { seat: self.seats.seat(at), kept: false }).ok_or(NoPick::Full)
    }

    /// A request goes to the member.
    pub fn begin(&mut self, seat: Seat) {
        if let Some(member) = self.seats.get_mut(seat) {
            member.in_flight.requests += 1;
        }
    }

    /// The head of an answer has come after this time, or the try has failed. What a caller did not wait for counts as
    /// a lower bound. One technical failure too many in a row, and the member is ejected.
    pub fn observe(&mut self, seat: Seat, latency: Duration, class: Class, now: Instant) {
        let Some(member) = self.seats.get_mut(seat) else { return };
        match class {
            Class::Fine | Class::Business => member.latency.answered(latency, now),
            Class::Technical => member.latency.failed(latency, now),
            Class::CallerGone => member.latency.at_least(latency, now),
        }
        self.judge(seat, now.checked_sub(latency).unwrap_or(now), class, now);
    }

    /// The head of an answer has come after this time; its end will tell what has come of the request
    /// ([`Balancer::conclude`]).
    pub fn answering(&mut self, seat: Seat, latency: Duration, now: Instant) {
        if let Some(member) = self.seats.get_mut(seat) {
            member.latency.answered(latency, now);
        }
    }

    /// The end of an answer tells what has come of a request that was sent at this time, and whose head came after that one.
    pub fn conclude(&mut self, seat: Seat, sent: Instant, latency: Duration, class: Class, now: Instant) {
        let Some(member) = self.seats.get_mut(seat) else { return };
        if class == Class::Technical {
            member.latency.failed(latency, now);
        }
        self.judge(seat, sent, class, now);
    }

    fn judge(&mut self, seat: Seat, sent: Instant, class: Class, now: Instant) {
        let Some(member) = self.seats.get_mut(seat) else { return };
        match class {
            Class::Fine | Class::Business => member.breaker.answered(sent),
            Class::Technical if member.breaker.failed(sent) => self.eject(seat, now),
            Class::Technical | Class::CallerGone => {}
        }
    }

    /// Those that would get requests but for their failures.
    pub fn ejected(&self, now: Instant) -> impl Iterator<Item = (&InstanceId, Ejection)> {
        let members = self.groups.iter().flat_map(|group| &group.members).map(|at| self.seats.at(*at));
        members.filter_map(move |member| Some((&member.id, member.breaker.ejection(now)?)))
    }

    /// The connection of a request that had begun is an upgraded one from now on, or an event stream.
    pub fn upgrade(&mut self, seat: Seat) {
        if let Some(member) = self.seats.get_mut(seat) {
            member.in_flight.requests = member.in_flight.requests.saturating_sub(1);
            member.in_flight.upgrades += 1;
        }
    }

    /// A request has ended. True when a member that gets no new requests has nothing in flight any more: time to report.
    pub fn end(&mut self, seat: Seat) -> bool {
        self.finish(seat, |in_flight| in_flight.requests = in_flight.requests.saturating_sub(1))
    }

    /// As [`Balancer::end`], of an upgraded connection.
    pub fn end_upgrade(&mut self, seat: Seat) -> bool {
        self.finish(seat, |in_flight| in_flight.upgrades = in_flight.upgrades.saturating_sub(1))
    }

    pub fn instance(&self, seat: Seat) -> Option<&InstanceId> {
        self.seats.get(seat).map(|member| &member.id)
    }

    pub fn seat_of(&self, instance: &InstanceId) -> Option<Seat> {
        self.seats.find(instance.as_str())
    }

    pub fn in_flight(&self, instance: &InstanceId) -> InFlight {
        let member = self.seat_of(instance).and_then(|seat| self.seats.get(seat));
        member.map(|member| member.in_flight).unwrap_or_default()
    }

    /// Every member, also those that drain or have gone and still have something in flight.
    pub fn members(&self) -> impl Iterator<Item = (Seat, &InstanceId, InFlight)> {
        self.seats.iter().map(|(seat, member)| (seat, &member.id, member.in_flight))
    }

    /// Those that get no new requests: draining ones, and ones that have gone with something in flight.
    pub fn departing(&self) -> impl Iterator<Item = (Seat, &InstanceId, InFlight)> {
        let departing = self.seats.iter().filter(|(_, member)| !member.routable);
        departing.map(|(seat, member)| (seat, &member.id, member.in_flight))
    }

    /// Whether there is a member that might be picked and that the exchange has not tried.
    pub fn has_other(&self, exchange: &Exchange, now: Instant) -> bool {
        let untried = |at: &u32| {
            let seat = self.seats.seat(*at);
            let is_new = exchange.current() != Some(seat) && !exchange.tried().contains(&seat);
            is_new && !self.seats.at(*at).breaker.is_out(now)
        };
        self.groups.iter().flat_map(|group| &group.members).any(untried)
    }

    fn list(&mut self, candidate: &Candidate<'_>, newcomer: f64, now: Instant) {
        let seat = self.seat_of(candidate.instance).unwrap_or_else(|| {
            self.seats.add(Member {
                id: candidate.instance.clone(),
                version: candidate.version,
                routable: false,
                listed: true,
                in_flight: InFlight::default(),
                latency: Ewma::new(newcomer, now),
                breaker: Breaker::default(),
                since: None,
                hash: hash(candidate.instance.as_str().as_bytes()),
            })
        });
        let ramps = self.begun && !self.slow_start.is_zero();
        let member = self.seats.get_mut(seat).expect("it has just been found or added");
        if candidate.routable && !member.routable {
            member.since = ramps.then_some(now);
            // Its checks have found it well since.
            member.breaker = Breaker::default();
        }
        member.version = candidate.version;
        member.routable = candidate.routable;
        member.listed = true;
    }

    /// What is gone from the pool gets nothing new, and is forgotten when it has nothing left.
    fn forget_gone(&mut self) {
        let mut gone = Vec::new();
        for (seat, member) in self.seats.iter().filter(|(_, member)| !member.listed) {
            if member.in_flight.is_none() {
                gone.push(seat.at);
            }
        }
        gone.into_iter().for_each(|at| self.seats.remove(at));
        let unlisted = self.seats.iter_mut().filter(|member| !member.listed);
        unlisted.for_each(|member| member.routable = false);
    }

    fn end_ramps(&mut self, now: Instant) {
        let slow_start = self.slow_start;
        let mut last = None;
        for member in self.seats.iter_mut() {
            let end = member.since.map(|since| since + slow_start).filter(|end| *end > now);
            if end.is_none() {
                member.since = None;
            }
            last = last.max(end);
        }
        self.ramps_until = last;
    }

    /// One group per version that has a share; without shares one of all.
    fn regroup(&mut self, weights: &BTreeMap<u32, u32>) {
        let mut places: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
        for at in self.seats.places() {
            let member = self.seats.at(*at);
            let version = (!weights.is_empty()).then_some(member.version);
            if member.routable {
                places.entry(version).or_default().push(*at);
            }
        }
        let old = std::mem::take(&mut self.groups);
        for (version, members) in places {
            let share = version.map_or(1, |version| weights.get(&version).copied().unwrap_or(0));
            let turn = old.iter().find(|group| group.version == version).map(|group| group.turn);
            let hashes = members.iter().map(|at| self.seats.at(*at).hash).collect();
            if share > 0 {
                let turn = turn.unwrap_or(self.seed as usize);
                self.groups.push(Group { version, share, members, hashes, turn });
            }
        }
        self.shares = self.groups.iter().map(|group| u64::from(group.share)).sum();
    }

    /// Unless too many of its group are out already.
    fn eject(&mut self, seat: Seat, now: Instant) {
        let Some(group) = self.groups.iter().find(|group| group.members.contains(&seat.at)) else { return };
        if self.out(group, now).count() < self.most_out(group) {
            self.seats.at_mut(seat.at).breaker.eject(now);
        }
    }

    /// Takes those back that are too many to be out, now that the pool is another.
    fn readmit_surplus(&mut self, now: Instant) {
        let mut back = Vec::new();
        for group in &self.groups {
            let mut out: Vec<(Instant, u32)> = self.out(group, now).collect();
            out.sort_unstable();
            let surplus = out.len().saturating_sub(self.most_out(group));
            back.extend(out.into_iter().take(surplus).map(|(_, at)| at));
        }
        back.into_iter().for_each(|at| self.seats.at_mut(at).breaker.readmit());
    }

    /// The members of a group that are out, each with until when.
    fn out(&self, group: &Group, now: Instant) -> impl Iterator<Item = (Instant, u32)> {
        let until = move |at: &u32| Some((self.seats.at(*at).breaker.ejection(now)?.until, *at));
        group.members.iter().filter_map(until)
    }

    fn most_out(&self, group: &Group) -> usize {
        if self.panic { 0 } else { group.members.len() / 2 }
    }

    fn draw_group(&self, lot: u64) -> usize {
        if self.groups.len() == 1 {
            return 0;
        }
        let mut rest = scale(lot, self.shares);
        let fits = |group: &Group| {
            let fits = rest < u64::from(group.share);
            rest = rest.saturating_sub(u64::from(group.share));
            fits
        };
        self.groups.iter().position(fits).unwrap_or(0)
    }

    /// From the group that was drawn, else from the next one that has somebody.
    fn choose(
        &mut self,
        first: usize,
        tried: &[Seat],
        key: Option<u64>,
        lots: &mut Lots,
        now: Instant,
    ) -> Option<u32> {
        let count = self.groups.len();
        let ramping = self.ramps_until.is_some_and(|until| until > now);
        let slow_start = ramping.then_some(self.slow_start);
        let judge = Judge { seats: &self.seats, tried, most: self.most, slow_start, now };
        let mut groups = (0..count).map(|step| (first + step) % count);
        groups.find_map(|group| self.groups[group].choose(&self.strategy, key, lots, &judge))
    }

    fn sticky(&self, id: &str, tried: &[Seat], now: Instant) -> Option<Seat> {
        let seat = self.seats.find(id)?;
        let shares = |group: &Group| group.members.contains(&seat.at);
        let member = self.seats.get(seat)?;
        let room = self.most == 0 || member.in_flight.load() < self.most;
        let takes = member.routable && room && !member.breaker.is_out(now);
        let fits = takes && !tried.contains(&seat) && self.groups.iter().any(shares);
        fits.then_some(seat)
    }

    fn finish(&mut self, seat: Seat, change: impl FnOnce(&mut InFlight)) -> bool {
        let Some(member) = self.seats.get_mut(seat) else { return false };
        change(&mut member.in_flight);
        let departed = !member.routable && member.in_flight.is_none();
        if departed && !member.listed {
            self.seats.remove(seat.at);
        }
        departed
    }

    /// What a newcomer is taken for: neither dear, nor so cheap that everything goes to it.
    fn usual_latency(&self, now: Instant) -> f64 {
        let routable = self.seats.iter().filter(|(_, member)| member.routable);
        let (sum, count) = routable
            .fold((0.0, 0u32), |(sum, count), (_, member)| (sum + member.latency.nanos(now), count + 1));
        if count == 0 { UNKNOWN } else { sum / f64::from(count) }
    }
}
