//! When an instance that fails again and again gets nothing for a while, as one worker sees it.
//!
//! ```text
//! closed --5 technical failures in a row--> out, for 10 s --its time is over--> half-open --success--> closed
//!    ^                                       ^                                      |
//!    '--an answer ends the row               '----------one more failure: out again, twice as long (5 min at most)
//! ```
//!
//! Half-open is no state of its own: the failures that put the member out still count, so that the next one does it again
//! at once, and it gets requests as any other. What was sent before the end of the time out says nothing about the
//! member afterwards, and is not counted.
//!
//! Not here: how many may be out at once, which is for the [`crate::Balancer`] to know.

use std::time::{Duration, Instant};

/// So many technical failures in a row put a member out.
const FAILURES: u32 = 5;
/// How long it is out the first time.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(300);

/// Why an instance gets nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Technical failures in a row.
    pub failures: u32,
    pub until: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breaker {
    /// Technical failures in a row.
    failures: u32,
    /// How often it has been put out since it last answered.
    times: u32,
    /// When it may have requests again, or could.
    until: Option<Instant>,
}

impl Breaker {
    pub(crate) fn is_out(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    pub(crate) fn ejection(&self, now: Instant) -> Option<Ejection> {
        let until = self.until.filter(|until| *until > now)?;
        Some(Ejection { failures: self.failures, until })
    }

    /// A request that was sent at this time has been answered.
    pub(crate) fn answered(&mut self, sent: Instant) {
        if !self.is_out(sent) {
            *self = Breaker::default();
        }
    }

    /// A request that was sent at this time has failed technically. True when it is time to eject.
    pub(crate) fn failed(&mut self, sent: Instant) -> bool {
        if self.is_out(sent) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.failures >= FAILURES
    }

    /// Out from now on, each time for twice as long.
    pub(crate) fn eject(&mut self, now: Instant) {
        let doubled = 1u32.checked_shl(self.times).unwrap_or(u32::MAX);
        self.times = self.times.saturating_add(1);
        self.until = Some(now + SHORTEST.saturating_mul(doubled).min(LONGEST));
    }

    /// Half-open before its time.
    pub(crate) fn readmit(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// Fails until it is out; how many failures that took.
    fn put_out(breaker: &mut Breaker, now: Instant) -> u32 {
        let mut failures = 1;
        while !breaker.failed(now) {
            failures += 1;
        }
        breaker.eject(now);
        failures
    }

    #[test]
    fn five_failures_in_a_row_put_a_member_out_and_an_answer_ends_the_row() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        (0..4).for_each(|_| assert!(!breaker.failed(now)));
        breaker.answered(now);
        assert_eq!(put_out(&mut breaker, now), 5);
        assert_eq!(breaker.ejection(now), Some(Ejection { failures: 5, until: now + 10 * S }));
        assert!(breaker.is_out(now + 10 * S - Duration::from_nanos(1)));
        assert_eq!(breaker.ejection(now + 10 * S), None);
    }

    #[test]
    fn one_failure_after_its_time_puts_it_out_for_twice_as_long_up_to_five_minutes() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        put_out(&mut breaker, now);
        now += 10 * S;
        for seconds in [20, 40, 80, 160, 300, 300, 300] {
            assert_eq!(put_out(&mut breaker, now), 1);
            assert_eq!(breaker.until, Some(now + seconds * S));
            now += seconds * S;
        }
    }

    #[test]
    fn the_first_answer_after_its_time_closes_it_as_if_nothing_had_been() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        put_out(&mut breaker, now);
        put_out(&mut breaker, now + 10 * S);
        breaker.answered(now + 30 * S);
        assert_eq!(put_out(&mut breaker, now + 30 * S), 5);
        assert_eq!(breaker.until, Some(now + 40 * S));
    }

    #[test]
    fn what_was_sent_before_the_end_of_its_time_says_nothing_about_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        put_out(&mut breaker, now);
        assert!(!breaker.failed(now + 9 * S));
        breaker.answered(now + 9 * S);
        assert_eq!(breaker.ejection(now + 9 * S), Some(Ejection { failures: 5, until: now + 10 * S }));
        assert!(breaker.failed(now + 10 * S), "the answer did not close it either");
    }

    #[test]
    fn one_that_is_taken_back_before_its_time_is_on_probation_all_the_same() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        put_out(&mut breaker, now);
        breaker.readmit();
        assert!(!breaker.is_out(now));
        assert_eq!(put_out(&mut breaker, now + S), 1);
        assert_eq!(breaker.until, Some(now + 21 * S));
    }
}
