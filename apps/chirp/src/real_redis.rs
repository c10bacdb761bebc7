//! What the unit tests ask of a real Redis server.

use crate::coordination::{Coordination, cmd};
use crate::redis_server::RedisServer;

pub struct RealRedis(RedisServer);

impl RealRedis {
    pub fn start() -> Option<RealRedis> {
        RedisServer::start().map(RealRedis)
    }

    pub fn connect(&self) -> Coordination {
        Coordination::at(&self.0.url()).unwrap()
    }

    pub async fn list(&self, key: &str) -> Vec<String> {
        self.connect().insist(cmd("LRANGE").arg(key).arg(0).arg(-1)).await
    }

    /// Waits until so many patterns are subscribed to.
    pub async fn subscribed(&self, patterns: u64) {
        let mut redis = self.connect();
        while redis.insist::<u64>(cmd("PUBSUB").arg("NUMPAT")).await < patterns {
            tokio::task::yield_now().await;
        }
    }
}
