//! A watch of keys that goes on behind the last id it has seen, so that a restart of the agent leaves no gap.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::{Client, Message, Messages, Path};

/// How long the agent may be away.
pub(crate) const AWAY: Duration = Duration::from_secs(10);
pub(crate) const AGAIN: Duration = Duration::from_millis(200);

pub(crate) struct Watch<'a> {
    client: &'a Client,
    prefix: String,
    /// Behind which it goes on.
    last: Option<String>,
    stream: Option<Messages>,
    /// Whether the agent has ever begun to tell.
    begun: bool,
    away: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Of the keys that begin with `prefix`, behind `from`, or from now on.
    pub(crate) fn new(client: &'a Client, prefix: &str, from: Option<String>) -> Watch<'a> {
        Watch { client, prefix: prefix.to_string(), last: from, stream: None, begun: false, away: None }
    }

    /// The revision behind which it begins, from the agent.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<u64> {
        let mut stream = self.open().await?;
        let id = stream.place().await?;
        let revision = id.parse().with_context(|| format!("the agent begins its watch at '{id}'"))?;
        self.last = Some(id);
        self.stream = Some(stream);
        Ok(revision)
    }

    /// The next message, which is the last one when it is [`Message::compacted`]. An error when the agent refuses, or
    /// stays away for long.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Message> {
        loop {
            let cut = match self.try_next().await? {
                Ok(message) => return Ok(message),
                Err(cut) => cut,
            };
            self.stream = None;
            if !self.begun || self.away.get_or_insert_with(Instant::now).elapsed() > AWAY {
                return Err(self.ended(cut));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Begins anew, from now on.
    pub(crate) fn forget(&mut self) {
        self.last = None;
        self.stream = None;
    }

    /// The inner error is that of a stream that was cut off, and may go on.
    async fn try_next(&mut self) -> anyhow::Result<Result<Message, anyhow::Error>> {
        if self.stream.is_none() {
            match self.open().await {
                Ok(stream) => self.stream = Some(stream),
                Err(error) if error.status().is_none() => return Ok(Err(error.into())),
                Err(error) => return Err(error.into()),
            }
        }
        let stream = self.stream.as_mut().context("it was opened")?;
        let next = stream.next().await;
        if let Some(id) = stream.last_id() {
            self.last = Some(id.to_string());
            self.begun = true;
            self.away = None;
        }
        Ok(next.and_then(|message| message.ok_or_else(|| anyhow!("the agent has closed the watch"))))
    }

    async fn open(&self) -> Result<Messages, super::Error> {
        let path = Path::of(&["api", "watch"]).query("prefix", &self.prefix);
        let body = self.client.stream(path.query_if("from", self.last.as_ref())).await?;
        Ok(Messages::new(body))
    }

    fn ended(&self, cut: anyhow::Error) -> anyhow::Error {
        match self.last.as_ref().filter(|_| self.begun) {
            Some(last) => cut.context(format!("the watch ended behind {last} (go on with --from {last})")),
            None => cut,
        }
    }
}
