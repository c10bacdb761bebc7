//! What can go wrong, one type per operation. Not here: deciding that something is wrong.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{disk::is_no_room, options::ClusterId};

/// A place in a file that does not hold what was written there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is damaged at byte {offset}: expected {expected}, found {found}; the last good revision before it is \
     {last_good_revision}: restore the data directory from a backup",
    file.display()
)]
pub struct Damage {
    /// The damaged file.
    pub file: PathBuf,
    /// Where in it, in bytes from its beginning.
    pub offset: u64,
    /// What should be there, in words.
    pub expected: String,
    /// What is there, in words.
    pub found: String,
    /// Everything up to this revision reads well. In a snapshot, which is all or nothing, it is 0.
    pub last_good_revision: u64,
}

/// The operating system refused something.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {} failed", file.display())]
pub struct IoError {
    /// What was being done, as in `reading`.
    pub doing: &'static str,
    /// The file or directory it was done to.
    pub file: PathBuf,
    /// Why it was refused.
    #[source]
    pub source: io::Error,
}

impl IoError {
    /// Whether there was no room for something that can be done again from the beginning. Not so a sync, after which
    /// nobody knows what is on disk.
    pub(crate) fn is_no_room(&self) -> bool {
        is_no_room(&self.source) && !self.doing.starts_with("syncing")
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("data directory {} is in use by process {pid}: stop it, or pass another --data-dir", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The other process, or `unknown` when it has not said so.
        pid: String,
    },
    /// The directory cannot be made, read or written.
    #[error(
        "data directory {} cannot be used: make it readable and writable for this user, or pass another --data-dir",
        dir.display()
    )]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The filesystem has no locks, so that a second process could not be refused.
    #[error("data directory {} cannot be locked: pass a --data-dir on a local filesystem", dir.display())]
    Unlockable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file was written by a newer version of the program.
    #[error(
        "{} has format {found}, this version reads up to format {known}: start the version that wrote it, or a newer one",
        file.display()
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// A file of another cluster lies in the directory.
    #[error("{} belongs to cluster {found}, the data directory to cluster {expected}: move it away", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// The cluster of the other files.
        expected: ClusterId,
        /// The cluster of this file.
        found: ClusterId,
    },
    /// A file that must be there is not.
    #[error("{} lacks {what}: restore the data directory from a backup", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// The file, in words.
        what: String,
    },
    /// A file does not hold what was written there.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why a recovered snapshot or record cannot be read. The state that was read so far is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file does not hold what was written there.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> OpenError {
        match error {
            ReadError::Damaged(damage) => damage.into(),
            ReadError::Io(error) => error.into(),
        }
    }
}

/// Why a snapshot was not written. The previous one and the journal stand.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The journal has failed: what is in memory must not be made durable.
    #[error("no snapshot is written after the journal has failed")]
    Failed(#[source] JournalError),
    /// The snapshot reads back differently from what was written.
    #[error("the new snapshot does not read back, the previous one is kept")]
    Unverified(#[source] OpenError),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why a snapshot was not made a journal. The directory holds no journal.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The directory holds a journal, which is not touched.
    #[error(
        "data directory {} already holds a journal ({file}): move it away, or pass another --data-dir",
        dir.display()
    )]
    Occupied {
        /// The directory.
        dir: PathBuf,
        /// One of the journal's files.
        file: String,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state cannot be read to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The state cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What kind of failure ended the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There was no room for what was waiting when the journal was closed, or a sync said so. A write that finds no
    /// room is no failure: it waits (see [`Journal::is_full`](crate::Journal::is_full)).
    DiskFull,
    /// A write, or the making of a segment, was refused.
    Write,
    /// A sync was refused: what the cache holds may never reach the disk, and no later sync would tell.
    Sync,
    /// The journal's thread met a bug.
    Panic,
    /// It was closed: no failure, but nothing becomes durable any more.
    Closed,
}

/// Why the journal makes nothing durable any more. Final: a failed sync is never repeated.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct JournalError {
    kind: FailureKind,
    message: Arc<str>,
}

impl JournalError {
    pub(crate) fn new(kind: FailureKind, message: impl Into<Arc<str>>) -> JournalError {
        JournalError { kind, message: message.into() }
    }

    /// What was appended last found no room until the end.
    pub(crate) fn no_room(segment: &Path, bytes: usize) -> JournalError {
        let message = format!(
            "disk full: {bytes} bytes of records found no room in {}, none of them acknowledged: free space and start \
             again",
            segment.display()
        );
        JournalError::new(FailureKind::DiskFull, message)
    }

    /// A refused write or sync; a full disk is told from other reasons.
    pub(crate) fn io(kind: FailureKind, error: &IoError) -> JournalError {
        let (file, source) = (error.file.display(), &error.source);
        if is_no_room(source) {
            let message =
                format!("disk full: {} {file} failed ({source}): free space and start again", error.doing);
            return JournalError::new(FailureKind::DiskFull, message);
        }
        let message = format!("{} {file} failed ({source}): check the disk and start again", error.doing);
        JournalError::new(kind, message)
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The whole story in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}
