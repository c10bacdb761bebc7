//! The commands of locks, with their answers as values.

use std::io::Result;
use std::time::Duration;

use crate::resp::{Connection, Reply};

/// How long somebody stands in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Not,
    AtMost(Duration),
    ForEver,
}

/// What an operation under a fence came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    Done,
    /// Refused: this fence holds now, 0 for none.
    By(u64),
}

impl Connection {
    /// The fence, if it was granted.
    pub fn lock(&mut self, key: &str, owner: &str, ttl: Duration, wait: Wait) -> Result<Option<u64>> {
        self.send_lock(key, owner, ttl, wait)?;
        self.granted()
    }

    /// A LOCK whose answer is read later, with [`granted`](Connection::granted).
    pub fn send_lock(&mut self, key: &str, owner: &str, ttl: Duration, wait: Wait) -> Result<()> {
        let ttl = ttl.as_millis().to_string();
        let mut command = vec!["LOCK", key, owner, "PX", &ttl];
        let millis = match wait {
            Wait::Not => return self.send(&command),
            Wait::AtMost(wait) => wait.as_millis().max(1).to_string(),
            Wait::ForEver => "0".to_string(),
        };
        command.extend(["WAIT", &millis]);
        self.send(&command)
    }

    pub fn granted(&mut self) -> Result<Option<u64>> {
        self.read().map(fence)
    }

    pub fn renew(&mut self, key: &str, fence: u64, ttl: Duration) -> Result<Fenced> {
        self.under(&["RENEW", key, &fence.to_string(), "PX", &ttl.as_millis().to_string()])
    }

    pub fn unlock(&mut self, key: &str, fence: u64) -> Result<Fenced> {
        self.under(&["UNLOCK", key, &fence.to_string()])
    }

    /// Writes `value` only while `lock` is held under this fence.
    pub fn set_under(&mut self, key: &str, value: &str, lock: &str, fence: u64) -> Result<Fenced> {
        self.under(&["SET", key, value, "FENCE", lock, &fence.to_string()])
    }

    /// The fence under which the lock is held.
    pub fn fence(&mut self, key: &str) -> Result<Option<u64>> {
        self.ask(&["FENCE", key]).map(fence)
    }

    fn under(&mut self, command: &[&str]) -> Result<Fenced> {
        Ok(match self.ask(command)? {
            Reply::Text(text) if text == "OK" => Fenced::Done,
            Reply::Error(error) => {
                let current = error.strip_prefix("FENCED ").and_then(|current| current.parse().ok());
                Fenced::By(current.unwrap_or_else(|| panic!("{command:?}: {error}")))
            }
            other => panic!("{command:?}: {other:?}"),
        })
    }
}

fn fence(reply: Reply) -> Option<u64> {
    match reply {
        Reply::Text(fence) => Some(fence.parse().unwrap_or_else(|_| panic!("{fence} is no fence"))),
        Reply::Nil => None,
        other => panic!("no fence: {other:?}"),
    }
}
