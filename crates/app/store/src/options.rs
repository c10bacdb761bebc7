//! What a store is opened with, and why it cannot be.

use std::path::PathBuf;

use adsum_keyspace::{DecodeError, RestoreError};
use adsum_resp::About;

pub use adsum_journal::Durability;

/// What [`crate::Store::open`] needs to know.
#[derive(Debug)]
pub struct Options {
    /// Where the journal lives; made when it is not there.
    pub dir: PathBuf,
    pub durability: Durability,
    /// What the RESP face tells of this server.
    pub about: About,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open the journal")]
    Journal(#[from] adsum_journal::OpenError),
    #[error("cannot read the journal")]
    Read(#[from] adsum_journal::ReadError),
    #[error("cannot restore the snapshot")]
    Snapshot(#[from] RestoreError<adsum_journal::ReadError>),
    #[error("the record of revision {revision} cannot be understood: was it written by a newer release?")]
    Decode {
        revision: u64,
        #[source]
        source: DecodeError,
    },
    #[error("cannot bring the beginning to disk")]
    Begin(#[source] adsum_journal::JournalError),
    #[error("no randomness to be had for a new cluster's id: {0}")]
    Random(getrandom::Error),
    #[error("cannot start the thread of the timer")]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    /// Whether another process has the directory.
    pub fn is_in_use(&self) -> bool {
        matches!(self, OpenError::Journal(adsum_journal::OpenError::InUse { .. }))
    }
}
