//! Tells the connections of one thread that more may leave.
//!
//! Whoever makes commits durable does so on a thread of its own, and to wake a task of another thread costs it a system
//! call. So one task of each thread waits for it, and wakes the others of its thread, which costs nothing. It waits only
//! while one of them does: mostly what they send may leave at once.
//!
//! That task has its turn when all who were ready before it have had theirs, so that what they have committed together is
//! known to be complete: then the engine is asked to make it durable, and not once for each of them.

use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Engine;

/// Clones are the same herald.
#[derive(Clone)]
pub(super) struct Herald {
    audience: Arc<Audience>,
    _teller: Arc<Teller>,
}

/// The task that tells them.
struct Teller(AbortHandle);

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Default)]
struct Audience {
    waiting: Mutex<Waiting>,
    wanted: Notify,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<Waker>,
    /// How often they have been woken.
    rounds: u64,
}

/// In which round a connection listens, counted from 1.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Listens(u64);

impl Herald {
    /// Belongs on the runtime of the connections. Its task ends with the last of its clones.
    pub(super) fn start<E: Engine>(engine: &E) -> Herald {
        let audience = Arc::<Audience>::default();
        let teller = tokio::spawn(tell(engine.clone(), audience.clone())).abort_handle();
        Herald { audience, _teller: Arc::new(Teller(teller)) }
    }

    /// From now on the next rise wakes the task. A rise that comes after it was looked how far it is counts, since what
    /// tells of it runs on the same thread.
    pub(super) fn listen(&self, listens: &mut Listens, cx: &Context<'_>) {
        let mut waiting = self.audience.waiting.lock();
        let round = Listens(waiting.rounds + 1);
        if *listens != round {
            *listens = round;
            waiting.wakers.push(cx.waker().clone());
        }
        // Also for who listens already: there may be something new that it listens for.
        self.audience.wanted.notify_one();
    }
}

/// What is not wanted yet is told as soon as it is.
async fn tell<E: Engine>(engine: E, audience: Arc<Audience>) {
    let mut told = engine.durable();
    loop {
        audience.wanted.notified().await;
        told = loop {
            engine.hasten();
            tokio::select! {
                risen = engine.durable_above(told) => break risen,
                () = audience.wanted.notified() => {}
            }
        };
        let wakers = {
            let mut waiting = audience.waiting.lock();
            waiting.rounds += 1;
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
