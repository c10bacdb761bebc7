//! `chirp worker`: takes tweets from the queue and brings them to the services of their users.
//!
//! One at a time: for more at a time, scale (`adsum service scale chirp-worker=5`). On SIGTERM it lets go of its tweet
//! and its lock; on SIGKILL the other workers find both.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::coordination::Coordination;
use crate::delivery::{Courier, Outcome, Route};
use crate::deployment::Deployment;
use crate::environment::Environment;
use crate::heartbeat::Heartbeat;
use crate::lock::Locksmith;
use crate::log::log;
use crate::queue::{Item, Queue};
use crate::recovery;
use crate::stop::Stop;
use crate::watch::Watch;

pub async fn run(environment: Environment, stop: Stop) -> anyhow::Result<()> {
    let adsum = Coordination::at(&environment.resp)?;
    let watch = Arc::new(Watch::default());
    let mut heartbeat = Heartbeat::start(adsum.another(), &environment.instance).await;
    let mut worker = Worker {
        queue: Queue::open(adsum.another(), &environment.instance).await,
        courier: Courier {
            locksmith: Locksmith::new(adsum.another()),
            watch: watch.clone(),
            route: Route {
                catalog: Catalog::at(&environment.http),
                deployment: Deployment::through(&environment.http)?,
            },
            stop: stop.clone(),
        },
    };
    log!("working instance={}", environment.instance);
    tokio::select! {
        () = worker.work(&stop) => {}
        () = heartbeat.keep() => {}
        () = recovery::keep(adsum.another(), &watch.heartbeat_ended) => {}
        () = watch.keep(adsum.another()) => {}
    }
    heartbeat.end().await;
    Ok(())
}

struct Worker {
    queue: Queue,
    courier: Courier,
}

impl Worker {
    async fn work(&mut self, stop: &Stop) {
        while !stop.requested() {
            if let Some(item) = self.queue.take().await {
                self.handle(item).await;
            }
        }
    }

    async fn handle(&mut self, item: Item) {
        match self.courier.deliver(&item).await {
            Outcome::Stored => self.queue.done(&item).await,
            Outcome::Later(reason) => {
                log!("put a tweet back: {reason}");
                self.queue.put_back(&item).await;
            }
            Outcome::Poison(reason) => {
                log!("buried an item in /chirp/dead: {reason}");
                self.queue.bury(&item, &reason).await;
            }
        }
    }
}
