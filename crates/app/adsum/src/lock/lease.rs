//! A lock in our hands: taken, renewed, and given back under our own token.
//!
//! The lease is ours until its time after the *sending* of the last renewal that was granted: the agent cannot have
//! begun to count before that.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::resp::{Connection, Reply, Server};
use crate::client::random_token;

/// After a renewal that did not get through.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Lease {
    server: Server,
    key: String,
    token: String,
    ttl: Duration,
    /// None when the last command on it is without an answer.
    connection: Option<Connection>,
    /// When the last granted renewal was sent.
    renewed: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The key is gone, or another's.
    Refused,
    /// No renewal got through in time.
    Expired { last: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    Done,
    WasLost,
}

impl Lease {
    pub(super) fn new(server: Server, key: String, ttl: Duration) -> Lease {
        Lease { server, key, token: random_token(), ttl, connection: None, renewed: Instant::now() }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Takes the lock if nobody has it.
    pub(super) async fn take(&mut self) -> anyhow::Result<bool> {
        let (key, token, ttl) = (self.key.clone(), self.token.clone(), self.millis());
        self.set(&["SET", &key, &token, "NX", "PX", &ttl]).await
    }

    /// How long the holder's lease lasts; None when it does not end by itself.
    pub(super) async fn rest(&mut self) -> anyhow::Result<Option<Duration>> {
        let key = self.key.clone();
        match self.call(&["PTTL", &key]).await? {
            Reply::Integer(-1) => Ok(None),
            // -2: it has gone meanwhile.
            Reply::Integer(millis) => Ok(Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))),
            reply => anyhow::bail!("the agent answers PTTL with {reply:?}"),
        }
    }

    /// Renews the lease for as long as it can be. May be dropped and called again at any time.
    pub(super) async fn keep(&mut self) -> Lost {
        let mut last = "no renewal got through in time".to_string();
        let mut due = self.renewed + self.ttl / 3;
        loop {
            let deadline = self.renewed + self.ttl;
            tokio::time::sleep_until(due.min(deadline)).await;
            if Instant::now() >= deadline {
                return Lost::Expired { last };
            }
            // A connection that hangs must leave time for another.
            let patience = deadline.min(Instant::now() + self.ttl / 3);
            match tokio::time::timeout_at(patience, self.renew()).await {
                Ok(Ok(true)) => due = self.renewed + self.ttl / 3,
                Ok(Ok(false)) => return Lost::Refused,
                Ok(Err(error)) => {
                    last = format!("{error:#}");
                    due = Instant::now() + AGAIN;
                }
                Err(_elapsed) => due = Instant::now(),
            }
        }
    }

    async fn renew(&mut self) -> anyhow::Result<bool> {
        let (key, token, ttl) = (self.key.clone(), self.token.clone(), self.millis());
        self.set(&["SET", &key, &token, "IFEQ", &token, "PX", &ttl]).await
    }

    /// Gives the lock back if it is still ours. On a connection of its own, so that no reply is taken for another's.
    pub(super) async fn release(&self) -> anyhow::Result<Released> {
        let first = self.delete().await;
        let (reply, again) = match first {
            Ok(reply) => (reply, false),
            Err(_) => (self.delete().await?, true),
        };
        // Of two attempts the first may have been the one that counted.
        Ok(if reply == Reply::Integer(0) && !again { Released::WasLost } else { Released::Done })
    }

    async fn delete(&self) -> anyhow::Result<Reply> {
        self.server.connect().await?.call(&["DELEX", &self.key, "IFEQ", &self.token]).await
    }

    /// A conditional SET: whether its condition held.
    async fn set(&mut self, words: &[&str]) -> anyhow::Result<bool> {
        let sent = Instant::now();
        let granted = match self.call(words).await? {
            Reply::Simple(_) => true,
            Reply::Null => false,
            reply => anyhow::bail!("the agent answers SET with {reply:?}"),
        };
        if granted {
            self.renewed = sent;
        }
        Ok(granted)
    }

    /// The connection is put back only when the answer has come.
    async fn call(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        let reply = connection.call(words).await?;
        self.connection = Some(connection);
        Ok(reply)
    }

    fn millis(&self) -> String {
        self.ttl.as_millis().to_string()
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Refused => f.write_str("its key was removed, or another has it"),
            Lost::Expired { last } => f.write_str(last),
        }
    }
}
