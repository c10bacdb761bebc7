//! One line of a history: a call, its return, or a fault that somebody made. As JSON, one object per line:
//!
//! ```text
//! {"at":1203,"event":"call","client":3,"key":"/a","op":"compare","expect":"2-7","value":"3-1"}
//! {"at":1250,"event":"fault","fault":"kill -9 of the agent"}
//! {"at":1310,"event":"return","client":3,"outcome":"ok","result":"done","of":true,"revision":9}
//! ```
//!
//! A call is written before the request is sent and its return after the answer was read, so that whatever happened
//! did so between the two.

use std::io::{BufRead, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What happened when, in nanoseconds of one machine's monotonic clock since the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: u64,
    #[serde(flatten)]
    pub happened: Happened,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Happened {
    Call {
        client: u64,
        key: String,
        #[serde(flatten)]
        action: Action,
    },
    Return {
        client: u64,
        #[serde(flatten)]
        outcome: Outcome,
    },
    Fault {
        fault: String,
    },
}

/// What a client asked for. Every value that is written in a history is written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Action {
    Read,
    Write {
        value: String,
    },
    Delete,
    /// Writes if the key has this value, or none.
    Compare {
        expect: Option<String>,
        value: String,
    },
    Acquire {
        #[serde(with = "millis")]
        ttl: Duration,
    },
    Renew {
        fence: u64,
        #[serde(with = "millis")]
        ttl: Duration,
    },
    Release {
        fence: u64,
    },
    /// Who holds the lock.
    Inspect,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    Ok {
        #[serde(flatten)]
        answer: Answer,
        /// Of the value that was read, or of the write; of the keyspace when nothing was there to be read.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        revision: Option<u64>,
    },
    /// It was certainly not carried out: nobody listened, or it was refused.
    Failed,
    /// A time-out or a lost connection. Nobody knows, and the client's id is never used again.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", content = "of", rename_all = "lowercase")]
pub enum Answer {
    /// Of a read.
    Value(Option<String>),
    /// Whether it was done: a compare that did not fit and a delete of nothing were not.
    Done(bool),
    /// Of an acquire that was granted, or of who holds the lock; none of an acquire that was not, and of a free lock.
    Fence(Option<u64>),
    /// A fence that is not the holder's, which is this; 0 when nobody is.
    Fenced(u64),
}

impl Action {
    /// Whether it changes nothing, so that one of unknown outcome can be forgotten.
    pub fn only_reads(&self) -> bool {
        matches!(self, Action::Read | Action::Inspect)
    }

    /// What it would write.
    pub fn written(&self) -> Option<&str> {
        match self {
            Action::Write { value } | Action::Compare { value, .. } => Some(value),
            Action::Read
            | Action::Delete
            | Action::Acquire { .. }
            | Action::Renew { .. }
            | Action::Release { .. }
            | Action::Inspect => None,
        }
    }
}

/// A line that is none of a history.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the history cannot be read")]
pub struct Unreadable {
    line: usize,
    source: std::io::Error,
}

/// Appends one line.
pub fn write(event: &Event, out: &mut impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

/// All lines.
pub fn read(lines: impl BufRead) -> Result<Vec<Event>, Unreadable> {
    let parse = |line: std::io::Result<String>| Ok(serde_json::from_str(&line?)?);
    let numbered = (1..).zip(lines.lines());
    numbered.map(|(line, text)| parse(text).map_err(|source| Unreadable { line, source })).collect()
}

mod millis {
    use super::{Deserialize, Duration};

    pub(super) fn serialize<S: serde::Serializer>(ttl: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u128(ttl.as_millis())
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(happened: Happened, expect: &str) {
        let event = Event { at: 7, happened };
        let mut text = Vec::new();
        write(&event, &mut text).unwrap();
        assert_eq!(String::from_utf8(text.clone()).unwrap(), format!("{expect}\n"));
        assert_eq!(read(text.as_slice()).unwrap(), [event]);
    }

    #[test]
    fn every_line_is_read_as_it_was_written() {
        let compare = Action::Compare { expect: None, value: "1-1".to_string() };
        check(
            Happened::Call { client: 3, key: "/a".to_string(), action: compare },
            r#"{"at":7,"event":"call","client":3,"key":"/a","op":"compare","expect":null,"value":"1-1"}"#,
        );
        let acquire = Action::Acquire { ttl: Duration::from_millis(500) };
        check(
            Happened::Call { client: 3, key: "/l".to_string(), action: acquire },
            r#"{"at":7,"event":"call","client":3,"key":"/l","op":"acquire","ttl":500}"#,
        );
        let answer = Answer::Value(Some("1-1".to_string()));
        check(
            Happened::Return { client: 3, outcome: Outcome::Ok { answer, revision: Some(9) } },
            r#"{"at":7,"event":"return","client":3,"outcome":"ok","result":"value","of":"1-1","revision":9}"#,
        );
        check(
            Happened::Return { client: 3, outcome: Outcome::Unknown },
            r#"{"at":7,"event":"return","client":3,"outcome":"unknown"}"#,
        );
        check(
            Happened::Fault { fault: "kill -9".to_string() },
            r#"{"at":7,"event":"fault","fault":"kill -9"}"#,
        );
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let text = "{\"at\":7,\"event\":\"fault\",\"fault\":\"x\"}\nnot one\n";
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the history cannot be read");
    }
}
