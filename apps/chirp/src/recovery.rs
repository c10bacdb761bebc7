//! Puts back what dead workers had in hand. Every worker does this for all the others.
//!
//! Dead is who has a processing list and no heartbeat. A worker that only seemed dead, because its machine stood still,
//! goes on with its item, which is then delivered twice: harmless, as everywhere here.

use std::time::Duration;

use tokio::sync::Notify;

use crate::coordination::{Coordination, cmd};
use crate::heartbeat::WORKERS;
use crate::log::log;
use crate::queue::{self, PROCESSING};

/// The look around that needs no event to have got through.
const AT_LEAST_EVERY: Duration = Duration::from_secs(2);

/// Looks around at once, whenever a heartbeat ended, and every now and then, for as long as it is polled.
pub async fn keep(mut adsum: Coordination, heartbeat_ended: &Notify) {
    loop {
        recover(&mut adsum).await;
        let _ = tokio::time::timeout(AT_LEAST_EVERY, heartbeat_ended.notified()).await;
    }
}

async fn recover(adsum: &mut Coordination) -> u64 {
    let mut recovered = 0;
    for list in adsum.insist::<Vec<String>>(cmd("KEYS").arg(format!("{PROCESSING}*"))).await {
        let instance = &list[PROCESSING.len()..];
        if !adsum.insist::<bool>(cmd("EXISTS").arg(format!("{WORKERS}{instance}"))).await {
            let items = queue::restore(adsum, instance).await;
            if items > 0 {
                log!("worker {instance} is dead, put back items={items}");
            }
            recovered += items;
        }
    }
    recovered
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::heartbeat::Heartbeat;
    use crate::queue::{QUEUE, Queue, push};
    use crate::real_redis::RealRedis;
    use crate::watch::Watch;

    #[tokio::test]
    async fn the_items_of_the_dead_come_back_and_those_of_the_living_do_not() {
        let Some(redis) = RealRedis::start() else { return };
        let mut adsum = redis.connect();
        for item in ["a", "b"] {
            push(&mut adsum, item).await;
        }
        let _alive = Heartbeat::start(redis.connect(), "alive").await;
        Queue::open(redis.connect(), "dead").await.take().await.unwrap();
        Queue::open(redis.connect(), "alive").await.take().await.unwrap();
        assert_eq!(recover(&mut adsum).await, 1);
        assert_eq!(redis.list(QUEUE).await, ["a"]);
        assert_eq!(redis.list("/chirp/processing/alive").await, ["b"]);
    }

    #[tokio::test]
    async fn nothing_is_lost_or_doubled_when_several_recover_at_once() {
        let Some(redis) = RealRedis::start() else { return };
        let mut adsum = redis.connect();
        for item in 0..500 {
            let list = format!("/chirp/processing/dead-{}", item % 5);
            adsum.insist::<u64>(cmd("LPUSH").arg(list).arg(item)).await;
        }
        let workers = (0..4).map(|_| {
            let mut adsum = redis.connect();
            async move { recover(&mut adsum).await }
        });
        let recovered: u64 = futures_util::future::join_all(workers).await.iter().sum();
        assert_eq!(recovered, 500);
        let mut items: Vec<u64> = redis.list(QUEUE).await.iter().map(|item| item.parse().unwrap()).collect();
        items.sort_unstable();
        assert_eq!(items, (0..500).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_expired_heartbeat_is_noticed_before_the_next_look_around() {
        let Some(redis) = RealRedis::start() else { return };
        let watch = Arc::new(Watch::default());
        let heard = watch.clone();
        let adsum = redis.connect();
        tokio::spawn(async move { heard.keep(adsum).await });
        redis.subscribed(2).await;
        redis.connect().insist::<()>(cmd("SET").arg("/chirp/workers/w1").arg(1).arg("PX").arg(50)).await;
        let noticed = tokio::time::timeout(Duration::from_secs(10), watch.heartbeat_ended.notified()).await;
        assert!(noticed.is_ok());
    }
}
