//! From the journal's files to the keyspace as it was.

use adsum_journal::Recovered;
use adsum_keyspace::{Keyspace, Now, decode_commit};

use crate::OpenError;

/// The keyspace, and the clock as it was marked last.
pub(crate) fn rebuild(recovered: Recovered) -> Result<(Keyspace, Now), OpenError> {
    let (mut keyspace, mut now) = match recovered.snapshot {
        Some(chunks) => Keyspace::restore(chunks)?,
        None => (Keyspace::default(), Now::default()),
    };
    for record in recovered.records {
        let (revision, payload) = record?;
        let commit = decode_commit(&payload).map_err(|source| OpenError::Decode { revision, source })?;
        now = commit.now;
        keyspace.replay(commit);
    }
    Ok((keyspace, now))
}
