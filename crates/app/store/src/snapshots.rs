//! Snapshot files outside of the data directory: saved, looked into, and made a data directory again.
//!
//! A restored state goes on far above the revision that it was saved at, so that no revision and no fence that was handed
//! out after the saving is handed out again, and so that watches from before are told to begin anew.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use adsum_journal::{ReadError, SnapshotInfo, open_snapshot_file, restore_into, write_snapshot_file};
use adsum_keyspace::{Commit, Database, DecodeError, decode_commit, decode_rows, encode_commit};
use adsum_model::Revision;

use crate::{Failed, Store};

/// By how much a restored state is above the one that was saved: more than anybody commits between two backups.
pub const RAISE: u64 = 1_000_000_000;

/// In the data directory, from where the next start clears it away should it be left behind.
const EXPORT: &str = "snapshot-export.tmp";

/// A snapshot file that is whole, on disk, and was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    pub revision: Revision,
    pub bytes: u64,
}

/// A snapshot in a file without a name, which is gone when it is closed.
#[derive(Debug)]
pub struct Export {
    pub file: File,
    pub saved: Saved,
}

/// What a snapshot file holds, all of which was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub format: u32,
    /// In 32 hexadecimal digits.
    pub cluster: String,
    pub revision: Revision,
    /// When it was saved, in Unix milliseconds.
    pub time: u64,
    pub bytes: u64,
    /// How many keys of each type.
    pub keys: BTreeMap<Database, BTreeMap<&'static str, u64>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("another snapshot is being saved: try again when it is done")]
    Busy,
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("the snapshot cannot be written")]
    Write(#[from] adsum_journal::WriteError),
    #[error("the snapshot that was just written cannot be opened")]
    Open(#[source] std::io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Open(#[from] adsum_journal::OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Restore(#[from] adsum_journal::RestoreError),
    #[error("chunk {chunk} of {} cannot be understood: was it written by a newer release?", file.display())]
    Decode {
        file: PathBuf,
        chunk: u64,
        #[source]
        source: DecodeError,
    },
    #[error("{} has no first chunk: take another snapshot", file.display())]
    Empty { file: PathBuf },
}

impl Store {
    /// Writes the state as of now to `path`, whole or not at all.
    pub async fn save_snapshot(&self, path: PathBuf) -> Result<Saved, SaveError> {
        let snapshot = self.enter(|server, now| server.keyspace().snapshot(now));
        let (revision, cluster) = (snapshot.revision, self.shared.journal.cluster());
        self.durable(revision).await?;
        let write = move || write_snapshot_file(&path, cluster, revision.0, snapshot.into_chunks());
        let SnapshotInfo { bytes, .. } =
            tokio::task::spawn_blocking(write).await.map_err(|_| Failed::unknown())??;
        Ok(Saved { revision, bytes })
    }

    /// The same for somebody who wants to read it at once; one at a time.
    pub async fn export_snapshot(&self) -> Result<Export, SaveError> {
        let one_at_a_time = self.shared.exporting.clone().try_lock_owned().map_err(|_| SaveError::Busy)?;
        let path = self.shared.dir.join(EXPORT);
        let store = self.clone();
        // Goes on to its end when nobody waits for it any more, so that nothing of it stays.
        let export = tokio::spawn(async move {
            let _one_at_a_time = one_at_a_time;
            let saved = store.save_snapshot(path.clone()).await;
            let file = File::open(&path);
            // Gone with the last who reads it. Should it stay, the next start clears it away.
            let _ = std::fs::remove_file(&path);
            Ok(Export { saved: saved?, file: file.map_err(SaveError::Open)? })
        });
        export.await.unwrap_or_else(|_| Err(Failed::unknown().into()))
    }
}

impl Contents {
    /// Reads the file to its end, with every checksum in it.
    pub fn of(path: &Path) -> Result<Contents, SnapshotError> {
        let mut reader = open_snapshot_file(path)?;
        let (cluster, revision) = (reader.cluster().to_string(), Revision(reader.revision()));
        let (format, bytes) = (reader.format(), reader.bytes());
        let unread = |chunk| move |source| SnapshotError::Decode { file: path.to_owned(), chunk, source };
        let head = reader.next().ok_or_else(|| SnapshotError::Empty { file: path.to_owned() })??;
        let time = decode_commit(&head).map_err(unread(1))?.now.wall;
        let mut keys: BTreeMap<Database, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for (number, chunk) in (2..).zip(&mut reader) {
            for row in decode_rows(&chunk?).map_err(unread(number))? {
                *keys.entry(row.database).or_default().entry(row.entry.value.kind().as_str()).or_default() +=
                    1;
            }
        }
        Ok(Contents { format, cluster, revision, time, bytes, keys })
    }
}

/// No revision is above it: those of many years are far below.
const LAST: u64 = i64::MAX as u64;

/// Makes `dir` the data of a store that holds what `file` holds, [`RAISE`] above its revision, and above `above`, should
/// that be higher. All of the file is checked before anything is written. Returns the revision.
pub fn restore_snapshot(file: &Path, dir: &Path, above: Revision) -> Result<Revision, SnapshotError> {
    Contents::of(file)?;
    let mut chunks = open_snapshot_file(file)?;
    let cluster = chunks.cluster();
    let raised = Revision(chunks.revision().max(above.0).saturating_add(RAISE).min(LAST));
    let head = chunks.next().ok_or_else(|| SnapshotError::Empty { file: file.to_owned() })??;
    let head = decode_commit(&head);
    let head = head.map_err(|source| SnapshotError::Decode { file: file.to_owned(), chunk: 1, source })?;
    let mut first = Vec::new();
    encode_commit(&Commit { revision: raised, ..head }, &mut first);
    restore_into(dir, cluster, raised.0, std::iter::once(Ok(first)).chain(chunks))?;
    Ok(raised)
}
