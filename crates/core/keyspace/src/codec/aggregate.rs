//! The bytes of aggregates whose elements have names, and of what changes them.
//!
//! Scores are the 8 bytes of the number, little-endian. An element that goes has a 0 where one that comes has a 1 and its
//! payload.

use std::sync::Arc;

use super::{DecodeError, Reader, put_bytes, put_number};
use crate::members::EditList;
use crate::stream::{Edit, Fields, Group, Id, Marks, Pending, Position, Stream};
use crate::{Blob, Edits, Hash, Score, Set, SortedSet};

pub(super) fn put_hash(out: &mut Vec<u8>, hash: &Hash) {
    put_number(out, hash.len() as u64);
    for (field, value) in hash.iter() {
        put_bytes(out, field);
        put_bytes(out, value);
    }
}

pub(super) fn put_set(out: &mut Vec<u8>, set: &Set) {
    put_number(out, set.len() as u64);
    set.iter().for_each(|(member, ())| put_bytes(out, member));
}

pub(super) fn put_sorted_set(out: &mut Vec<u8>, set: &SortedSet) {
    put_number(out, set.len() as u64);
    for (member, score) in set.scores().iter() {
        put_bytes(out, member);
        put_score(out, *score);
    }
}

pub(super) fn put_stream(out: &mut Vec<u8>, stream: &Stream) {
    put_marks(out, stream.marks());
    put_number(out, stream.len() as u64);
    for (id, fields) in stream.iter_from(Id::MIN) {
        put_id(out, id);
        put_fields(out, fields);
    }
    put_number(out, stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        put_bytes(out, name);
        put_group(out, group);
    }
}

/// With a tag of its own for each type.
pub(super) fn put_edits(out: &mut Vec<u8>, edits: &Edits) {
    match edits {
        Edits::Hash(edits) => {
            out.push(7);
            put_each(out, edits, |out, value| put_bytes(out, value));
        }
        Edits::Set(edits) => {
            out.push(8);
            put_each(out, edits, |_, ()| {});
        }
        Edits::SortedSet(edits) => {
            out.push(9);
            put_each(out, edits, |out, score| put_score(out, *score));
        }
        Edits::Stream(edits) => {
            out.push(10);
            put_number(out, edits.len() as u64);
            edits.iter().for_each(|edit| put_edit(out, edit));
        }
    }
}

fn put_each<V>(out: &mut Vec<u8>, edits: &[(Blob, Option<V>)], payload: impl Fn(&mut Vec<u8>, &V)) {
    put_number(out, edits.len() as u64);
    for (name, edit) in edits {
        put_bytes(out, name);
        put_option(out, edit.as_ref(), &payload);
    }
}

fn put_option<V>(out: &mut Vec<u8>, value: Option<&V>, payload: impl Fn(&mut Vec<u8>, &V)) {
    match value {
        Some(value) => {
            out.push(1);
            payload(out, value);
        }
        None => out.push(0),
    }
}

fn put_edit(out: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Append(id, fields) => {
            out.push(0);
            put_id(out, *id);
            put_fields(out, fields);
        }
        Edit::Trim(count) => {
            out.push(1);
            put_number(out, *count);
        }
        Edit::Entry(id, fields) => {
            out.push(2);
            put_id(out, *id);
            put_option(out, fields.as_ref(), put_fields);
        }
        Edit::Marks(marks) => {
            out.push(3);
            put_marks(out, *marks);
        }
        Edit::Group(name, group) => {
            out.push(4);
            put_bytes(out, name);
            put_option(out, group.as_deref(), put_group);
        }
        Edit::Position(group, position) => {
            out.push(5);
            put_bytes(out, group);
            put_position(out, *position);
        }
        Edit::Consumer(group, name, seen) => {
            out.push(6);
            put_bytes(out, group);
            put_bytes(out, name);
            put_option(out, seen.as_ref(), |out, seen| put_number(out, *seen));
        }
        Edit::Pending(group, id, pending) => {
            out.push(7);
            put_bytes(out, group);
            put_id(out, *id);
            put_option(out, pending.as_ref(), put_pending);
        }
    }
}

fn put_score(out: &mut Vec<u8>, score: Score) {
    out.extend_from_slice(&score.get().to_le_bytes());
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_number(out, id.millis);
    put_number(out, id.number);
}

fn put_fields(out: &mut Vec<u8>, fields: &Fields) {
    put_number(out, fields.len() as u64);
    fields.iter().for_each(|part| put_bytes(out, part));
}

fn put_marks(out: &mut Vec<u8>, marks: Marks) {
    put_id(out, marks.last);
    put_id(out, marks.deleted);
    put_number(out, marks.added);
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    put_id(out, position.last);
    put_option(out, position.read.as_ref(), |out, read| put_number(out, *read));
}

fn put_pending(out: &mut Vec<u8>, pending: &Pending) {
    put_bytes(out, &pending.consumer);
    put_number(out, pending.delivered);
    put_number(out, pending.count);
}

