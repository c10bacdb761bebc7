//! The queue between the reader and the workers: a Redis list, used so that no tweet is lost.
//!
//! ```text
//!   LPUSH                          BLMOVE ... RIGHT LEFT                     LREM, once it is stored
//! reader --> /chirp/queue: c b a  ----------------------> /chirp/processing/INSTANCE: a --> gone
//!                         ^                                    |            |
//!                         +---- LPUSH, LREM: not now ----------+            +--> /chirp/dead: never
//! ```
//!
//! A tweet is in one of the lists at every moment, so a worker that dies leaves it in its processing list, from where
//! `recovery` moves it back. Each step adds before it removes: at worst a tweet is in two lists and is delivered twice,
//! which its id makes harmless.

use crate::coordination::{Coordination, cmd};
use crate::log::log;

pub const QUEUE: &str = "/chirp/queue";
const DEAD: &str = "/chirp/dead";
pub const PROCESSING: &str = "/chirp/processing/";

/// How long `take` waits for an item, in seconds; a worker asked to stop notices after that.
const WAIT: u64 = 1;

/// Queues one item and says how many are waiting.
pub async fn push(adsum: &mut Coordination, item: &str) -> u64 {
    adsum.insist(cmd("LPUSH").arg(QUEUE).arg(item)).await
}

pub async fn length(adsum: &mut Coordination) -> u64 {
    adsum.insist(cmd("LLEN").arg(QUEUE)).await
}

/// Puts everything that the instance had in hand back to where it is taken next, and says how much that was. Two may do
/// this at once, since every single item moves in one step.
pub async fn restore(adsum: &mut Coordination, instance: &str) -> u64 {
    let mut step = cmd("LMOVE");
    step.arg(format!("{PROCESSING}{instance}")).arg(QUEUE).arg("LEFT").arg("RIGHT");
    let mut moved = 0;
    while adsum.insist::<Option<Item>>(&step).await.is_some() {
        moved += 1;
    }
    moved
}

/// Bytes, as anybody could have pushed anything.
pub type Item = Vec<u8>;

/// The worker's end.
pub struct Queue {
    adsum: Coordination,
    instance: String,
    processing: String,
}

impl Queue {
    /// A worker that was restarted first puts back what it had in hand.
    pub async fn open(adsum: Coordination, instance: &str) -> Queue {
        let processing = format!("{PROCESSING}{instance}");
        let mut queue = Queue { adsum, instance: instance.to_string(), processing };
        queue.restore_own().await;
        queue
    }

    /// The next item, or `None` when there was none for a while.
    pub async fn take(&mut self) -> Option<Item> {
        let mut take = cmd("BLMOVE");
        take.arg(QUEUE).arg(&self.processing).arg("RIGHT").arg("LEFT").arg(WAIT);
        match self.adsum.ask(&take).await {
            Ok(Some(item)) => return Some(item),
            Ok(None) => {}
            Err(error) => log!("BLMOVE failed: {error}"),
        }
        // Nothing is in hand now. An item that is there nevertheless came with an answer that got lost.
        self.restore_own().await;
        None
    }

    /// It is stored: forget it.
    pub async fn done(&mut self, item: &[u8]) {
        self.adsum.insist::<()>(cmd("LREM").arg(&self.processing).arg(1).arg(item)).await;
    }

    /// Not now: to the end of the queue, so that others get their turn.
    pub async fn put_back(&mut self, item: &[u8]) {
        self.adsum.insist::<()>(cmd("LPUSH").arg(QUEUE).arg(item)).await;
        self.done(item).await;
    }

    /// Never: aside, with the reason, for somebody to look at.
    pub async fn bury(&mut self, item: &[u8], reason: &str) {
        let dead = serde_json::json!({"reason": reason, "item": String::from_utf8_lossy(item)});
        self.adsum.insist::<()>(cmd("LPUSH").arg(DEAD).arg(dead.to_string())).await;
        self.done(item).await;
    }

    async fn restore_own(&mut self) {
        let restored = restore(&mut self.adsum, &self.instance).await;
        if restored > 0 {
            log!("put back items={restored} of my own");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real_redis::RealRedis;

    #[tokio::test]
    async fn an_item_is_in_hand_until_it_is_done() {
        let Some(redis) = RealRedis::start() else { return };
        let mut adsum = redis.connect();
        for item in ["a", "b"] {
            push(&mut adsum, item).await;
        }
        let mut queue = Queue::open(redis.connect(), "w1").await;
        let item = queue.take().await.unwrap();
        assert_eq!(item, b"a", "the oldest first");
        assert_eq!(redis.list("/chirp/processing/w1").await, ["a"]);
        queue.done(&item).await;
        assert_eq!(redis.list("/chirp/processing/w1").await, Vec::<String>::new());
        assert_eq!(redis.list(QUEUE).await, ["b"]);
    }

    #[tokio::test]
    async fn a_restarted_worker_takes_what_it_had_in_hand_first() {
        let Some(redis) = RealRedis::start() else { return };
        let mut adsum = redis.connect();
        for item in ["a", "b", "c"] {
            push(&mut adsum, item).await;
        }
        Queue::open(redis.connect(), "w1").await.take().await.unwrap();
        let mut restarted = Queue::open(redis.connect(), "w1").await;
        assert_eq!(redis.list(QUEUE).await, ["c", "b", "a"]);
        assert_eq!(restarted.take().await.unwrap(), b"a");
    }

    #[tokio::test]
    async fn an_item_whose_answer_got_lost_is_found_by_the_idle_worker() {
        let Some(redis) = RealRedis::start() else { return };
        let mut queue = Queue::open(redis.connect(), "w1").await;
        redis.connect().insist::<u64>(cmd("LPUSH").arg("/chirp/processing/w1").arg("lost")).await;
        assert_eq!(queue.take().await, None);
        assert_eq!(queue.take().await.unwrap(), b"lost");
    }

    #[tokio::test]
    async fn an_item_put_back_lets_the_others_go_first() {
        let Some(redis) = RealRedis::start() else { return };
        let mut adsum = redis.connect();
        for item in ["a", "b"] {
            push(&mut adsum, item).await;
        }
        let mut queue = Queue::open(redis.connect(), "w1").await;
        let item = queue.take().await.unwrap();
        queue.put_back(&item).await;
        assert_eq!(redis.list(QUEUE).await, ["a", "b"]);
        assert_eq!(queue.take().await.unwrap(), b"b");
    }

    #[tokio::test]
    async fn a_poisonous_item_is_buried_with_its_reason_whatever_its_bytes() {
        let Some(redis) = RealRedis::start() else { return };
        redis.connect().insist::<u64>(cmd("LPUSH").arg(QUEUE).arg(b"\xff\x00garbage")).await;
        let mut queue = Queue::open(redis.connect(), "w1").await;
        let item = queue.take().await.unwrap();
        queue.bury(&item, "not a tweet").await;
        let dead = redis.list(DEAD).await;
        assert!(dead.len() == 1 && dead[0].contains("garbage") && dead[0].contains("not a tweet"));
        assert_eq!(redis.list("/chirp/processing/w1").await, Vec::<String>::new());
    }
}
