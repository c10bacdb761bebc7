//! Figures of one thing measured several times. The machine has other work too, which only ever slows a round down:
//! the best round says what the code can do, the worst says how far to trust it.

/// Kept in order from the smallest.
#[derive(Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn add(&mut self, figure: f64) {
        let at = self.0.partition_point(|before| *before <= figure);
        self.0.insert(at, figure);
    }

    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Rounds {
        let mut rounds = Rounds::default();
        figures.for_each(|figure| rounds.add(figure));
        rounds
    }

    pub(crate) fn smallest(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn largest(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = |at: usize| self.0.get(at).copied().unwrap_or(f64::NAN);
        (middle(self.0.len().saturating_sub(1) / 2) + middle(self.0.len() / 2)) / 2.0
    }

    /// `BEST (WORST)` where more is better.
    pub(crate) fn best_is_most(&self, show: impl Fn(f64) -> String) -> String {
        format!("{} ({})", show(self.largest()), show(self.smallest()))
    }

    /// `BEST (WORST)` where less is better.
    pub(crate) fn best_is_least(&self, show: impl Fn(f64) -> String) -> String {
        format!("{} ({})", show(self.smallest()), show(self.largest()))
    }
}

/// Operations per second.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 1e6 => format!("{:.2}M", rate / 1e6),
        rate => format!("{:.0}k", rate / 1e3),
    }
}

/// A duration given in seconds.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10e-6 => format!("{:.1} µs", s * 1e6),
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 10e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} ms", s * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_named_first() {
        let rounds = Rounds::of([2e6, 3e6, 1e6].into_iter());
        assert_eq!(rounds.best_is_most(rate), "3.00M (1.00M)");
        assert_eq!(rounds.best_is_least(rate), "1.00M (3.00M)");
        assert_eq!(rounds.median(), 2e6);
        assert_eq!(Rounds::of([2.0, 1.0].into_iter()).median(), 1.5);
    }

    #[test]
    fn durations_are_shown_in_a_unit_that_fits() {
        let shown = [4.2e-7, 3.5e-5, 2.5e-3, 0.25].map(duration);
        assert_eq!(shown, ["0.4 µs", "35 µs", "2.5 ms", "250 ms"]);
    }
}
