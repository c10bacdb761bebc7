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

/// Like [`until_ok`], for work of which nobody can say how long it takes on this machine: the error says how far it is, and
/// as long as that changes it goes on. Panics when it stands still for so long.
#[track_caller]
pub fn until_through<T>(what: &str, still: Duration, mut level: impl FnMut() -> Result<T, String>) -> T {
    let (mut since, mut far) = (Instant::now(), String::new());
    loop {
        match level() {
            Ok(value) => return value,
            Err(now) if now != far => (since, far) = (Instant::now(), now),
            Err(_) if since.elapsed() >= still => panic!("{still:?} without a change until {what}: {far}"),
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
    fn work_may_take_as_long_as_it_goes_on_and_not_stand_still() {
        let still = Duration::from_secs(20);
        let mut far = 0;
        let done = until_through("it is done", still, || {
            far += 1;
            if far > 50 { Ok(far) } else { Err(far.to_string()) }
        });
        assert_eq!(done, 51);
        let level =
            || until_through("it is done", Duration::from_millis(20), || Err::<(), _>("7 of 9".into()));
        let panic = catch_unwind(level).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("without a change until it is done: 7 of 9"), "{message}");
    }

    #[test]
    fn a_level_that_never_holds_says_what_and_how_far() {
        let level = || until_ok("three instances run", Duration::from_millis(20), || Err::<(), _>("2 run"));
        let panic = catch_unwind(level).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("until three instances run; last: 2 run"), "{message}");
    }
}
