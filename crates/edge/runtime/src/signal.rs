//! A signal, as people name it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A signal of Linux, 1 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(nix::sys::signal::Signal);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no signal: give a name such as SIGTERM or TERM, or a number from 1 to 31")]
pub struct ParseSignalError(String);

impl Signal {
    pub const TERM: Signal = Signal(nix::sys::signal::SIGTERM);
    pub const KILL: Signal = Signal(nix::sys::signal::SIGKILL);

    pub fn number(self) -> i32 {
        self.0 as i32
    }
}

impl FromStr for Signal {
    type Err = ParseSignalError;

    /// Takes `SIGTERM`, `TERM`, `term` and `15`.
    fn from_str(text: &str) -> Result<Signal, ParseSignalError> {
        if let Ok(number) = text.parse::<i32>() {
            return Signal::try_from(number);
        }
        let upper = text.to_ascii_uppercase();
        let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        name.parse().map(Signal).map_err(|_| ParseSignalError(text.to_string()))
    }
}

impl TryFrom<i32> for Signal {
    type Error = ParseSignalError;

    fn try_from(number: i32) -> Result<Signal, ParseSignalError> {
        nix::sys::signal::Signal::try_from(number)
            .map(Signal)
            .map_err(|_| ParseSignalError(number.to_string()))
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.number()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_parses_by_name_short_name_and_number() {
        for text in ["SIGTERM", "TERM", "term", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM), "{text}");
        }
        for text in ["", "SIG", "0", "99", "KILLER"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
    }
}
