//! From the journal's files to the keyspace as it was, and to revisions that nobody has seen.
//!
//! With `everysec` a client sees revisions that are not on disk yet. When the process ends without a clean end, they may be
//! lost; the next one must not give them out again, neither as revisions nor as fences, and must tell whoever has seen them
//! that it is so. It therefore goes on far above what it has found, and puts that on disk before anybody sees it:
//!
//! ```text
//! on disk  ... 41 42                            42 + 2^24 + 1, ...
//! seen     ... 41 42 43 44 (lost)               a watch from 43 is told that it is compacted
//! ```
//!
//! With `always` nothing that was seen is lost. Which of the two the process before had is on record.

use std::sync::Arc;

use adsum_journal::{Durability, Recovered};
use adsum_keyspace::{Commit, Database, Keyspace, Notice, Now, Value, decode_commit};
use adsum_model::Revision;

use crate::OpenError;

/// More revisions than can be seen before they are on disk: the records that wait for the disk have 64 MiB, as much again
/// may be on its way there, and no record has less than 40 bytes, which makes 3.4 million.
pub(crate) const LOST: u64 = 1 << 24;

/// On record while revisions may be seen before they are on disk.
const EVERYSEC: &[u8] = b"engine/everysec";

/// The keyspace, and the clock as it was marked last.
pub(crate) fn rebuild(recovered: Recovered) -> Result<(Keyspace, Now), OpenError> {
    let (mut keyspace, mut now) = match recovered.snapshot {
        Some(chunks) => {
            let revision = Revision(chunks.revision());
            let (mut keyspace, now) = Keyspace::restore(chunks)?;
            // A snapshot that was restored at a raised revision holds its own inside.
            keyspace.skip_to(revision);
            (keyspace, now)
        }
        None => (Keyspace::default(), Now::default()),
    };
    for record in recovered.records {
        let (revision, payload) = record?;
        let commit = decode_commit(&payload).map_err(|source| OpenError::Decode { revision, source })?;
        now = commit.now;
        // What is missing was given out and lost, or to nobody.
        keyspace.skip_to(Revision(revision.saturating_sub(1)));
        keyspace.replay(commit);
    }
    Ok((keyspace, now))
}

/// What has to be on disk before anything is seen of a keyspace that was rebuilt.
pub(crate) fn settle(
    keyspace: &mut Keyspace,
    clean: bool,
    durability: Durability,
    now: Now,
) -> Option<Arc<Commit>> {
    let could_lose = keyspace.keys(Database::System).get(EVERYSEC).is_some();
    let can_lose = durability == Durability::EverySecond;
    let lost = !clean && (could_lose || can_lose);
    if lost {
        let last = keyspace.revision();
        keyspace.skip_to(Revision(last.0 + LOST));
        tracing::warn!(found = %last, next = %keyspace.revision().next(),
            "the last end was not clean and the last second may be lost: its revisions are not given out again");
    }
    let noted = keyspace.transact(now, |tx| match (could_lose, can_lose) {
        (false, true) => tx.put(Database::System, EVERYSEC, Value::String("".into()), None, &[Notice::Set]),
        (true, false) => drop(tx.delete(Database::System, EVERYSEC, Notice::Del)),
        (false, false) | (true, true) => {}
    });
    let noted = noted.expect("a record is far within the limit").commit;
    // With `everysec` in any case: a mark of a clean end that were still the last on disk after a crash would hide it.
    noted.or_else(|| (lost || can_lose).then(|| keyspace.mark_clock(now)))
}
