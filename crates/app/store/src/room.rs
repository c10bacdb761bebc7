//! Whether there is room on the disk.
//!
//! The journal says so, on its own thread. While there is none, what would make the state grow is refused, and what takes
//! away goes on: it is paid from the journal's reserve.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Clones are the same room.
#[derive(Clone)]
pub(crate) struct Room {
    full: Arc<AtomicBool>,
    dir: PathBuf,
    reason: Arc<str>,
}

impl Room {
    /// On the filesystem of `dir`.
    pub(crate) fn new(dir: &Path) -> Room {
        let reason = format!(
            "disk full: nothing that takes room is written until there is some on the filesystem of {}: free space there, \
             it goes on by itself",
            dir.display()
        );
        Room { full: Arc::default(), dir: dir.to_path_buf(), reason: reason.into() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Why nothing may grow, if that is so.
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.is_full().then(|| self.reason.clone())
    }

    /// What the journal is to call.
    pub(crate) fn on_space(&self) -> Box<dyn Fn(bool) + Send> {
        let room = self.clone();
        Box::new(move |space| {
            room.full.store(!space, Ordering::Release);
            let dir = room.dir.display();
            if space {
                tracing::info!(%dir, "there is room on the disk again: writes are taken");
            } else {
                tracing::error!(%dir, "disk full: only what takes away is written until there is room");
            }
        })
    }
}
