//! One line per event on standard error, which Adsum captures, keeps and shows (`adsum service logs`).

use std::fmt::Arguments;
use std::io::Write;
use std::time::{Duration, Instant};

/// Logs one line, with the arguments of `format!`.
macro_rules! log {
    ($($argument:tt)*) => { $crate::log::line(format_args!($($argument)*)) };
}
pub(crate) use log;

/// Unlike `eprintln!`, which panics when nobody reads any more: the log must not be what ends a service.
pub fn line(text: Arguments) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// At most so many lines per second: for what a hostile or broken input can cause without end.
pub struct Sparingly {
    per_second: u32,
    second: Instant,
    said: u32,
    unsaid: u64,
}

impl Sparingly {
    pub fn new(per_second: u32) -> Sparingly {
        Sparingly { per_second, second: Instant::now(), said: 0, unsaid: 0 }
    }

    pub fn line(&mut self, text: Arguments) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.summarize();
        }
        if self.said < self.per_second {
            self.said += 1;
            line(text);
        } else {
            self.unsaid += 1;
        }
    }

    /// Says how many lines were left out, and begins a new second.
    pub fn summarize(&mut self) {
        if self.unsaid > 0 {
            log!("... and {} more like it", self.unsaid);
        }
        *self = Sparingly::new(self.per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_instead_of_said() {
        let mut log = Sparingly::new(5);
        for number in 0..1000 {
            log.line(format_args!("bad line {number}"));
        }
        assert_eq!((log.said, log.unsaid), (5, 995));
    }
}
