//! Time, as the keyspace knows it.
//!
//! Two clocks, both passed in. The **tick** counts the milliseconds in which Adsum could have served its clients: it
//! runs on the monotonic clock, goes on from the last journaled mark after a restart, and stands still while the
//! process is stalled. Relative deadlines are ticks, so downtime, a stopped process and a changed wall clock lengthen
//! a TTL and never shorten it. The **wall** is Unix time for deadlines that name a moment (EXPIREAT).

use std::num::NonZeroU64;
use std::time::Duration;

/// One moment on both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub tick: u64,
    pub wall: u64,
}

/// When a key ends. Eight bytes: every key has room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(NonZeroU64);

const WALL: u64 = 1 << 63;

impl Deadline {
    /// At this tick, in milliseconds; 0 counts as 1, and what is beyond 292 million years as just that.
    pub fn tick(tick: u64) -> Deadline {
        Deadline(NonZeroU64::new(tick.min(WALL - 1)).unwrap_or(NonZeroU64::MIN))
    }

    /// At this Unix time in milliseconds.
    pub fn wall(unix: u64) -> Deadline {
        Deadline(NonZeroU64::new(WALL | unix.min(WALL - 1)).unwrap_or(NonZeroU64::MIN))
    }

    /// After this many milliseconds from now on.
    pub fn after(millis: u64, now: Now) -> Deadline {
        Deadline::tick(now.tick.saturating_add(millis))
    }

    pub fn is_wall(self) -> bool {
        self.0.get() & WALL != 0
    }

    /// On the clock that it is of.
    pub fn millis(self) -> u64 {
        self.0.get() & !WALL
    }

    /// A tick has to be over: what was to live for ten milliseconds from within tick 100 on has done so when tick 110
    /// is over, and may not have at its beginning.
    pub fn is_due(self, now: Now) -> bool {
        if self.is_wall() { self.millis() <= now.wall } else { self.millis() < now.tick }
    }

    /// Milliseconds from now; 0 when due.
    pub fn rest(self, now: Now) -> u64 {
        self.millis().saturating_sub(if self.is_wall() { now.wall } else { now.tick })
    }

    /// The Unix time in milliseconds at which it comes as far as can be told now.
    pub fn unix(self, now: Now) -> u64 {
        if self.is_wall() { self.millis() } else { now.wall.saturating_add(self.rest(now)) }
    }

    pub(crate) fn raw(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn from_raw(raw: u64) -> Option<Deadline> {
        NonZeroU64::new(raw).map(Deadline)
    }
}

/// Makes ticks out of a monotonic clock that others read.
#[derive(Debug)]
pub struct Clock {
    tick: Duration,
    seen: Duration,
}

impl Clock {
    /// A gap between two readings from which on the process counts as having been stalled.
    pub const STALL: Duration = Duration::from_secs(1);

    /// Goes on from `tick` (milliseconds), the last journaled mark, as of `monotonic`.
    pub fn new(tick: u64, monotonic: Duration) -> Clock {
        Clock { tick: Duration::from_millis(tick), seen: monotonic }
    }

    /// The tick at `monotonic`. It has to be asked for at least every half second, stalls aside: a longer gap means
    /// that clients could not renew their leases, and does not count.
    pub fn read(&mut self, monotonic: Duration) -> u64 {
        let gap = monotonic.saturating_sub(self.seen);
        if gap <= Clock::STALL {
            self.tick += gap;
        }
        self.seen = self.seen.max(monotonic);
        self.tick.as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_due_on_its_own_clock() {
        let now = Now { tick: 100, wall: 5_000 };
        assert!(Deadline::tick(99).is_due(now) && !Deadline::tick(100).is_due(now));
        assert!(Deadline::wall(5_000).is_due(now) && !Deadline::wall(5_001).is_due(now));
        assert_eq!(Deadline::after(u64::MAX, now).rest(now), (1 << 63) - 1 - 100);
        assert_eq!(Deadline::tick(150).unix(now), 5_050);
        assert_eq!(size_of::<Option<Deadline>>(), 8);
    }

    #[test]
    fn a_stall_does_not_count_and_an_ordinary_gap_does() {
        let second = Duration::from_secs(1);
        let mut clock = Clock::new(10_000, second);
        assert_eq!(clock.read(second * 2), 11_000);
        assert_eq!(clock.read(second * 5), 11_000);
        assert_eq!(clock.read(second * 5 + second / 2), 11_500);
        assert_eq!(clock.read(second), 11_500);
    }
}
