//! One change of a stream, and how to take it back.

use std::sync::Arc;

use super::{Fields, Group, Id, Marks, Pending, Position, Stream, weight};
use crate::Blob;

#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A new entry behind all others.
    Append(Id, Fields),
    /// So many of the first entries go.
    Trim(u64),
    /// The entry with this id, or that there is none.
    Entry(Id, Option<Fields>),
    Marks(Marks),
    /// A group as a whole, or that there is none.
    Group(Blob, Option<Arc<Group>>),
    /// How far the group has read.
    Position(Blob, Position),
    /// When a consumer of the group was last seen, or that there is none. One that goes has nothing pending any more.
    Consumer(Blob, Blob, Option<u64>),
    /// To whom of the group an entry was delivered, or that it was acknowledged.
    Pending(Blob, Id, Option<Pending>),
}

impl Edit {
    /// Whether no entry comes or goes by it.
    pub(crate) fn is_of_groups(&self) -> bool {
        match self {
            Edit::Append(..) | Edit::Trim(_) | Edit::Entry(..) => false,
            Edit::Marks(_)
            | Edit::Group(..)
            | Edit::Position(..)
            | Edit::Consumer(..)
            | Edit::Pending(..) => true,
        }
    }

    /// Bytes that it takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Edit>()
            + match self {
                Edit::Append(_, fields) | Edit::Entry(_, Some(fields)) => weight(fields),
                Edit::Group(name, group) => name.len() + group.as_ref().map_or(0, |group| group.weight()),
                Edit::Position(group, _) => group.len(),
                Edit::Consumer(group, name, _) => group.len() + name.len(),
                Edit::Pending(group, _, pending) => {
                    group.len() + pending.as_ref().map_or(0, |pending| pending.consumer.len())
                }
                Edit::Trim(_) | Edit::Entry(_, None) | Edit::Marks(_) => 0,
            }
    }
}

impl Stream {
    /// Does what `edit` says. What takes it back is added to `back`, to be done from the end.
    pub fn edit(&mut self, edit: &Edit, back: &mut Vec<Edit>) {
        match edit {
            Edit::Append(id, fields) => {
                back.push(Edit::Marks(self.marks));
                self.set_entry(*id, Some(fields), back);
                self.marks = Marks { last: *id, added: self.marks.added.saturating_add(1), ..self.marks };
            }
            Edit::Trim(count) => self.trim(*count, back),
            Edit::Entry(id, fields) => self.set_entry(*id, fields.as_ref(), back),
            Edit::Marks(marks) => back.push(Edit::Marks(std::mem::replace(&mut self.marks, *marks))),
            Edit::Group(name, group) => {
                let before = match group {
                    Some(group) => self.groups.insert(name.clone(), group.clone()),
                    None => self.groups.remove(name.as_slice()),
                };
                back.push(Edit::Group(name.clone(), before));
            }
            Edit::Position(name, position) => {
                let Some(group) = self.group_mut(name) else { return };
                let before = std::mem::replace(&mut group.position, *position);
                back.push(Edit::Position(name.clone(), before));
            }
            Edit::Consumer(name, consumer, seen) => {
                let Some(group) = self.group_mut(name) else { return };
                let before = group.set_consumer(consumer, *seen);
                back.push(Edit::Consumer(name.clone(), consumer.clone(), before));
            }
            Edit::Pending(name, id, pending) => {
                let Some(group) = self.group_mut(name) else { return };
                let before = group.set_pending(*id, pending.clone());
                back.push(Edit::Pending(name.clone(), *id, before));
            }
        }
    }

    fn group_mut(&mut self, name: &Blob) -> Option<&mut Group> {
        self.groups.get_mut(name.as_slice()).map(Arc::make_mut)
    }

    fn set_entry(&mut self, id: Id, fields: Option<&Fields>, back: &mut Vec<Edit>) {
        let before = match fields {
            Some(fields) => self.entries.insert(id, fields.clone()),
            None => self.entries.remove(&id),
        };
        self.bytes += fields.map_or(0, weight);
        self.bytes -= before.as_ref().map_or(0, weight);
        back.push(Edit::Entry(id, before));
    }

    fn trim(&mut self, count: u64, back: &mut Vec<Edit>) {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len());
        let ids: Vec<Id> = self.entries.iter().take(count).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.set_entry(id, None, back));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Consumer;

    fn id(millis: u64) -> Id {
        Id { millis, number: 0 }
    }

    fn all() -> Vec<Edit> {
        let fields: Fields = [Blob::from("f"), Blob::from("v")].into();
        let (group, ann) = (Blob::from("g"), Blob::from("ann"));
        let pending = |count| Some(Pending { consumer: "ann".into(), delivered: 5, count });
        vec![
            Edit::Append(id(1), fields.clone()),
            Edit::Append(id(2), fields.clone()),
            Edit::Append(id(3), fields),
            Edit::Group(group.clone(), Some(Arc::new(Group::at(Position::default())))),
            Edit::Position(group.clone(), Position { last: id(2), read: Some(2) }),
            Edit::Consumer(group.clone(), ann.clone(), Some(5)),
            Edit::Pending(group.clone(), id(1), pending(1)),
            Edit::Pending(group.clone(), id(2), pending(1)),
            Edit::Pending(group.clone(), id(1), pending(2)),
            Edit::Trim(2),
            Edit::Entry(id(3), None),
            Edit::Marks(Marks { last: id(9), deleted: id(3), added: 9 }),
            Edit::Pending(group.clone(), id(2), None),
            Edit::Pending(group.clone(), id(1), None),
            Edit::Consumer(group.clone(), ann, None),
            Edit::Group(group, None),
        ]
    }

    #[test]
    fn every_edit_can_be_taken_back() {
        let mut stream = Stream::default();
        for edit in all() {
            let before = stream.clone();
            let mut back = Vec::new();
            stream.edit(&edit, &mut back);
            let mut undone = stream.clone();
            back.iter().rev().for_each(|edit| undone.edit(edit, &mut Vec::new()));
            assert_eq!(undone, before, "{edit:?}");
        }
        assert_eq!((stream.len(), stream.weight(), stream.marks().added), (0, 0, 9));
    }

    #[test]
    fn what_is_pending_is_with_its_consumer_too() {
        let mut stream = Stream::default();
        all().iter().take(9).for_each(|edit| stream.edit(edit, &mut Vec::new()));
        let group = stream.group(b"g").unwrap();
        let ann: &Consumer = group.consumer(b"ann").unwrap();
        assert!(ann.pending().iter().map(|(id, ())| *id).eq([id(1), id(2)]));
        assert_eq!(group.pending().get(&id(1)).unwrap().count, 2);
        let bob = Blob::from("bob");
        stream.edit(&Edit::Consumer("g".into(), bob.clone(), Some(1)), &mut Vec::new());
        let claimed = Pending { consumer: bob, delivered: 7, count: 3 };
        stream.edit(&Edit::Pending("g".into(), id(1), Some(claimed)), &mut Vec::new());
        let group = stream.group(b"g").unwrap();
        assert_eq!(group.consumer(b"ann").unwrap().pending().len(), 1);
        assert_eq!(group.consumer(b"bob").unwrap().pending().len(), 1);
    }
}
