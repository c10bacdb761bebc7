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
    /// A place for each who has listened in this round; nothing in that of one who has gone.
    wakers: Vec<Option<Waker>>,
    /// The places of those who have gone.
    free: Vec<usize>,
    /// How often they have been woken.
    rounds: u64,
}

impl Herald {
    /// Belongs on the runtime of the connections. Its task ends with the last of its clones and listeners.
    pub(super) fn start<E: Engine>(engine: &E) -> Herald {
        let audience = Arc::<Audience>::default();
        let teller = tokio::spawn(tell(engine.clone(), audience.clone())).abort_handle();
        Herald { audience, _teller: Arc::new(Teller(teller)) }
    }

    pub(super) fn listener(self) -> Listener {
        Listener { herald: self, round: 0, place: 0 }
    }
}

/// One connection. Dropped, it listens no more.
pub(super) struct Listener {
    herald: Herald,
    /// In which it has listened last, counted from 1.
    round: u64,
    /// Where, in that round.
    place: usize,
}

impl Listener {
    /// From now on the next rise wakes the task. A rise that comes after it was looked how far it is counts, since what
    /// tells of it runs on the same thread.
    pub(super) fn listen(&mut self, cx: &Context<'_>) {
        let audience = &*self.herald.audience;
        let waiting = &mut *audience.waiting.lock();
        if self.round != waiting.round() {
            self.round = waiting.round();
            self.place = waiting.add(cx.waker().clone());
        }
        // Also for who listens already: there may be something new that it listens for.
        audience.wanted.notify_one();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waiting = &mut *self.herald.audience.waiting.lock();
        if self.round == waiting.round() {
            waiting.wakers[self.place] = None;
            waiting.free.push(self.place);
        }
    }
}

impl Waiting {
    /// The one that the next rise ends.
    fn round(&self) -> u64 {
        self.rounds + 1
    }

    fn add(&mut self, waker: Waker) -> usize {
        let place = self.free.pop().unwrap_or(self.wakers.len());
        match self.wakers.get_mut(place) {
            Some(free) => *free = Some(waker),
            None => self.wakers.push(Some(waker)),
        }
        place
    }
}

impl Audience {
    fn is_there(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.wakers.len() > waiting.free.len()
    }

    fn wake(&self) {
        let wakers = {
            let mut waiting = self.waiting.lock();
            waiting.rounds += 1;
            waiting.free.clear();
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Whoever wants to be told has what it has committed hastened, whatever is waited for at that moment. While nobody is
/// there, nothing is waited for: that would have each rise wake this thread.
async fn tell<E: Engine>(engine: E, audience: Arc<Audience>) {
    // What is not wanted yet is told as soon as it is.
    let mut told = engine.durable();
    loop {
        audience.wanted.notified().await;
        engine.hasten();
        while audience.is_there() {
            tokio::select! {
                risen = engine.durable_above(told) => {
                    told = risen;
                    audience.wake();
                }
                () = audience.wanted.notified() => engine.hasten(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn herald() -> Herald {
        let nobody = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Herald { audience: Arc::default(), _teller: Arc::new(Teller(nobody)) }
    }

    #[tokio::test]
    async fn who_goes_while_it_listens_leaves_its_place_to_others() {
        let herald = herald();
        let cx = Context::from_waker(Waker::noop());
        let mut stays = herald.clone().listener();
        stays.listen(&cx);
        for _ in 0..1000 {
            let mut goes = herald.clone().listener();
            goes.listen(&cx);
            goes.listen(&cx);
        }
        assert_eq!(herald.audience.waiting.lock().wakers.len(), 2);
        assert!(herald.audience.is_there());
        drop(stays);
        assert!(!herald.audience.is_there());
    }

    #[tokio::test]
    async fn who_goes_after_it_was_woken_takes_nobodys_place() {
        let herald = herald();
        let cx = Context::from_waker(Waker::noop());
        let [mut before, mut after] = [(); 2].map(|()| herald.clone().listener());
        before.listen(&cx);
        herald.audience.wake();
        assert!(!herald.audience.is_there());
        after.listen(&cx);
        drop(before);
        assert!(herald.audience.is_there());
    }
}
