//! How long an instance takes to answer, as it seems now: rises at once, falls slowly (peak-EWMA, as in Finagle and
//! Linkerd).

use std::time::{Duration, Instant};

/// After this time without news, what was seen weighs 1/e.
const DECAY: Duration = Duration::from_secs(10);
/// Added to every estimate, so that of instances that are equally quick the one with fewer requests is taken.
const FLOOR: f64 = 50_000.0;
/// A failed answer counts as one that took this many times as long as usual: an instance that fails quickly must not
/// look quick.
const FAILURE: f64 = 10.0;
/// Failures alone do not take an estimate above this.
const FAILURE_MOST: f64 = 1e9;

/// Nanoseconds, as of a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ewma {
    nanos: f64,
    at: Instant,
}

impl Ewma {
    pub(crate) fn new(nanos: f64, at: Instant) -> Ewma {
        Ewma { nanos, at }
    }

    /// What is left of what was seen.
    pub(crate) fn nanos(&self, now: Instant) -> f64 {
        self.nanos * self.weight(now)
    }

    /// The price of one more request beside `load` others.
    pub(crate) fn cost(&self, load: u32, now: Instant) -> f64 {
        (self.nanos(now) + FLOOR) * (f64::from(load) + 1.0)
    }

    /// An answer began after this time.
    pub(crate) fn answered(&mut self, latency: Duration, now: Instant) {
        let (old, weight, seen) = (self.nanos(now), self.weight(now), latency.as_nanos() as f64);
        let calm = old + seen * (1.0 - weight);
        self.set(if seen > old { seen } else { calm }, now);
    }

    /// An answer, or what should have been one, counts as a technical failure.
    pub(crate) fn failed(&mut self, latency: Duration, now: Instant) {
        let (old, seen) = (self.nanos(now), latency.as_nanos() as f64);
        let penalty = ((old.max(seen) + FLOOR) * FAILURE).min(FAILURE_MOST);
        self.set(penalty.max(old).max(seen), now);
    }

    /// Nobody waited for the answer longer than this; it would have taken at least as long.
    pub(crate) fn at_least(&mut self, latency: Duration, now: Instant) {
        let (old, seen) = (self.nanos(now), latency.as_nanos() as f64);
        if seen > old {
            self.set(seen, now);
        }
    }

    fn weight(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at);
        (-age.as_secs_f64() / DECAY.as_secs_f64()).exp()
    }

    fn set(&mut self, nanos: f64, now: Instant) {
        *self = Ewma { nanos, at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let start = Instant::now();
        let mut ewma = Ewma::new(1e6, start);
        ewma.answered(100 * MS, start);
        assert_eq!(ewma.nanos(start), 1e8);
        let later = ewma.nanos(start + DECAY);
        assert!((later / 1e8 - (-1f64).exp()).abs() < 1e-9, "{later}");
        ewma.answered(MS, start + DECAY);
        assert!(ewma.nanos(start + DECAY) > later, "one quick answer does not undo a slow one");
    }

    #[test]
    fn with_equal_answers_the_estimate_stays_where_they_are() {
        let start = Instant::now();
        let mut ewma = Ewma::new(0.0, start);
        for second in 0..100 {
            ewma.answered(5 * MS, start + Duration::from_secs(second));
        }
        assert!((ewma.nanos(start + Duration::from_secs(99)) - 5e6).abs() < 1.0);
    }

    #[test]
    fn a_quick_failure_makes_an_instance_dear_and_many_do_not_make_it_dear_for_ever() {
        let start = Instant::now();
        let mut ewma = Ewma::new(1e6, start);
        ewma.failed(MS / 10, start);
        assert!(ewma.nanos(start) > 9e6);
        (0..100).for_each(|_| ewma.failed(MS / 10, start));
        assert!(ewma.nanos(start) <= FAILURE_MOST);
    }

    #[test]
    fn an_answer_nobody_waited_for_is_only_a_lower_bound() {
        let start = Instant::now();
        let mut ewma = Ewma::new(5e6, start);
        ewma.at_least(MS, start);
        assert_eq!(ewma.nanos(start), 5e6);
        ewma.at_least(MS * 8, start);
        assert_eq!(ewma.nanos(start), 8e6);
    }
}
