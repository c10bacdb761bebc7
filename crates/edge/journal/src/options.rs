//! What a journal is opened with.

use std::{fmt, path::PathBuf, time::Duration};

use crate::error::JournalError;

/// Names the cluster that a data directory belongs to; every file of the journal carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

/// When a written record is brought to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Each group of records at once.
    #[default]
    Always,
    /// Written at once, brought to disk at most once a second: a power cut costs up to that second.
    EverySecond,
}

impl Durability {
    /// The least time between two syncs.
    pub(crate) fn interval(self) -> Duration {
        match self {
            Durability::Always => Duration::ZERO,
            Durability::EverySecond => Duration::from_secs(1),
        }
    }
}

/// What [`open`](crate::open) needs to know. [`Options::new`] gives the defaults.
pub struct Options {
    /// The data directory; made when it is not there.
    pub dir: PathBuf,
    /// The id that a new directory gets. A directory that has one keeps it.
    pub cluster: ClusterId,
    /// When records are brought to disk.
    pub durability: Durability,
    /// A segment that would grow beyond this is followed by a new one. Bytes.
    pub segment_bytes: u64,
    /// How much room is set aside, to be given free when the disk is full. Bytes; 0 for none.
    pub reserve_bytes: u64,
    /// Called on the journal's thread with the highest durable revision, each time it has grown.
    pub on_durable: Box<dyn Fn(u64) + Send>,
    /// Called once on the journal's thread when it can no longer make anything durable.
    pub on_failure: Box<dyn Fn(&JournalError) + Send>,
    /// Called on the journal's thread with `false` when the disk has become full, also when it was full at the opening,
    /// and with `true` when there is room again. [`is_full`](crate::Journal::is_full) has changed before.
    pub on_space: Box<dyn Fn(bool) + Send>,
}

impl Options {
    /// `Always`, segments of 64 MiB, a reserve of 16 MiB, and nobody to call.
    pub fn new(dir: impl Into<PathBuf>, cluster: ClusterId) -> Options {
        Options {
            dir: dir.into(),
            cluster,
            durability: Durability::Always,
            segment_bytes: 64 << 20,
            reserve_bytes: 16 << 20,
            on_durable: Box::new(|_| {}),
            on_failure: Box::new(|_| {}),
            on_space: Box::new(|_| {}),
        }
    }
}