fn put_group(out: &mut Vec<u8>, group: &Group) {
    put_position(out, group.position);
    put_number(out, group.consumers().len() as u64);
    for (name, consumer) in group.consumers().iter() {
        put_bytes(out, name);
        put_number(out, consumer.seen);
    }
    put_number(out, group.pending().len() as u64);
    for (id, pending) in group.pending().iter() {
        put_id(out, *id);
        put_pending(out, pending);
    }
}

impl Reader<'_> {
    pub(super) fn hash(&mut self) -> Result<Hash, DecodeError> {
        let fields = self.list(|reader| Ok((reader.blob()?, reader.blob()?)))?;
        Ok(fields.into_iter().collect())
    }

    pub(super) fn set(&mut self) -> Result<Set, DecodeError> {
        let members = self.list(|reader| Ok((reader.blob()?, ())))?;
        Ok(members.into_iter().collect())
    }

    pub(super) fn sorted_set(&mut self) -> Result<SortedSet, DecodeError> {
        let members = self.list(|reader| Ok((reader.blob()?, reader.score()?)))?;
        Ok(members.into_iter().collect())
    }

    pub(super) fn stream(&mut self) -> Result<Stream, DecodeError> {
        let marks = self.marks()?;
        let entries = self.list(|reader| Ok((reader.id()?, reader.fields()?)))?;
        let groups = self.list(|reader| Ok((reader.blob()?, Arc::new(reader.group()?))))?;
        Ok(Stream::new(marks, entries, groups))
    }

    /// Of the type that `tag` stands for; None when it stands for none.
    pub(super) fn edits(&mut self, tag: u8) -> Result<Option<Edits>, DecodeError> {
        Ok(Some(match tag {
            7 => Edits::Hash(self.each(Reader::blob)?),
            8 => Edits::Set(self.each(|_| Ok(()))?),
            9 => Edits::SortedSet(self.each(Reader::score)?),
            10 => Edits::Stream(self.list(Reader::edit)?),
            _ => return Ok(None),
        }))
    }

    fn each<V>(
        &mut self,
        payload: impl Fn(&mut Self) -> Result<V, DecodeError>,
    ) -> Result<EditList<V>, DecodeError> {
        self.list(|reader| Ok((reader.blob()?, reader.option(&payload)?))).map(EditList::from)
    }

    fn option<V>(
        &mut self,
        payload: impl Fn(&mut Self) -> Result<V, DecodeError>,
    ) -> Result<Option<V>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            1 => payload(self).map(Some),
            _ => self.error("neither something nor nothing"),
        }
    }

    fn edit(&mut self) -> Result<Edit, DecodeError> {
        Ok(match self.byte()? {
            0 => Edit::Append(self.id()?, self.fields()?),
            1 => Edit::Trim(self.number()?),
            2 => Edit::Entry(self.id()?, self.option(Reader::fields)?),
            3 => Edit::Marks(self.marks()?),
            4 => Edit::Group(self.blob()?, self.option(Reader::group)?.map(Arc::new)),
            5 => Edit::Position(self.blob()?, self.position()?),
            6 => Edit::Consumer(self.blob()?, self.blob()?, self.option(Reader::number)?),
            7 => Edit::Pending(self.blob()?, self.id()?, self.option(Reader::pending)?),
            _ => return self.error("an unknown edit of a stream"),
        })
    }

    fn score(&mut self) -> Result<Score, DecodeError> {
        let mut bytes = [0; 8];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        match Score::new(f64::from_le_bytes(bytes)) {
            Some(score) => Ok(score),
            None => self.error("a score that is no number"),
        }
    }

    fn id(&mut self) -> Result<Id, DecodeError> {
        Ok(Id { millis: self.number()?, number: self.number()? })
    }

    fn fields(&mut self) -> Result<Fields, DecodeError> {
        self.list(Reader::blob).map(Fields::from)
    }

    fn marks(&mut self) -> Result<Marks, DecodeError> {
        Ok(Marks { last: self.id()?, deleted: self.id()?, added: self.number()? })
    }

    fn position(&mut self) -> Result<Position, DecodeError> {
        Ok(Position { last: self.id()?, read: self.option(Reader::number)? })
    }

    fn pending(&mut self) -> Result<Pending, DecodeError> {
        Ok(Pending { consumer: self.blob()?, delivered: self.number()?, count: self.number()? })
    }

    fn group(&mut self) -> Result<Group, DecodeError> {
        let mut group = Group::at(self.position()?);
        for (name, seen) in self.list(|reader| Ok((reader.blob()?, reader.number()?)))? {
            group.set_consumer(&name, Some(seen));
        }
        for (id, pending) in self.list(|reader| Ok((reader.id()?, reader.pending()?)))? {
            group.set_pending(id, Some(pending));
        }
        Ok(group)
    }
}
