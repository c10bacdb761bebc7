//! The event record: everything that one transaction did, as it travels by etcd.

use adsum_keyspace::{
    Audience, Blob, Change, Commit, Deadline, DecodeError, Now, Op, Publish, decode_commit, encode_commit,
};
use adsum_model::Revision;

use crate::row::{from_wire, to_wire};

const FORMAT: u8 = 2;

/// Tells one transaction from all others.
pub(crate) type Id = [u8; 16];

#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: Id,
    pub(crate) publishes: Vec<Publish>,
    /// Without a revision, which etcd gives it; its clock is that of who wrote it; relative deadlines are the
    /// milliseconds from now on.
    pub(crate) commit: Commit,
}

/// An event record that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("an event record of format {0}, of which this release reads {read} alone: was it written by an older or a newer one?", read = FORMAT)]
    Format(u8),
    #[error("an event record that publishes to the unknown audience {0}")]
    Audience(u8),
    #[error("an event record that ends too early")]
    Short,
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Record {
    pub(crate) fn new(id: Id, now: Now, changes: &[Change], publishes: Vec<Publish>) -> Record {
        let changes = changes.iter().map(|change| with_deadline(change.clone(), |at| to_wire(at, now)));
        let commit = Commit { revision: Revision::ZERO, now, changes: changes.collect() };
        Record { id, publishes, commit }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&(self.publishes.len() as u32).to_le_bytes());
        for publish in &self.publishes {
            bytes.push(match publish.to {
                Audience::Channel => 0,
                Audience::Shard => 1,
            });
            bytes.extend_from_slice(&(publish.behind as u32).to_le_bytes());
            put_bytes(&mut bytes, &publish.channel);
            put_bytes(&mut bytes, &publish.payload);
        }
        encode_commit(&self.commit, &mut bytes);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
        let mut reader = Reader { rest: bytes };
        match reader.take(1)? {
            [FORMAT] => {}
            other => return Err(RecordError::Format(other[0])),
        }
        let id = reader.take(16)?.try_into().expect("it was taken as that long");
        let mut publishes = Vec::new();
        for _ in 0..reader.number()? {
            let to = match reader.take(1)? {
                [0] => Audience::Channel,
                [1] => Audience::Shard,
                other => return Err(RecordError::Audience(other[0])),
            };
            let behind = reader.number()? as usize;
            publishes.push(Publish { to, channel: reader.blob()?, payload: reader.blob()?, behind });
        }
        Ok(Record { id, publishes, commit: decode_commit(reader.rest)? })
    }

    /// The commit as this process applies it.
    pub(crate) fn into_commit(self, revision: Revision, now: Now) -> Commit {
        let changes = self.commit.changes.into_iter();
        let changes = changes.map(|change| with_deadline(change, |at| from_wire(at, now))).collect();
        Commit { revision, now: Now { tick: now.tick, wall: self.commit.now.wall }, changes }
    }
}

fn with_deadline(mut change: Change, map: impl Fn(Deadline) -> Deadline) -> Change {
    if let Op::Put { deadline, .. } | Op::SetDeadline(deadline) = &mut change.op {
        *deadline = deadline.map(map);
    }
    change
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, RecordError> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("it was taken as that long")))
    }

    fn blob(&mut self) -> Result<Blob, RecordError> {
        let length = self.number()?;
        Ok(self.take(length as usize)?.into())
    }
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Database, Notice, Value};
    use proptest::prelude::*;

    use super::*;

    fn record() -> Record {
        let put = Op::Put {
            value: Value::String(Blob::from("v")),
            deadline: Some(Deadline::tick(150)),
            copy_of: None,
        };
        let change = |op| Change {
            database: Database::User(0),
            key: Blob::from("k"),
            op,
            notices: [Notice::Set][..].into(),
        };
        let changes = [change(put), change(Op::SetDeadline(Some(Deadline::wall(9)))), change(Op::Delete)];
        let publish = |to, behind| Publish { to, channel: Blob::from("c"), payload: Blob::from(""), behind };
        let publishes = vec![publish(Audience::Channel, 0), publish(Audience::Shard, 3)];
        Record::new([7; 16], Now { tick: 100, wall: 5 }, &changes, publishes)
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        assert_eq!(Record::decode(&record().encode()), Ok(record()));
    }

    #[test]
    fn its_commit_has_the_revision_of_etcd_and_the_ticks_of_the_reader() {
        let commit = record().into_commit(Revision(7), Now { tick: 1_000, wall: 6 });
        assert_eq!((commit.revision, commit.now), (Revision(7), Now { tick: 1_000, wall: 5 }));
        let Op::Put { deadline, .. } = &commit.changes[0].op else { panic!("it was a put") };
        assert_eq!(*deadline, Some(Deadline::tick(1_050)));
        assert_eq!(commit.changes[1].op, Op::SetDeadline(Some(Deadline::wall(9))));
    }

    #[test]
    fn a_record_of_an_older_or_a_newer_release_is_refused_as_such() {
        for format in [FORMAT - 1, FORMAT + 1] {
            let mut bytes = record().encode();
            bytes[0] = format;
            assert_eq!(Record::decode(&bytes), Err(RecordError::Format(format)));
        }
        let text = "an event record of format 1, of which this release reads 2 alone: was it written by an older or a newer one?";
        assert_eq!(RecordError::Format(1).to_string(), text);
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_refused_or_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
            let _ = Record::decode(&[&[FORMAT], bytes.as_slice()].concat());
        }
    }
}
