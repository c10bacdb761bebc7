//! Hears what becomes of heartbeats and locks, by keyspace notifications.
//!
//! An event may get lost while the connection is down. So nobody relies on one: whoever waits for an event also looks
//! every now and then, and the event only makes it prompt.

use futures_util::StreamExt;
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::coordination::{Coordination, cmd};
use crate::heartbeat::WORKERS;
use crate::lock;
use crate::log::log;

#[derive(Default)]
pub struct Watch {
    pub heartbeat_ended: Notify,
    pub lock_freed: Notify,
}

impl Watch {
    /// Listens for as long as it is polled.
    pub async fn keep(&self, mut adsum: Coordination) {
        let mut backoff = Backoff::network();
        loop {
            if let Err(error) = self.listen(&mut adsum).await {
                log!("watching failed, trying again: {error}");
            }
            backoff.sleep().await;
        }
    }

    async fn listen(&self, adsum: &mut Coordination) -> redis::RedisResult<()> {
        // Adsum sends notifications without being told to, Redis does not.
        adsum.ask::<()>(cmd("CONFIG").arg("SET").arg("notify-keyspace-events").arg("AKE")).await?;
        let mut events = adsum.client().get_async_pubsub().await?;
        events.psubscribe(format!("{CHANNEL}{WORKERS}*")).await?;
        events.psubscribe(format!("{CHANNEL}{}*", lock::PREFIX)).await?;
        let mut events = events.into_on_message();
        while let Some(event) = events.next().await {
            if matches!(event.get_payload_bytes(), b"expired" | b"del") {
                self.ended(event.get_channel_name());
            }
        }
        Ok(())
    }

    fn ended(&self, channel: &str) {
        let key = channel.trim_start_matches(CHANNEL);
        if key.starts_with(WORKERS) {
            self.heartbeat_ended.notify_one();
        } else {
            self.lock_freed.notify_one();
        }
    }
}

const CHANNEL: &str = "__keyspace@0__:";
