//! How an instance is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Only `Passing` is routable and resolvable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Started, and not yet proven by its check.
    Starting,
    Passing,
    /// Answers, with a complaint: exit code 1 of a command, status 429 of an HTTP check.
    Warning,
    Critical,
    /// Being taken away: finishes what it has, gets nothing new.
    Draining,
    /// Taken out by a person.
    Maintenance,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Starting => "starting",
            Health::Passing => "passing",
            Health::Warning => "warning",
            Health::Critical => "critical",
            Health::Draining => "draining",
            Health::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
