//! The keyspace at one revision, to be read or written out while others write on.

use adsum_model::Revision;

use crate::codec::{DecodeError, decode_commit, decode_rows, encode_commit, encode_row};
use crate::{Changes, Commit, Database, Keys, Keyspace, Now};

/// Holds the trees as they were; the writer copies what it changes from then on.
#[derive(Clone)]
pub struct Snapshot {
    pub revision: Revision,
    pub now: Now,
    pub(crate) databases: Vec<(Database, Keys)>,
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError<E: std::error::Error + 'static> {
    #[error("cannot read the snapshot")]
    Read(#[source] E),
    #[error("the snapshot has no first chunk")]
    Empty,
    #[error("chunk {chunk} of the snapshot is damaged")]
    Decode {
        chunk: usize,
        #[source]
        source: DecodeError,
    },
}

/// A chunk is closed when it has grown over this.
const CHUNK: usize = 64 * 1024;

impl Snapshot {
    pub fn keys(&self, database: Database) -> &Keys {
        let (_, keys) =
            self.databases.iter().find(|(of, _)| *of == database).expect("all databases are here");
        keys
    }

    /// The bytes of it in chunks: first an empty commit with revision and clock, then rows.
    pub fn into_chunks(self) -> impl Iterator<Item = Vec<u8>> {
        let head = Commit { revision: self.revision, now: self.now, changes: Changes::new() };
        let mut first = Vec::new();
        encode_commit(&head, &mut first);
        let databases =
            self.databases.into_iter().flat_map(|(database, keys)| Chunks { database, keys, rank: 0 });
        std::iter::once(first).chain(databases)
    }
}

/// Walks one database from rank to rank, so that it can own the tree that it walks.
struct Chunks {
    database: Database,
    keys: Keys,
    rank: usize,
}

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 8);
        for (key, entry) in self.keys.iter_from_rank(self.rank) {
            encode_row(self.database, key, entry, &mut chunk);
            self.rank += 1;
            if chunk.len() >= CHUNK {
                break;
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Keyspace {
    /// Reads what [`Snapshot::into_chunks`] wrote, and the clock as it was.
    pub fn restore<E: std::error::Error + 'static>(
        mut chunks: impl Iterator<Item = Result<Vec<u8>, E>>,
    ) -> Result<(Keyspace, Now), RestoreError<E>> {
        let first = chunks.next().ok_or(RestoreError::Empty)?.map_err(RestoreError::Read)?;
        let head = decode_commit(&first).map_err(|source| RestoreError::Decode { chunk: 0, source })?;
        let mut keyspace = Keyspace::empty(head.revision);
        for (number, chunk) in (1..).zip(chunks) {
            let chunk = chunk.map_err(RestoreError::Read)?;
            let rows =
                decode_rows(&chunk).map_err(|source| RestoreError::Decode { chunk: number, source })?;
            for row in rows {
                keyspace.put_row(row.database, &row.key, row.entry);
            }
        }
        Ok((keyspace, head.now))
    }
}
