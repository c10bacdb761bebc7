//! A lock in our hands: renewed and given back under its fence.
//!
//! The lease is ours until its time after the *sending* of the last command that was granted: the agent cannot have
//! begun to count before that.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::resp::{Connection, Reply, Server};

/// After a renewal that did not get through.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Lease {
    server: Server,
    key: String,
    fence: String,
    ttl: Duration,
    /// None when the last command on it is without an answer.
    connection: Option<Connection>,
    /// When the last command that was granted was sent.
    renewed: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The key is gone, or another's.
    Refused { current: String },
    /// No renewal got through in time.
    Expired { last: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    Done,
    WasLost,
}

impl Lease {
    /// Granted by a command that was sent at `sent`.
    pub(super) fn new(
        server: Server,
        connection: Connection,
        key: String,
        fence: i64,
        ttl: Duration,
        sent: Instant,
    ) -> Lease {
        Lease { server, key, fence: fence.to_string(), ttl, connection: Some(connection), renewed: sent }
    }

    /// Of a semaphore, the place in it.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn fence(&self) -> &str {
        &self.fence
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether there is enough of its time left. The grant may have come long after it was asked for, and long before it
    /// was read: a renewal then tells.
    pub(super) async fn is_sure(&mut self) -> bool {
        if self.renewed.elapsed() < self.ttl / 3 {
            return true;
        }
        let renewed = tokio::time::timeout(self.ttl, self.renew()).await;
        matches!(renewed, Ok(Ok(Ok(())))) && self.renewed.elapsed() < self.ttl
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
                Ok(Ok(Ok(()))) => due = self.renewed + self.ttl / 3,
                Ok(Ok(Err(lost))) => return lost,
                Ok(Err(error)) => {
                    last = format!("{error:#}");
                    due = Instant::now() + AGAIN;
                }
                Err(_elapsed) => due = Instant::now(),
            }
        }
    }

    async fn renew(&mut self) -> anyhow::Result<Result<(), Lost>> {
        // The connection is put back only when the answer has come.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        let ttl = self.ttl.as_millis().to_string();
        let sent = Instant::now();
        let reply = connection.ask(&["RENEW", &self.key, &self.fence, "PX", &ttl]).await?;
        self.connection = Some(connection);
        if let Some(current) = fenced(&reply) {
            return Ok(Err(Lost::Refused { current }));
        }
        reply.granted("RENEW")?;
        self.renewed = sent;
        Ok(Ok(()))
    }

    /// Gives the lock back if it is still ours. On a connection of its own, so that no reply is taken for another's.
    pub(super) async fn release(&self) -> anyhow::Result<Released> {
        match self.unlock().await {
            Ok(released) => Ok(released),
            // Of two attempts the first may have been the one that counted.
            Err(_) => self.unlock().await.map(|_| Released::Done),
        }
    }

    async fn unlock(&self) -> anyhow::Result<Released> {
        let mut connection = self.server.connect().await?;
        let reply = connection.ask(&["UNLOCK", &self.key, &self.fence]).await?;
        if fenced(&reply).is_some() {
            return Ok(Released::WasLost);
        }
        reply.granted("UNLOCK").map(|()| Released::Done)
    }
}

/// The fence that holds now, when it is another than was shown; 0 for none.
fn fenced(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Error(text) => text.strip_prefix("FENCED ").map(str::to_string),
        _ => None,
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Refused { current } if current == "0" => f.write_str("its key is gone"),
            Lost::Refused { current } => write!(f, "another has it, under the fence {current}"),
            Lost::Expired { last } => f.write_str(last),
        }
    }
}
