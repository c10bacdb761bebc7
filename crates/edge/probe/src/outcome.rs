//! What a probe has found.

use std::io;
use std::time::Duration;

use adsum_model::{Health, print_duration, registered};

/// How much output is kept, in bytes; Consul's limit for a check's output.
pub const OUTPUT_LIMIT: usize = 4 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: Status,
    /// For people; at most [`OUTPUT_LIMIT`] bytes.
    pub output: String,
}

/// The three words that a check has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Passing,
    Warning,
    Critical,
}

impl Outcome {
    pub(crate) fn new(status: Status, output: impl Into<String>) -> Outcome {
        let mut output = output.into();
        output.truncate(output.floor_char_boundary(OUTPUT_LIMIT));
        Outcome { status, output }
    }

    pub(crate) fn critical(output: impl Into<String>) -> Outcome {
        Outcome::new(Status::Critical, output)
    }

    pub(crate) fn late(what: &str, timeout: Duration) -> Outcome {
        Outcome::critical(format!("{what}: no answer within {}", print_duration(timeout)))
    }
}

impl From<Status> for Health {
    fn from(status: Status) -> Health {
        match status {
            Status::Passing => Health::Passing,
            Status::Warning => Health::Warning,
            Status::Critical => Health::Critical,
        }
    }
}

impl From<Status> for registered::Status {
    fn from(status: Status) -> registered::Status {
        match status {
            Status::Passing => registered::Status::Passing,
            Status::Warning => registered::Status::Warning,
            Status::Critical => registered::Status::Critical,
        }
    }
}

/// `connection refused` rather than `Connection refused (os error 111)`.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_between_characters() {
        let outcome = Outcome::critical("ä".repeat(OUTPUT_LIMIT));
        assert_eq!(outcome.output.len(), OUTPUT_LIMIT);
        let outcome = Outcome::critical(format!("x{}", "ä".repeat(OUTPUT_LIMIT)));
        assert_eq!(outcome.output.len(), OUTPUT_LIMIT - 1);
    }

    #[test]
    fn an_error_reads_as_part_of_a_sentence() {
        assert_eq!(plain(&io::Error::from_raw_os_error(111)), "connection refused");
        assert_eq!(plain(&io::Error::other("odd")), "odd");
    }
}
