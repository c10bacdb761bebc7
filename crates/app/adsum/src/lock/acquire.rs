//! Waiting for a lock, in the agent's queue: first come, first served, and nothing is asked twice but after an agent
//! was away.
//!
//! What an answer that was lost had granted is found again by the owner's name when that is ours alone. Under a name that
//! was given to us it may be another's, and ends by itself.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::lease::Lease;
use super::resp::{Connection, Reply, Server};
use crate::client::{AGAIN, AWAY};

/// Beyond the time that the agent is asked to wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) server: Server,
    pub(super) key: String,
    pub(super) owner: Owner,
    pub(super) ttl: Duration,
    /// None is for as long as it takes.
    pub(super) wait: Option<Duration>,
    /// Of a semaphore: how many may hold it at once.
    pub(super) holders: Option<u32>,
}

/// Under which name it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody else has it.
    Unique(String),
    Given(String),
}

pub(super) enum Acquired {
    Granted(Lease),
    /// Others hold it still.
    Held,
}

impl Owner {
    pub(super) fn name(&self) -> &str {
        match self {
            Owner::Unique(name) | Owner::Given(name) => name,
        }
    }
}

impl Wanted {
    /// Takes the lock as soon as it is our turn, within the wait when there is one.
    pub(super) async fn acquire(&self) -> anyhow::Result<Acquired> {
        let deadline = self.wait.map(|wait| Instant::now() + wait);
        let mut connection = self.server.connect().await?;
        loop {
            let cut = match self.ask(connection, deadline).await {
                Ok(Some(mut lease)) => {
                    if lease.is_sure().await {
                        return Ok(Acquired::Granted(lease));
                    }
                    anyhow::anyhow!("the lock was lost before its grant was read")
                }
                Ok(None) => return Ok(Acquired::Held),
                // A connection that was cut off; what was said on one that was not is final.
                Err(error) if error.is::<std::io::Error>() => error,
                Err(error) => return Err(error),
            };
            connection = self.again().await.map_err(|error| error.context(cut.to_string()))?;
            // Granted, perhaps, and the answer lost: who waits would wait behind it.
            self.give_back().await;
        }
    }

    /// One place in the queue, to its end.
    async fn ask(
        &self,
        mut connection: Connection,
        deadline: Option<Instant>,
    ) -> anyhow::Result<Option<Lease>> {
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let words = self.words(rest);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let sent = Instant::now();
        let reply = connection.wait(&words, rest.map(|rest| rest + PATIENCE)).await?;
        let (key, fence) = match reply {
            Reply::Null => return Ok(None),
            Reply::Integer(fence) => (self.key.clone(), fence),
            Reply::Array(parts) => slot(&parts)?,
            reply => bail!("the agent answers LOCK with {reply:?}"),
        };
        Ok(Some(Lease::new(self.server.clone(), connection, key, fence, self.ttl, sent)))
    }

    fn words(&self, rest: Option<Duration>) -> Vec<String> {
        let ttl = self.ttl.as_millis().to_string();
        let mut words = ["LOCK", &self.key, self.owner.name(), "PX", &ttl].map(str::to_string).to_vec();
        match rest {
            Some(Duration::ZERO) => {}
            // 0 would be for ever.
            Some(rest) => words.extend(["WAIT".to_string(), rest.as_millis().max(1).to_string()]),
            None => words.extend(["WAIT".to_string(), "0".to_string()]),
        }
        if let Some(holders) = self.holders {
            words.extend(["LIMIT".to_string(), holders.to_string()]);
        }
        words
    }

    /// A connection to an agent that was away.
    async fn again(&self) -> anyhow::Result<Connection> {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(AGAIN).await;
            match self.server.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if begun.elapsed() > AWAY => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Gives back what was granted without our knowledge.
    pub(super) async fn give_back(&self) {
        if let Owner::Unique(name) = &self.owner {
            // What cannot be given back ends by itself.
            self.give_back_of(name).await.ok();
        }
    }

    async fn give_back_of(&self, owner: &str) -> anyhow::Result<()> {
        let mut connection = self.server.connect().await?;
        for key in self.keys() {
            // The fence first: if the key is ours then, the fence is ours, or the lock is free by now.
            let fence = connection.call(&["FENCE", &key]).await?;
            let value = connection.call(&["GET", &key]).await?;
            if let (Reply::Integer(fence), Reply::Bulk(value)) = (fence, value)
                && value == owner.as_bytes()
            {
                connection.call(&["UNLOCK", &key, &fence.to_string()]).await?;
            }
        }
        Ok(())
    }

    /// Where it may be held.
    fn keys(&self) -> Vec<String> {
        match self.holders {
            None => vec![self.key.clone()],
            Some(holders) => (1..=holders).map(|slot| format!("{}:{slot}", self.key)).collect(),
        }
    }

    /// How long the holder's lease lasts; None when it does not end by itself, or is one of many.
    pub(super) async fn rest(&self) -> Option<Duration> {
        let mut connection = self.server.connect().await.ok()?;
        match connection.call(&["PTTL", &self.key]).await.ok()? {
            Reply::Integer(millis) => Some(Duration::from_millis(u64::try_from(millis).ok()?)),
            _ => None,
        }
    }
}

/// The place of a semaphore that was granted, and its fence.
fn slot(parts: &[Reply]) -> anyhow::Result<(String, i64)> {
    match parts {
        [Reply::Bulk(key), Reply::Integer(fence)] => Ok((String::from_utf8(key.clone())?, *fence)),
        parts => bail!("the agent answers LOCK with {parts:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(holders: Option<u32>, rest: Option<Duration>, expect: &str) {
        let wanted = Wanted {
            server: Server { address: String::new() },
            key: "/l".to_string(),
            owner: Owner::Given("me".to_string()),
            ttl: Duration::from_secs(1),
            wait: None,
            holders,
        };
        assert_eq!(wanted.words(rest).join(" "), expect);
    }

    #[test]
    fn the_agent_is_asked_to_wait_for_what_is_left() {
        check(None, None, "LOCK /l me PX 1000 WAIT 0");
        check(None, Some(Duration::ZERO), "LOCK /l me PX 1000");
        check(None, Some(Duration::from_micros(3)), "LOCK /l me PX 1000 WAIT 1");
        check(Some(2), Some(Duration::from_secs(2)), "LOCK /l me PX 1000 WAIT 2000 LIMIT 2");
    }
}
