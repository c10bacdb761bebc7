//! What is known of the script that runs to those who wait for it: for how long it has, and that it is to end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long others wait before they are told that a script runs.
pub const BUSY_AFTER: Duration = Duration::from_millis(250);
/// How long a script may run whatever happens.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a script may hold up the thread that serves other clients; then it is taken back and run by one that
/// serves none.
const IN_PASSING: Duration = Duration::from_millis(50);

/// How long the thread that runs a script can be spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// As long as a script may run.
    #[default]
    Long,
    /// For so long that nobody notices.
    Short,
}

/// Why a script ended that did not want to. What it has done is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("ERR Script killed by user with SCRIPT KILL...")]
    Killed,
    #[error("ERR the script has run for {} seconds, longer than a script may: it was taken back as a whole", LONGEST.as_secs())]
    TooLong,
    /// It is not over: somebody more patient is to run it.
    #[error("ERR the script takes longer than this thread can be spared")]
    HoldsUp,
    /// It asked for more than the server gives.
    #[error("{0}")]
    Refused(String),
}

/// Shared by whoever runs scripts and whoever waits. One script runs at a time.
pub struct Overseer {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    /// When the script began, in microseconds of the clock and 1; 0 when none runs.
    since: AtomicU64,
    killed: AtomicBool,
    /// It has done so much work that it was asked whether it is to end. One that has not is short, and late only because
    /// the machine has better things to do.
    works: AtomicBool,
}

impl Overseer {
    /// `clock`: the time since some moment, which never falls.
    pub fn new(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Overseer {
        let clock = Box::new(clock);
        Overseer {
            clock,
            since: AtomicU64::new(0),
            killed: AtomicBool::new(false),
            works: AtomicBool::new(false),
        }
    }

    /// A script begins, unless one has in the same transaction.
    pub fn begin(&self) {
        if self.since.load(Ordering::Relaxed) == 0 {
            self.killed.store(false, Ordering::Relaxed);
            self.works.store(false, Ordering::Relaxed);
            self.since.store(self.now() + 1, Ordering::Release);
        }
    }

    /// The transaction of the script is over.
    pub fn end(&self) {
        if self.since.load(Ordering::Relaxed) != 0 {
            self.since.store(0, Ordering::Release);
        }
    }

    /// Whether a script has been running for so long that nobody is to wait for it.
    pub fn is_busy(&self) -> bool {
        self.works.load(Ordering::Acquire) && self.running_for().is_some_and(|time| time >= BUSY_AFTER)
    }

    /// Has the script end that runs. Whether one does.
    pub fn kill(&self) -> bool {
        let runs = self.since.load(Ordering::Acquire) != 0;
        if runs {
            self.killed.store(true, Ordering::Release);
        }
        runs
    }

    /// What the clock shows.
    pub(crate) fn time(&self) -> Duration {
        (self.clock)()
    }

    /// Whether the script has to end. Asked now and then by one that works.
    pub(crate) fn verdict(&self, patience: Patience) -> Option<End> {
        self.works.store(true, Ordering::Release);
        if self.killed.load(Ordering::Acquire) {
            return Some(End::Killed);
        }
        let (limit, end) = match patience {
            Patience::Long => (LONGEST, End::TooLong),
            Patience::Short => (IN_PASSING, End::HoldsUp),
        };
        self.running_for().filter(|time| *time >= limit).map(|_| end)
    }

    fn running_for(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_micros(self.now().saturating_sub(since)))
    }

    fn now(&self) -> u64 {
        (self.clock)().as_micros() as u64
    }
}

impl Default for Overseer {
    /// With a clock that stands.
    fn default() -> Overseer {
        Overseer::new(|| Duration::ZERO)
    }
}

impl std::fmt::Debug for Overseer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overseer").field("since", &self.since).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// An overseer with a clock in milliseconds that the test sets.
    fn overseer() -> (Overseer, Arc<AtomicU64>) {
        let time = Arc::<AtomicU64>::default();
        let clock = time.clone();
        (Overseer::new(move || Duration::from_millis(clock.load(Ordering::Relaxed))), time)
    }

    #[test]
    fn a_script_is_busy_from_250_ms_on_and_ends_at_5_s() {
        let (overseer, time) = overseer();
        overseer.begin();
        for (millis, busy, short, long) in [
            (49, false, None, None),
            (50, false, Some(End::HoldsUp), None),
            (250, true, Some(End::HoldsUp), None),
            (5000, true, Some(End::HoldsUp), Some(End::TooLong)),
        ] {
            time.store(millis, Ordering::Relaxed);
            assert_eq!(overseer.verdict(Patience::Short), short);
            assert_eq!(overseer.verdict(Patience::Long), long);
            assert_eq!(overseer.is_busy(), busy);
        }
        overseer.end();
        assert!(!overseer.is_busy());
        assert_eq!(overseer.verdict(Patience::Long), None);
    }

    #[test]
    fn a_short_script_whose_thread_had_to_wait_is_not_busy() {
        let (overseer, time) = overseer();
        overseer.begin();
        assert_eq!(overseer.verdict(Patience::Long), None);
        overseer.end();
        overseer.begin();
        time.store(300, Ordering::Relaxed);
        assert!(!overseer.is_busy(), "what is known of the one before does not count");
    }

    #[test]
    fn a_script_is_busy_in_its_first_command() {
        let (overseer, time) = overseer();
        overseer.begin();
        assert_eq!(overseer.verdict(Patience::Long), None);
        time.store(250, Ordering::Relaxed);
        assert!(overseer.is_busy());
    }

    #[test]
    fn only_the_script_that_runs_is_killed() {
        let (overseer, _) = overseer();
        assert!(!overseer.kill());
        overseer.begin();
        assert!(overseer.kill());
        assert_eq!(overseer.verdict(Patience::Long), Some(End::Killed));
        overseer.end();
        overseer.begin();
        assert_eq!(overseer.verdict(Patience::Long), None);
    }
}
