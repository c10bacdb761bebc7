//! The routable instances of one version, and how one of them is chosen.

use std::time::{Duration, Instant};

use adsum_model::Balance;

use crate::lot::{Lots, mix};
use crate::member::{Seat, Seats};

/// How often somebody in slow start is passed by before it is taken all the same.
const REDRAWS: u32 = 8;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// None when the service has no shares.
    pub(crate) version: Option<u32>,
    pub(crate) share: u32,
    /// Never empty; places in the order of the ids.
    pub(crate) members: Vec<u32>,
    /// Of each of them, side by side, since all are looked at for a key.
    pub(crate) hashes: Vec<u64>,
    /// Whose turn it is, of round robin.
    pub(crate) turn: usize,
}

/// Says who may be chosen.
pub(crate) struct Judge<'a> {
    pub(crate) seats: &'a Seats,
    pub(crate) tried: &'a [Seat],
    pub(crate) most: u32,
    /// Set while some members are in slow start.
    pub(crate) slow_start: Option<Duration>,
    pub(crate) now: Instant,
}

impl Judge<'_> {
    fn admits(&self, at: u32) -> bool {
        let member = self.seats.at(at);
        let room = self.most == 0 || member.in_flight.load() < self.most;
        room && !member.breaker.is_out(self.now)
            && (self.tried.is_empty() || !self.tried.contains(&self.seats.seat(at)))
    }

    fn ramp(&self, at: u32) -> f64 {
        self.slow_start.map_or(1.0, |slow_start| self.seats.at(at).ramp(slow_start, self.now))
    }

    /// Whether a member in slow start is passed by this time.
    fn passes_by(&self, at: u32, lots: &mut Lots) -> bool {
        self.slow_start.is_some() && lots.fraction() >= self.ramp(at)
    }

    fn cost(&self, at: u32) -> f64 {
        let member = self.seats.at(at);
        member.latency.cost(member.in_flight.load(), self.now)
    }
}

impl Group {
    pub(crate) fn choose(
        &mut self,
        strategy: &Balance,
        key: Option<u64>,
        lots: &mut Lots,
        judge: &Judge<'_>,
    ) -> Option<u32> {
        match (strategy, key) {
            (Balance::PeakEwma, _) => self.cheaper_of_two(lots, judge),
            (Balance::RoundRobin, _) => self.next_in_turn(lots, judge),
            (Balance::LeastRequests, _) => self.least_loaded(lots, judge),
            (Balance::Hash(_), Some(key)) => self.highest_score(key, judge),
            (Balance::Random | Balance::Hash(_), _) => self.any(None, lots, judge).map(|at| self.members[at]),
        }
    }

    fn cheaper_of_two(&self, lots: &mut Lots, judge: &Judge<'_>) -> Option<u32> {
        let one = self.any(None, lots, judge)?;
        let Some(other) = self.any(Some(one), lots, judge) else { return Some(self.members[one]) };
        let (one, other) = (self.members[one], self.members[other]);
        Some(if judge.cost(other) < judge.cost(one) { other } else { one })
    }

    fn next_in_turn(&mut self, lots: &mut Lots, judge: &Judge<'_>) -> Option<u32> {
        let mut found = None;
        for _ in 0..REDRAWS {
            let at = self.admitted_from(self.turn % self.members.len(), None, judge)?;
            self.turn = at + 1;
            found = Some(self.members[at]);
            if !judge.passes_by(self.members[at], lots) {
                break;
            }
        }
        found
    }

    /// Of several with equally few requests any one.
    fn least_loaded(&self, lots: &mut Lots, judge: &Judge<'_>) -> Option<u32> {
        let start = lots.below(self.members.len());
        let (late, early) = self.members.split_at(start);
        let load = |at: u32| (f64::from(judge.seats.at(at).in_flight.load()) + 1.0) / judge.ramp(at);
        let admitted = early.iter().chain(late).copied().filter(|at| judge.admits(*at));
        admitted.map(|at| (load(at), at)).min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, at)| at)
    }

    /// Rendezvous hashing: each member has a score for the key, and the highest has the request. When one goes, only
    /// its own keys move.
    fn highest_score(&self, key: u64, judge: &Judge<'_>) -> Option<u32> {
        let scores = || self.hashes.iter().map(|hash| mix(key ^ hash)).zip(&self.members);
        let (_, best) = scores().max()?;
        if judge.admits(*best) {
            return Some(*best);
        }
        scores().filter(|(_, at)| judge.admits(**at)).max().map(|(_, at)| *at)
    }

    /// The index of one by chance, but not `except`.
    fn any(&self, except: Option<usize>, lots: &mut Lots, judge: &Judge<'_>) -> Option<usize> {
        let count = self.members.len();
        let mut found = None;
        for _ in 0..REDRAWS {
            let start = match except {
                Some(_) if count == 1 => return None,
                Some(except) => (except + 1 + lots.below(count - 1)) % count,
                None => lots.below(count),
            };
            let at = self.admitted_from(start, except, judge)?;
            found = Some(at);
            if !judge.passes_by(self.members[at], lots) {
                break;
            }
        }
        found
    }

    /// The first index from this one on, all around, that may be chosen.
    fn admitted_from(&self, start: usize, except: Option<usize>, judge: &Judge<'_>) -> Option<usize> {
        let mut around = (start..self.members.len()).chain(0..start);
        around.find(|at| Some(*at) != except && judge.admits(self.members[*at]))
    }
}
