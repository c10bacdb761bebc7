//! The clocks of the world, read for the keyspace.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use adsum_keyspace::{Clock, Now};

/// Reads both clocks. The tick goes on from where it was marked last.
pub(crate) struct Clocks {
    origin: Instant,
    clock: Clock,
}

impl Clocks {
    pub(crate) fn from_tick(tick: u64) -> Clocks {
        let origin = Instant::now();
        Clocks { origin, clock: Clock::new(tick, origin.elapsed()) }
    }

    pub(crate) fn read(&mut self) -> Now {
        let tick = self.clock.read(self.origin.elapsed());
        // A wall clock before 1970 is a broken one; 0 is as good as what it says.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick, wall: wall.as_millis() as u64 }
    }
}
