//! A group of consumers: how far it has read, and what was delivered and is not acknowledged yet.

use super::Id;
use crate::{Blob, Tree};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub position: Position,
    pending: Tree<Id, Pending>,
    consumers: Tree<Blob, Consumer>,
}

/// How far a group has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last entry that was delivered.
    pub last: Id,
    /// How many entries were read; None when that cannot be told.
    pub read: Option<u64>,
}

/// A delivery that is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub consumer: Blob,
    /// When, by the wall clock, in milliseconds.
    pub delivered: u64,
    /// How many times.
    pub count: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumer {
    /// When it was last given something, by the wall clock, in milliseconds.
    pub seen: u64,
    /// Of the group's, those that are its own.
    pending: Tree<Id, ()>,
}

impl Group {
    pub fn at(position: Position) -> Group {
        Group { position, ..Group::default() }
    }

    pub(super) fn weight(&self) -> usize {
        const PER_PENDING: usize = size_of::<(Id, Pending)>() + size_of::<Id>();
        const PER_CONSUMER: usize = 100;
        size_of::<Group>() + self.pending.len() * PER_PENDING + self.consumers.len() * PER_CONSUMER
    }

    /// All deliveries that are not acknowledged, by id.
    pub fn pending(&self) -> &Tree<Id, Pending> {
        &self.pending
    }

    /// All consumers in the order of their names.
    pub fn consumers(&self) -> &Tree<Blob, Consumer> {
        &self.consumers
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// Notes a delivery, or that it was acknowledged. Returns what was noted before.
    pub(crate) fn set_pending(&mut self, id: Id, pending: Option<Pending>) -> Option<Pending> {
        let owner = pending.as_ref().map(|pending| pending.consumer.clone());
        let before = match pending {
            Some(pending) => self.pending.insert(id, pending),
            None => self.pending.remove(&id),
        };
        if let Some(before) = &before
            && let Some(consumer) = self.consumers.get_mut(before.consumer.as_slice())
        {
            consumer.pending.remove(&id);
        }
        if let Some(owner) = owner
            && let Some(consumer) = self.consumers.get_mut(owner.as_slice())
        {
            consumer.pending.insert(id, ());
        }
        before
    }

    /// Notes that a consumer was seen, or lets it go, who has nothing pending any more. Returns when it was seen before.
    pub(crate) fn set_consumer(&mut self, name: &Blob, seen: Option<u64>) -> Option<u64> {
        match (self.consumers.get_mut(name.as_slice()), seen) {
            (Some(consumer), Some(seen)) => Some(std::mem::replace(&mut consumer.seen, seen)),
            (Some(_), None) => self.consumers.remove(name.as_slice()).map(|consumer| consumer.seen),
            (None, Some(seen)) => {
                self.consumers.insert(name.clone(), Consumer { seen, pending: Tree::default() });
                None
            }
            (None, None) => None,
        }
    }
}

impl Consumer {
    /// The ids of what it was given and has not acknowledged.
    pub fn pending(&self) -> &Tree<Id, ()> {
        &self.pending
    }
}
