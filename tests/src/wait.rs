//! Waiting for a level: a condition is polled until it holds, and a test never sleeps for a guessed time.

use std::fmt::Display;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(5);

/// Polls until `level` is `Some`, and panics with `what` when it is not within `deadline`.
#[track_caller]
pub fn until<T>(what: &str, deadline: Duration, mut level: impl FnMut() -> Option<T>) -> T {
    until_ok(what, deadline, || level().ok_or("it never was"))
}

/// Like [`until`]; the error says how far it is from the level, and the last one is in the panic.
#[track_caller]
pub fn until_ok<T, E: Display>(what: &str, deadline: Duration, mut level: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match level() {
            Ok(value) => return value,
            Err(state) if begin.elapsed() >= deadline => {
                panic!("waited {:.1} s until {what}; last: {state}", begin.elapsed().as_secs_f64())
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_level_that_holds_is_returned_at_once() {
        assert_eq!(until("three", Duration::ZERO, || Some(3)), 3);
    }

    #[test]
    fn a_level_is_polled_until_it_holds() {
        let mut polls = 0;
        let reached = until("five polls", Duration::from_secs(5), || {
            polls += 1;
            (polls == 5).then_some(polls)
        });
        assert_eq!(reached, 5);
    }

    #[test]
    fn a_level_that_never_holds_says_what_and_how_far() {
        let level = || until_ok("three instances run", Duration::from_millis(20), || Err::<(), _>("2 run"));
        let panic = catch_unwind(level).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("until three instances run; last: 2 run"), "{message}");
    }
}
