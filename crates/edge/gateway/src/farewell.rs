//! What stays open for long is told when its instance drains, or the gateway stops: first to end by itself, at a moment
//! of its own, so that not all clients come back at once; when the time is over it is cut.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::Sleep;

use crate::metrics::Ledger;
use crate::upstream::Upstream;
use crate::worker::Worker;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// End politely. Comes once.
    Leave,
    /// The time is over.
    Cut,
}

pub(crate) struct Farewell {
    stage: Stage,
    /// Which moment of the first half of the time it is, in 1/65536.
    lot: u16,
    ledger: Arc<Ledger>,
    drain: Deadline,
    stop: Deadline,
}

type Deadline = watch::Receiver<Option<Instant>>;

enum Stage {
    Undisturbed(Pin<Box<dyn Future<Output = Instant>>>),
    Leaving(Pin<Box<Sleep>>),
    Left(Pin<Box<Sleep>>),
}

impl Farewell {
    pub(crate) fn new(worker: &Worker, upstream: &Upstream) -> Farewell {
        let (drain, stop) = (upstream.watch_drain(), worker.stop.clone());
        Farewell {
            stage: Stage::Undisturbed(Box::pin(deadline(drain.clone(), stop.clone()))),
            lot: (worker.lot() >> 48) as u16,
            ledger: worker.ledger.clone(),
            drain,
            stop,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Call> {
        loop {
            match &mut self.stage {
                Stage::Undisturbed(deadline) => {
                    let until = ready!(deadline.as_mut().poll(cx));
                    let now = Instant::now();
                    let half = until.saturating_duration_since(now) / 2;
                    let moment = now + half * u32::from(self.lot) / (1 << 16);
                    self.stage = Stage::Leaving(timer(moment));
                }
                Stage::Leaving(ringing) => {
                    ready!(ringing.as_mut().poll(cx));
                    let Some(until) = self.until() else {
                        self.rest();
                        continue;
                    };
                    self.stage = Stage::Left(timer(until));
                    self.ledger.told.add(1);
                    return Poll::Ready(Call::Leave);
                }
                Stage::Left(ringing) => {
                    ready!(ringing.as_mut().poll(cx));
                    match self.until() {
                        None => self.rest(),
                        Some(until) if until > Instant::now() => self.stage = Stage::Left(timer(until)),
                        Some(_) => return Poll::Ready(Call::Cut),
                    }
                }
            }
        }
    }

    /// The drain was called off.
    fn rest(&mut self) {
        self.stage = Stage::Undisturbed(Box::pin(deadline(self.drain.clone(), self.stop.clone())));
    }

    /// Until when it may go on, if there is such a moment still.
    fn until(&self) -> Option<Instant> {
        let (drain, stop) = (*self.drain.borrow(), *self.stop.borrow());
        drain.into_iter().chain(stop).min()
    }
}

fn timer(until: Instant) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep_until(until.into()))
}

/// Until when it may go on, as soon as there is such a moment.
async fn deadline(
    mut drain: watch::Receiver<Option<Instant>>,
    mut stop: watch::Receiver<Option<Instant>>,
) -> Instant {
    let of = async |watched: &mut watch::Receiver<Option<Instant>>| match watched
        .wait_for(Option::is_some)
        .await
    {
        Ok(until) => *until,
        // Whoever could say so has gone.
        Err(_) => std::future::pending().await,
    };
    let until = tokio::select! {
        until = of(&mut drain) => until,
        until = of(&mut stop) => until,
    };
    until.unwrap_or_else(Instant::now)
}
