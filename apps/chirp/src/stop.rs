//! The request to stop: SIGTERM from Adsum, or Ctrl-C by hand.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Everybody who waits for something also waits for this.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    pub fn on_signal() -> std::io::Result<Stop> {
        let (request, stop) = Stop::by_hand();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            request.send_replace(true);
        });
        Ok(stop)
    }

    /// Stops when `true` is sent.
    pub fn by_hand() -> (watch::Sender<bool>, Stop) {
        let (request, receiver) = watch::channel(false);
        (request, Stop(receiver))
    }

    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    pub async fn wait(&self) {
        let _ = self.0.clone().wait_for(|requested| *requested).await;
    }

    /// What the future gives, or `None` when asked to stop before that.
    pub async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            value = future => Some(value),
        }
    }

    /// Pauses that long, or less when asked to stop.
    pub async fn pause(&self, length: Duration) {
        self.or(tokio::time::sleep(length)).await;
    }
}
