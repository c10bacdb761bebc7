//! Which key ends next.

use std::collections::BTreeSet;

use crate::{Blob, Database, Deadline, Now};

/// Every key with a deadline, in order of time, by clock.
#[derive(Default)]
pub(crate) struct Deadlines {
    ticks: BTreeSet<Due>,
    walls: BTreeSet<Due>,
}

type Due = (u64, Database, Blob);

impl Deadlines {
    pub(crate) fn add(&mut self, deadline: Option<Deadline>, database: Database, key: &Blob) {
        if let Some(deadline) = deadline {
            self.of(deadline).insert((deadline.millis(), database, key.clone()));
        }
    }

    pub(crate) fn remove(&mut self, deadline: Option<Deadline>, database: Database, key: &Blob) {
        if let Some(deadline) = deadline {
            self.of(deadline).remove(&(deadline.millis(), database, key.clone()));
        }
    }

    pub(crate) fn clear(&mut self, database: Database) {
        self.ticks.retain(|(_, of, _)| *of != database);
        self.walls.retain(|(_, of, _)| *of != database);
    }

    /// Keys that are due, the earliest of each clock first.
    pub(crate) fn due(&self, now: Now) -> impl Iterator<Item = (Database, &Blob)> {
        let upto = |set, moment| {
            BTreeSet::iter(set)
                .take_while(move |(at, _, _): &&Due| *at <= moment)
                .map(|(_, d, key)| (*d, key))
        };
        upto(&self.ticks, now.tick).chain(upto(&self.walls, now.wall))
    }

    /// Milliseconds until the next key is due.
    pub(crate) fn next(&self, now: Now) -> Option<u64> {
        let rest = |set: &BTreeSet<Due>, moment| set.first().map(|(at, _, _)| at.saturating_sub(moment));
        match (rest(&self.ticks, now.tick), rest(&self.walls, now.wall)) {
            (Some(tick), Some(wall)) => Some(tick.min(wall)),
            (tick, wall) => tick.or(wall),
        }
    }

    /// How many keys of a database have one. Walks all of them: for who looks, not for the way of a command.
    pub(crate) fn count(&self, database: Database) -> usize {
        self.ticks.iter().chain(&self.walls).filter(|(_, of, _)| *of == database).count()
    }

    /// Whether any key has a deadline on the tick, whose rest is only as good as the last journaled mark.
    pub(crate) fn has_ticks(&self) -> bool {
        !self.ticks.is_empty()
    }

    fn of(&mut self, deadline: Deadline) -> &mut BTreeSet<Due> {
        if deadline.is_wall() { &mut self.walls } else { &mut self.ticks }
    }
}
