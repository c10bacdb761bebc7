//! What etcd holds of a key.
//!
//! A transaction does not know its revision before etcd has given it one. So a row says 0 for "by the transaction that
//! put this row", which etcd itself remembers of every key, and names only revisions that are older. Relative deadlines
//! are as long as they were when the row was put: whoever reads it later may lengthen a TTL, and cannot shorten it.

use adsum_keyspace::{Blob, Database, Deadline, DecodeError, Entry, Now, decode_rows, encode_row};
use adsum_model::Revision;

const FORMAT: u8 = 1;

/// Stands for the revision of a transaction while it has none.
pub(crate) const OWN: Revision = Revision(u64::MAX);

/// A row of etcd that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    #[error("a row of the unknown format {0}: was it written by a newer release?")]
    Format(u8),
    #[error("a row without a key in it, or with more than one")]
    Count,
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

pub(crate) fn encode(entry: &Entry, now: Now) -> Vec<u8> {
    let known = |revision: Revision| if revision == OWN { Revision::ZERO } else { revision };
    let entry = Entry {
        value: entry.value.clone(),
        created: known(entry.created),
        modified: known(entry.modified),
        deadline: entry.deadline.map(|deadline| to_wire(deadline, now)),
    };
    let mut bytes = vec![FORMAT];
    // The key is in etcd's key.
    encode_row(Database::System, &Blob::from(""), &entry, &mut bytes);
    bytes
}

/// The entry of a row that was put by the transaction `put`.
pub(crate) fn decode(bytes: &[u8], put: Revision, now: Now) -> Result<Entry, RowError> {
    let rest = match bytes.split_first() {
        Some((&FORMAT, rest)) => rest,
        Some((format, _)) => return Err(RowError::Format(*format)),
        None => return Err(RowError::Count),
    };
    let known = |revision: Revision| if revision == Revision::ZERO { put } else { revision };
    let [row] = <[_; 1]>::try_from(decode_rows(rest)?).map_err(|_| RowError::Count)?;
    Ok(Entry {
        value: row.entry.value,
        created: known(row.entry.created),
        modified: known(row.entry.modified),
        deadline: row.entry.deadline.map(|deadline| from_wire(deadline, now)),
    })
}

/// A relative deadline as the milliseconds from now on.
pub(crate) fn to_wire(deadline: Deadline, now: Now) -> Deadline {
    if deadline.is_wall() { deadline } else { Deadline::tick(deadline.rest(now)) }
}

/// The milliseconds begin when they are read, which is later than they were written.
pub(crate) fn from_wire(deadline: Deadline, now: Now) -> Deadline {
    if deadline.is_wall() { deadline } else { Deadline::after(deadline.millis(), now) }
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::Value;

    use super::*;

    fn entry(created: Revision, deadline: Option<Deadline>) -> Entry {
        Entry { value: Value::String(Blob::from("v")), created, modified: OWN, deadline }
    }

    #[test]
    fn a_row_has_its_own_revision_from_etcd() {
        let now = Now { tick: 100, wall: 5_000 };
        let bytes = encode(&entry(OWN, None), now);
        let read = decode(&bytes, Revision(7), now).unwrap();
        assert_eq!((read.created, read.modified), (Revision(7), Revision(7)));
        let bytes = encode(&entry(Revision(3), None), now);
        assert_eq!(decode(&bytes, Revision(7), now).unwrap().created, Revision(3));
    }

    #[test]
    fn a_relative_deadline_begins_when_it_is_read_and_an_absolute_one_stays() {
        let (wrote, reads) = (Now { tick: 100, wall: 5_000 }, Now { tick: 9_000, wall: 1 });
        let read =
            |deadline| decode(&encode(&entry(OWN, deadline), wrote), Revision(7), reads).unwrap().deadline;
        assert_eq!(read(Some(Deadline::tick(150))), Some(Deadline::tick(9_050)));
        assert_eq!(read(Some(Deadline::tick(50))), Some(Deadline::tick(9_001)));
        assert_eq!(read(Some(Deadline::wall(6_000))), Some(Deadline::wall(6_000)));
        assert_eq!(read(None), None);
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let now = Now::default();
        assert_eq!(decode(b"", Revision(1), now), Err(RowError::Count));
        assert_eq!(decode(b"\x09abc", Revision(1), now), Err(RowError::Format(9)));
        assert!(matches!(decode(b"\x01\xff", Revision(1), now), Err(RowError::Decode(_))));
    }
}
