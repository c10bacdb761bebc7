//! How long single operations took.

use std::time::Duration;

/// Every one is kept, so that the longest is exact.
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Room for this many, so that keeping them costs the measured thread no page fault.
    pub(crate) fn with_room(operations: usize) -> Latencies {
        let mut nanos = vec![1; operations];
        nanos.clear();
        Latencies(nanos)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Seconds at p50, p99, p99.9 and the longest.
    pub(crate) fn quantiles(&mut self) -> [f64; 4] {
        self.0.sort_unstable();
        [0.5, 0.99, 0.999, 1.0].map(|share| {
            let at = ((self.0.len() as f64 * share) as usize).min(self.0.len().saturating_sub(1));
            self.0.get(at).map_or(f64::NAN, |nanos| f64::from(*nanos) * 1e-9)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_quantile_is_the_longest() {
        let mut latencies = Latencies::with_room(1000);
        (1..=1000).rev().for_each(|micros| latencies.add(Duration::from_micros(micros)));
        let micros = latencies.quantiles().map(|seconds| (seconds * 1e6).round() as u32);
        assert_eq!(micros, [501, 991, 1000, 1000]);
    }
}
