//! The write-ahead log of the embedded engine, with its snapshots.
//!
//! A journal makes opaque records durable in the order of their revisions, and gives them back after the process, or
//! the machine, has ended in whatever way. What a record means is the keyspace's matter; what may be shown before it is
//! durable is the store's.
//!
//! ```text
//!   LOCK                              held for life, the process id in it
//!   journal-0000000000000001.log      segment 1: revisions 1 to 40
//!   journal-0000000000000029.log      segment 2: revisions 41 on, the one being written
//!   snapshot-0000000000000032.snap    the state at revision 50: segment 1 may go, segment 2 is still needed
//!   reserve                           room set aside for when the disk is full
//!   journal-...29.log.1234.torn       what was cut from byte 1234 of segment 2 after a power cut
//!
//!   segment:  | header | frame 41 | frame 42 | frame 43 | mark 43 | zeros, preallocated ...
//!   frame:    | length 4 | revision 8 | settled 8 | head crc 4 | payload | crc 4 |
//! ```
//!
//! All numbers are little-endian, all checksums CRC-32C. The header names the format, the cluster, the segment's
//! sequence, its first revision, the snapshot it builds on and the last checksum of the segment before (`header`). Each
//! frame's checksum continues that of the frame before, and the first one's that of the header (`frame`): a frame is
//! valid in one place of one file. *Settled* is the revision that was on disk when the frame was written; it tells a torn
//! write, which may leave holes, from damage (`tail`). A mark is what a clean end leaves: it settles everything.
//!
//! Life of a record: [`Journal::append`] copies it into a buffer under a short lock; the journal's thread takes the whole
//! buffer, seals the frames, writes them with one call, syncs once, and reports. So the commits that come in during a
//! sync share the next one.
//!
//! Invariants:
//! - A revision is reported durable only after the sync that covers it and all below. A refused sync is never repeated:
//!   the journal is over, the next process starts from what is on disk.
//! - A full disk ends nothing: what finds no room is taken back whole, and waits in order (`committer`, `reserve`).
//! - Recovery reads only what it has synced first. It cuts only what was never acknowledged, and keeps what it cuts.
//! - Files get their name when they are whole and on disk, and the directory is synced after each change of a name.
//! - A snapshot is read back before anything that it replaces goes.
//!
//! Not here: the meaning of payloads, when to take a snapshot, tokio. Files are reached through a small seam (`disk`),
//! which has a faulty twin for the tests: it loses power, refuses syncs, runs full and lies.

mod backup;
mod committer;
mod directory;
mod disk;
mod error;
mod ext4;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod journal;
mod kept;
mod lock;
mod locked;
mod log;
mod name;
mod options;
pub mod points;
mod queue;
mod records;
mod recovery;
mod reserve;
mod scan;
mod snapshot;
mod tail;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod full;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod workload;

pub use backup::{SnapshotSummary, inspect_snapshot, open_snapshot_file, restore_into, write_snapshot_file};
pub use error::{Damage, FailureKind, IoError, JournalError, OpenError, ReadError, RestoreError, WriteError};
pub use journal::{Journal, open};
pub use kept::SnapshotInfo;
pub use locked::{Locked, lock};
pub use options::{ClusterId, Durability, Options};
pub use queue::Follows;
pub use records::RecordReader;
pub use recovery::{Recovered, TornTail};
pub use snapshot::SnapshotReader;
