//! Which key of a database ends next.

use std::collections::BTreeSet;

use crate::{Blob, Deadline, Now};

/// Every key with a deadline, in order of time, by clock.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    ticks: BTreeSet<Due>,
    walls: BTreeSet<Due>,
}

type Due = (u64, Blob);

/// The next moment on each clock; the greatest number when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) tick: u64,
    pub(crate) wall: u64,
}

impl Next {
    pub(crate) const NEVER: Next = Next { tick: u64::MAX, wall: u64::MAX };

    /// The earlier of both, clock by clock.
    pub(crate) fn or(self, other: Next) -> Next {
        Next { tick: self.tick.min(other.tick), wall: self.wall.min(other.wall) }
    }

    pub(crate) fn of(deadline: Option<Deadline>) -> Next {
        match deadline {
            None => Next::NEVER,
            Some(deadline) if deadline.is_wall() => Next { wall: deadline.millis(), ..Next::NEVER },
            Some(deadline) => Next { tick: deadline.millis(), ..Next::NEVER },
        }
    }

    pub(crate) fn has_come(self, now: Now) -> bool {
        self.tick < now.tick || self.wall <= now.wall
    }

    /// Milliseconds until the first of both.
    pub(crate) fn rest(self, now: Now) -> Option<u64> {
        let rest = |at: u64, moment| (at < u64::MAX).then(|| at.saturating_sub(moment));
        // A tick has to be over, see [`Deadline::is_due`].
        match (rest(self.tick.saturating_add(1), now.tick), rest(self.wall, now.wall)) {
            (Some(tick), Some(wall)) => Some(tick.min(wall)),
            (tick, wall) => tick.or(wall),
        }
    }
}

impl Deadlines {
    pub(crate) fn add(&mut self, deadline: Option<Deadline>, key: &Blob) {
        if let Some(deadline) = deadline {
            self.of(deadline).insert((deadline.millis(), key.clone()));
        }
    }

    pub(crate) fn remove(&mut self, deadline: Option<Deadline>, key: &Blob) {
        if let Some(deadline) = deadline {
            self.of(deadline).remove(&(deadline.millis(), key.clone()));
        }
    }

    /// Keys that are due, the earliest of each clock first.
    pub(crate) fn due(&self, now: Now) -> impl Iterator<Item = &Blob> {
        let before = |set, moment| {
            BTreeSet::iter(set).take_while(move |(at, _): &&Due| *at < moment).map(|(_, key)| key)
        };
        before(&self.ticks, now.tick).chain(before(&self.walls, now.wall.saturating_add(1)))
    }

    pub(crate) fn next(&self) -> Next {
        let first = |set: &BTreeSet<Due>| set.first().map_or(u64::MAX, |(at, _)| *at);
        Next { tick: first(&self.ticks), wall: first(&self.walls) }
    }

    pub(crate) fn len(&self) -> usize {
        self.ticks.len() + self.walls.len()
    }

    /// Whether any key has a deadline on the tick, whose rest is only as good as the last journaled mark.
    pub(crate) fn has_ticks(&self) -> bool {
        !self.ticks.is_empty()
    }

    fn of(&mut self, deadline: Deadline) -> &mut BTreeSet<Due> {
        if deadline.is_wall() { &mut self.walls } else { &mut self.ticks }
    }
}
