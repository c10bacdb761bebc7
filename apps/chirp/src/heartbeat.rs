//! A worker's sign of life, built as a dead man's switch: a key that disappears unless it is set again in time.

use std::time::Duration;

use crate::coordination::{Coordination, cmd};

pub const WORKERS: &str = "/chirp/workers/";
const EVERY: Duration = Duration::from_secs(1);
/// In milliseconds; survives four beats that do not get through.
const LIFETIME: u64 = 5000;

pub struct Heartbeat {
    adsum: Coordination,
    key: String,
}

impl Heartbeat {
    /// The first beat is done when this returns, so nobody takes a new worker for dead.
    pub async fn start(adsum: Coordination, instance: &str) -> Heartbeat {
        let mut heartbeat = Heartbeat { adsum, key: format!("{WORKERS}{instance}") };
        heartbeat.beat().await;
        heartbeat
    }

    /// Beats for as long as it is polled.
    pub async fn keep(&mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.beat().await;
        }
    }

    /// The worker ends on purpose, with nothing in hand.
    pub async fn end(mut self) {
        self.adsum.insist::<()>(cmd("DEL").arg(&self.key)).await;
    }

    async fn beat(&mut self) {
        self.adsum.insist::<()>(cmd("SET").arg(&self.key).arg(1).arg("PX").arg(LIFETIME)).await;
    }
}
