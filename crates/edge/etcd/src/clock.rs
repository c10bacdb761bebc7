//! The clocks of the world, read for the view.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use adsum_keyspace::{Clock, Now};

/// Ticks are this process's own: what etcd holds of a relative deadline is how long it is.
pub(crate) struct Clocks {
    origin: Instant,
    clock: Clock,
}

impl Clocks {
    pub(crate) fn new() -> Clocks {
        let origin = Instant::now();
        Clocks { origin, clock: Clock::new(0, origin.elapsed()) }
    }

    pub(crate) fn read(&mut self) -> Now {
        let tick = self.clock.read(self.origin.elapsed());
        // A wall clock before 1970 is a broken one; 0 is as good as what it says.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick, wall: wall.as_millis() as u64 }
    }
}
