//! Tells the connections of one thread that more may leave.
//!
//! Whoever makes commits durable does so on a thread of its own, and to wake a task of another thread costs it a system
//! call. So one task of each thread waits for it, and wakes the others of its thread, which costs nothing. It waits only
//! while one of them does: mostly what they send may leave at once.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::Engine;

/// Clones are the same herald.
#[derive(Clone)]
pub(super) struct Herald {
    wanted: Arc<Notify>,
    rises: watch::Receiver<()>,
}

impl Herald {
    /// Belongs on the runtime of the connections. Its task ends with the last of its clones, or with the engine.
    pub(super) fn start<E: Engine>(engine: &E) -> Herald {
        let (rises, heard) = watch::channel(());
        let wanted = Arc::<Notify>::default();
        tokio::spawn(tell(engine.subscribe_durable(), wanted.clone(), rises));
        Herald { wanted, rises: heard }
    }

    /// From now on a rise counts for [`Herald::risen`]: to be called before one looks how far it is.
    pub(super) fn listen(&mut self) {
        self.rises.mark_unchanged();
    }

    /// Comes after the next rise, or without one. An error means that there will be none.
    pub(super) async fn risen(&mut self) -> Result<(), watch::error::RecvError> {
        self.wanted.notify_one();
        self.rises.changed().await
    }
}

/// What is not wanted yet is told as soon as it is.
async fn tell<R>(mut durable: watch::Receiver<R>, wanted: Arc<Notify>, rises: watch::Sender<()>) {
    loop {
        tokio::select! {
            () = wanted.notified() => {}
            () = rises.closed() => return,
        }
        tokio::select! {
            risen = durable.changed() => if risen.is_err() { return },
            () = rises.closed() => return,
        }
        rises.send_replace(());
    }
}
