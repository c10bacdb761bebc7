//! The bytes of a commit and of a snapshot chunk.
//!
//! Numbers are LEB128, byte strings have their length before them, variants a tag byte. Framing, checksums and the
//! format's version are the journal's matter; a decoder that meets bytes it does not know says where and never
//! allocates more than the bytes it was given could hold.

use adsum_model::Revision;
use smallvec::SmallVec;

use crate::change::{Change, Commit, Database, Notice, Op};
use crate::{Blob, Deadline, Entry, Now, Value};

mod aggregate;

/// Bytes that are no commit or chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset} of a record of {length} bytes")]
pub struct DecodeError {
    pub what: &'static str,
    pub offset: usize,
    pub length: usize,
}

/// Appends the bytes of `commit` to `out`.
pub fn encode_commit(commit: &Commit, out: &mut Vec<u8>) {
    put_number(out, commit.revision.0);
    put_number(out, commit.now.tick);
    put_number(out, commit.now.wall);
    put_number(out, commit.changes.len() as u64);
    for change in &commit.changes {
        put_change(out, change);
    }
}

pub fn decode_commit(bytes: &[u8]) -> Result<Commit, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let revision = Revision(reader.number()?);
    let now = Now { tick: reader.number()?, wall: reader.number()? };
    let changes = reader.list(Reader::change)?.into();
    reader.end()?;
    Ok(Commit { revision, now, changes })
}

/// An entry of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub database: Database,
    pub key: Blob,
    pub entry: Entry,
}

/// Appends the bytes of `row` to a chunk.
pub fn encode_row(database: Database, key: &Blob, entry: &Entry, out: &mut Vec<u8>) {
    put_database(out, database);
    put_bytes(out, key);
    put_number(out, entry.created.0);
    put_number(out, entry.modified.0);
    put_deadline(out, entry.deadline);
    put_value(out, &entry.value);
}

/// Reads all rows of a chunk.
pub fn decode_rows(bytes: &[u8]) -> Result<Vec<Row>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut rows = Vec::new();
    while reader.at < bytes.len() {
        rows.push(reader.row()?);
    }
    Ok(rows)
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_database(out: &mut Vec<u8>, database: Database) {
    out.push(match database {
        Database::User(number) => number,
        Database::System => u8::MAX,
    });
}

fn put_deadline(out: &mut Vec<u8>, deadline: Option<Deadline>) {
    put_number(out, deadline.map_or(0, Deadline::raw));
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(bytes) => {
            out.push(0);
            put_bytes(out, bytes);
        }
        Value::List(list) => {
            out.push(1);
            put_number(out, list.len() as u64);
            list.iter().for_each(|element| put_bytes(out, element));
        }
        Value::Hash(hash) => {
            out.push(2);
            aggregate::put_hash(out, hash);
        }
        Value::Set(set) => {
            out.push(3);
            aggregate::put_set(out, set);
        }
        Value::SortedSet(set) => {
            out.push(4);
            aggregate::put_sorted_set(out, set);
        }
        Value::Stream(stream) => {
            out.push(5);
            aggregate::put_stream(out, stream);
        }
    }
}

