//! One instance as a balancer sees it, and the places where they are kept.

use std::time::{Duration, Instant};

use adsum_model::InstanceId;

use crate::breaker::Breaker;
use crate::ewma::Ewma;

/// The place of an instance in one balancer. Places are used again; a seat is not: it means one instance for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    pub(crate) at: u32,
    generation: u32,
}

impl Seat {
    /// The number of the place, from 0 and small, so that what belongs to an instance can be kept in a list.
    pub fn index(self) -> usize {
        self.at as usize
    }
}

/// What an instance has at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    pub requests: u32,
    /// Connections that were upgraded, and what else stays open for long.
    pub upgrades: u32,
}

impl InFlight {
    pub fn is_none(self) -> bool {
        self == InFlight::default()
    }

    pub(crate) fn load(self) -> u32 {
        self.requests + self.upgrades
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: InstanceId,
    pub(crate) version: u32,
    /// Gets new requests.
    pub(crate) routable: bool,
    /// Is in the pool still, if only to drain.
    pub(crate) listed: bool,
    pub(crate) in_flight: InFlight,
    pub(crate) latency: Ewma,
    pub(crate) breaker: Breaker,
    /// Since when it is in slow start.
    pub(crate) since: Option<Instant>,
    /// For consistent hashing.
    pub(crate) hash: u64,
}

impl Member {
    /// Its share of what it would have by itself, from 0.1 to 1.
    pub(crate) fn ramp(&self, slow_start: Duration, now: Instant) -> f64 {
        let Some(since) = self.since else { return 1.0 };
        let age = now.saturating_duration_since(since).as_secs_f64();
        (0.1 + 0.9 * age / slow_start.as_secs_f64()).min(1.0)
    }
}

/// Members by seat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats {
    seats: Vec<(u32, Option<Member>)>,
    free: Vec<u32>,
    /// Those taken, in the order of the ids of their members.
    taken: Vec<u32>,
}

impl Seats {
    /// The member at a place that is known to be taken.
    pub(crate) fn at(&self, at: u32) -> &Member {
        self.seats[at as usize].1.as_ref().expect("a group lists only places that are taken")
    }

    pub(crate) fn at_mut(&mut self, at: u32) -> &mut Member {
        self.seats[at as usize].1.as_mut().expect("a group lists only places that are taken")
    }

    pub(crate) fn get(&self, seat: Seat) -> Option<&Member> {
        let (generation, member) = self.seats.get(seat.index())?;
        member.as_ref().filter(|_| *generation == seat.generation)
    }

    pub(crate) fn get_mut(&mut self, seat: Seat) -> Option<&mut Member> {
        let (generation, member) = self.seats.get_mut(seat.index())?;
        member.as_mut().filter(|_| *generation == seat.generation)
    }

    pub(crate) fn seat(&self, at: u32) -> Seat {
        Seat { at, generation: self.seats[at as usize].0 }
    }

    pub(crate) fn find(&self, id: &str) -> Option<Seat> {
        let place = self.taken.binary_search_by(|at| self.at(*at).id.as_str().cmp(id)).ok()?;
        Some(self.seat(self.taken[place]))
    }

    pub(crate) fn add(&mut self, member: Member) -> Seat {
        let place = self.taken.partition_point(|at| self.at(*at).id < member.id);
        let at = self.free.pop().unwrap_or_else(|| {
            self.seats.push((0, None));
            u32::try_from(self.seats.len() - 1).expect("there are fewer than 2^32 instances")
        });
        self.taken.insert(place, at);
        self.seats[at as usize].1 = Some(member);
        self.seat(at)
    }

    /// Forgets a member; its seat means nobody from now on.
    pub(crate) fn remove(&mut self, at: u32) {
        let (generation, member) = &mut self.seats[at as usize];
        *generation = generation.wrapping_add(1);
        *member = None;
        self.free.push(at);
        self.taken.retain(|taken| *taken != at);
    }

    /// In the order of their ids.
    pub(crate) fn places(&self) -> &[u32] {
        &self.taken
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seat, &Member)> {
        self.taken.iter().map(|at| (self.seat(*at), self.at(*at)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.seats.iter_mut().filter_map(|(_, member)| member.as_mut())
    }
}
