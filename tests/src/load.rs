//! Load that does not wait: requests begin at a constant rate whether or not earlier ones are answered, each is accounted
//! for, and its latency counts from when it was to begin. A server that stands still for a second cannot hide it by
//! being asked less.
//!
//! ```text
//! let load = Load::start(Plan::new(agent.gateway(), "web.local", 500).mix([get("/"), post("/order", 200)]));
//! agent.adsum(&["service", "scale", "web=4"]).ok();
//! let report = load.stop();                       // waits for what is still in flight
//! assert_eq!(report.failures(), [], "{report}");
//! ```
//!
//! A request of which not a byte was sent, since a kept connection had been closed, goes over a fresh one, as every
//! client does; nothing else is ever repeated. What is late by less than a millisecond is the generator's own timer.

mod client;
mod plan;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

pub use plan::{Plan, Protocol, Shot, get, post};
pub use report::{Latencies, Outcome, Record, Report};

/// Load that runs beside the test, and ends with it however that ends: the next test may get the address that it goes to.
pub struct Load {
    begin: Instant,
    shared: Arc<Shared>,
    /// None when it was stopped.
    thread: Option<JoinHandle<Report>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Nobody asks what has become of what is in flight.
    given_up: AtomicBool,
    begun: AtomicU64,
    answered: AtomicU64,
}

impl Load {
    pub fn start(plan: Plan) -> Load {
        Load::counting_from(Instant::now(), plan)
    }

    /// Load that counts from this moment, as others beside it do.
    pub fn counting_from(begin: Instant, plan: Plan) -> Load {
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(generate(plan, begin, &inside))
        });
        Load { begin, shared, thread: Some(thread) }
    }

    /// How long it has gone on: what the records count from.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// How many requests have begun.
    pub fn begun(&self) -> u64 {
        self.shared.begun.load(Ordering::Relaxed)
    }

    /// How many have come to an end, whatever that was.
    pub fn ended(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more have come to an end: that much load has surely met what the test does.
    #[track_caller]
    pub fn go_on_for(&self, requests: u64) {
        let goal = self.ended() + requests;
        crate::until("the load has gone on", Duration::from_secs(60), || {
            (self.ended() >= goal).then_some(())
        });
    }

    /// Waits until so many have come to an end; see [`Plan::requests`].
    #[track_caller]
    pub fn stop_after(self, requests: u64) -> Report {
        crate::until_ok("the load is through", Duration::from_secs(600), || {
            let ended = self.ended();
            if ended >= requests { Ok(()) } else { Err(format!("{ended} of {requests}")) }
        });
        self.stop()
    }

    /// Begins no more, and waits for the end of those that are in flight.
    pub fn stop(mut self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("the load generator does not panic")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.given_up.store(true, Ordering::Relaxed);
            self.shared.stop.store(true, Ordering::Relaxed);
            // Whatever it has to say, nobody asks.
            let _ = thread.join();
        }
    }
}

async fn generate(plan: Plan, begin: Instant, shared: &Arc<Shared>) -> Report {
    let (ended, mut records) = mpsc::unbounded_channel();
    let client = client::Client::new(&plan);
    let plan = Arc::new(plan);
    let mut number = 0;
    while !shared.stop.load(Ordering::Relaxed) && plan.requests.is_none_or(|most| number < most) {
        let due = begin + plan.interval * u32::try_from(number).expect("a load has fewer than 2^32 requests");
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
            continue;
        }
        let (client, plan, ended) = (client.clone(), Arc::clone(&plan), ended.clone());
        let shared = Arc::clone(shared);
        shared.begun.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let record = client.request(&plan, number, begin, due).await;
            shared.answered.fetch_add(1, Ordering::Relaxed);
            // The receiver lives until all senders are gone.
            let _ = ended.send(record);
        });
        number += 1;
        // Otherwise a generator that is behind would begin everything before it reads anything.
        tokio::task::yield_now().await;
    }
    drop(ended);
    let mut all = Vec::new();
    // What is in flight when it was given up is gone with the runtime.
    while !shared.given_up.load(Ordering::Relaxed) {
        let Some(record) = records.recv().await else { break };
        all.push(record);
    }
    Report::new(all, begin.elapsed())
}

#[cfg(test)]
mod tests;
