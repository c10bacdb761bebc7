//! Owns the keyspace and its engine behind one handle.
//!
//! ```text
//! face -> Store::enter -> [lock: clock, due expiries, body, commits to the journal] -> reply
//!                                                                    |
//!            visible revision  <-- on disk (always) / at once (everysec)
//!                  |
//!       connections flush, watches deliver, Directory's view moves on
//! ```
//!
//! Whatever depends on a revision above the visible one does not leave the process: every face waits by
//! [`Store::durable`] or reads from what has waited, [`Watch`] and [`Directory`].
//!
//! Not here: what a transaction does (`core`), how bytes get on disk (`edge/journal`).

mod clock;
mod directory;
mod faces;
mod failure;
mod older;
mod open;
mod options;
mod past;
mod recovery;
mod room;
mod shared;
mod snapshots;
mod store;
mod timer;
mod visible;
mod watch;

pub use adsum_journal::Locked;
pub use directory::Directory;
pub use failure::{Busy, Failed, NotCommitted};
pub use options::{Durability, OpenError, Options};
pub use past::{HistoryOf, PastEvent, Unreadable};
pub use snapshots::{Contents, Export, RAISE, SaveError, Saved, SnapshotError, restore_snapshot};
pub use store::Store;
pub use watch::{Ended, Watch};
