//! A limit on how often the log hears of trouble that comes in crowds.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lets one line through, then none for [`REST`].
#[derive(Default)]
pub(super) struct Throttle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Option<Instant>,
    held_back: u64,
}

const REST: Duration = Duration::from_secs(10);

impl Throttle {
    /// Whether a line may be written now; how many were held back since the last one.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.until.is_some_and(|until| now < until) {
            state.held_back += 1;
            return None;
        }
        state.until = Some(now + REST);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_every_ten_seconds_tells_how_many_were_held_back() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let at = |seconds| throttle.admit(start + Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(1), at(9), at(10), at(11), at(30)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