fn put_change(out: &mut Vec<u8>, change: &Change) {
    put_database(out, change.database);
    put_bytes(out, &change.key);
    put_number(out, change.notices.len() as u64);
    out.extend(change.notices.iter().map(|notice| *notice as u8));
    match &change.op {
        Op::Put { value, deadline, copy_of: None } => {
            out.push(0);
            put_deadline(out, *deadline);
            put_value(out, value);
        }
        Op::Put { value: _, deadline, copy_of: Some(place) } => {
            out.push(6);
            put_deadline(out, *deadline);
            put_database(out, place.0);
            put_bytes(out, &place.1);
        }
        Op::Delete => out.push(1),
        Op::SetDeadline(deadline) => {
            out.push(2);
            put_deadline(out, *deadline);
        }
        Op::Append(tail) => {
            out.push(3);
            put_bytes(out, tail);
        }
        Op::Splice { rank, remove, insert } => {
            out.push(4);
            put_number(out, *rank);
            put_number(out, *remove);
            put_number(out, insert.len() as u64);
            insert.iter().for_each(|element| put_bytes(out, element));
        }
        Op::Edit(edits) => aggregate::put_edits(out, edits),
        Op::Clear => out.push(5),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn error<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError { what, offset: self.at, length: self.bytes.len() })
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.at < self.bytes.len() { self.error("bytes after the end") } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let Some(byte) = self.bytes.get(self.at) else { return self.error("a missing byte") };
        self.at += 1;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return self.error("a number over 64 bits");
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        self.error("a number without an end")
    }

    fn slice(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.number()?;
        let rest = &self.bytes[self.at..];
        let Some(slice) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            return self.error("a length beyond the end");
        };
        self.at += slice.len();
        Ok(slice)
    }

    fn blob(&mut self) -> Result<Blob, DecodeError> {
        self.slice().map(Blob::from)
    }

    /// As many as the count before them says; each takes a byte at least, so a count beyond the rest is refused by
    /// the first element that is missing, not by an allocation.
    fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.number()?;
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    fn database(&mut self) -> Result<Database, DecodeError> {
        match self.byte()? {
            u8::MAX => Ok(Database::System),
            number if number < Database::USERS => Ok(Database::User(number)),
            _ => self.error("an unknown database"),
        }
    }

    fn deadline(&mut self) -> Result<Option<Deadline>, DecodeError> {
        self.number().map(Deadline::from_raw)
    }

    fn value(&mut self) -> Result<Value, DecodeError> {
        match self.byte()? {
            0 => self.blob().map(Value::String),
            1 => Ok(Value::List(self.list(Reader::blob)?.into_iter().collect())),
            2 => self.hash().map(Value::Hash),
            3 => self.set().map(Value::Set),
            4 => self.sorted_set().map(|set| Value::SortedSet(Box::new(set))),
            5 => self.stream().map(|stream| Value::Stream(Box::new(stream))),
            _ => self.error("an unknown type of value"),
        }
    }

    fn notice(&mut self) -> Result<Notice, DecodeError> {
        match Notice::from_code(self.byte()?) {
            Some(notice) => Ok(notice),
            None => self.error("an unknown notice"),
        }
    }

    fn change(&mut self) -> Result<Change, DecodeError> {
        let database = self.database()?;
        let key = self.blob()?;
        let notices = self.list(Reader::notice)?.into();
        let op = match self.byte()? {
            0 => {
                let deadline = self.deadline()?;
                Op::Put { value: self.value()?, deadline, copy_of: None }
            }
            1 => Op::Delete,
            2 => Op::SetDeadline(self.deadline()?),
            3 => Op::Append(self.blob()?),
            4 => Op::Splice {
                rank: self.number()?,
                remove: self.number()?,
                insert: SmallVec::from_vec(self.list(Reader::blob)?),
            },
            5 => Op::Clear,
            6 => {
                let deadline = self.deadline()?;
                let copy_of = Some(Box::new((self.database()?, self.blob()?)));
                Op::Put { value: Value::String(Blob::from("")), deadline, copy_of }
            }
            tag => match self.edits(tag)? {
                Some(edits) => Op::Edit(edits),
                None => return self.error("an unknown kind of change"),
            },
        };
        Ok(Change { database, key, op, notices })
    }

    fn row(&mut self) -> Result<Row, DecodeError> {
        let database = self.database()?;
        let key = self.blob()?;
        let created = Revision(self.number()?);
        let modified = Revision(self.number()?);
        let deadline = self.deadline()?;
        let value = self.value()?;
        Ok(Row { database, key, entry: Entry { value, created, modified, deadline } })
    }
}

#[cfg(test)]
mod tests;
