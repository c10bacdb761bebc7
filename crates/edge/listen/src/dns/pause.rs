//! How long to wait after an error of a socket, so that an error which stays does not take a whole core.

use std::time::Duration;

/// Doubles with each error, and begins again after a success.
pub(super) struct Pause {
    next: Duration,
}

const FIRST: Duration = Duration::from_millis(5);
const LAST: Duration = Duration::from_secs(1);

impl Pause {
    pub(super) fn new() -> Pause {
        Pause { next: FIRST }
    }

    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    pub(super) fn grow(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LAST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_second_and_begins_again() {
        let mut pause = Pause::new();
        let pauses: Vec<u128> = (0..10).map(|_| pause.grow().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        pause.reset();
        assert_eq!(pause.grow(), FIRST);
    }
}
