//! What a transaction did: the one form that journal, watches, notifications and history read.
//!
//! A change carries the delta of one key, never the whole of an aggregate, and never the command that caused it.

use adsum_model::Revision;
use smallvec::SmallVec;

use crate::spares::Spare;
use crate::{Blob, Deadline, Edits, Now, Value, limits};

/// Adsum's own keys and everybody's are apart, so that no user key is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Database {
    /// What Redis and Consul clients see, 0 to 15.
    User(u8),
    /// Catalog, specs, tokens, idempotency records.
    System,
}

impl Database {
    /// How many user databases there are.
    pub const USERS: u8 = 16;
}

/// Everything that one transaction did. One revision, one event record, one journal record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub revision: Revision,
    /// When; also the clock mark from which ticks go on after a restart.
    pub now: Now,
    /// In order; the N-th, from 1, is the event `REVISION-N`.
    pub changes: Changes,
}

/// Nearly every commit has one change, which then needs no room of its own.
pub type Changes = SmallVec<[Change; 1]>;

#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub database: Database,
    /// Empty for [`Op::Clear`].
    pub key: Blob,
    pub op: Op,
    /// What Redis calls it: the keyspace notifications of this change, in order.
    pub notices: Notices,
}

/// One key of one database.
pub type Place = (Database, Blob);

pub type Notices = SmallVec<[Notice; 2]>;

/// The delta of one key.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The whole value anew, with its deadline.
    Put {
        value: Value,
        deadline: Option<Deadline>,
        /// The value is what this key holds at that moment, or held before the same transaction deleted it: the
        /// journal then has the name alone, however large the value is. A commit that is read back has no value here
        /// until it is replayed.
        copy_of: Option<Box<Place>>,
    },
    Delete,
    SetDeadline(Option<Deadline>),
    /// Bytes at the end of a string.
    Append(Blob),
    /// `remove` elements of a list taken out at `rank`, `insert` put in their place. Makes the list when the key is
    /// not there.
    Splice {
        rank: u64,
        remove: u64,
        insert: SmallVec<[Blob; 1]>,
    },
    /// Elements of any other aggregate. Makes it when the key is not there.
    Edit(Edits),
    /// A whole database emptied.
    Clear,
}

/// The event names of Redis' keyspace notifications, and one of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Notice {
    Set = 1,
    Expire = 2,
    Persist = 3,
    Del = 4,
    Expired = 5,
    Append = 6,
    Incrby = 7,
    RenameFrom = 8,
    RenameTo = 9,
    Lpush = 10,
    Rpush = 11,
    Lpop = 12,
    Rpop = 13,
    Lrem = 14,
    Linsert = 15,
    Lset = 16,
    Ltrim = 17,
    Incrbyfloat = 18,
    Setrange = 19,
    CopyTo = 20,
    MoveFrom = 21,
    MoveTo = 22,
    /// A lock was deleted by somebody other than its holder. Not of Redis.
    LockBroken = 23,
    Hset = 24,
    Hdel = 25,
    Hincrby = 26,
    Hincrbyfloat = 27,
    Sadd = 28,
    Srem = 29,
    Spop = 30,
    Sinterstore = 31,
    Sunionstore = 32,
    Sdiffstore = 33,
    Zadd = 34,
    Zincr = 35,
    Zrem = 36,
    Zremrangebyrank = 37,
    Zremrangebyscore = 38,
    Zremrangebylex = 39,
    Zpopmin = 40,
    Zpopmax = 41,
    Zrangestore = 42,
    Zunionstore = 43,
    Zinterstore = 44,
    Zdiffstore = 45,
    Xadd = 46,
    Xtrim = 47,
    Xdel = 48,
    Xsetid = 49,
    XgroupCreate = 50,
    XgroupSetid = 51,
    XgroupDestroy = 52,
    XgroupCreateconsumer = 53,
    XgroupDelconsumer = 54,
    Sortstore = 55,
    Setbit = 56,
    /// The session that held a key is over. Not of Redis.
    Released = 57,
}

const NAMES: [(Notice, &str); 57] = [
    (Notice::Set, "set"),
    (Notice::Expire, "expire"),
    (Notice::Persist, "persist"),
    (Notice::Del, "del"),
    (Notice::Expired, "expired"),
    (Notice::Append, "append"),
    (Notice::Incrby, "incrby"),
    (Notice::RenameFrom, "rename_from"),
    (Notice::RenameTo, "rename_to"),
    (Notice::Lpush, "lpush"),
    (Notice::Rpush, "rpush"),
    (Notice::Lpop, "lpop"),
    (Notice::Rpop, "rpop"),
    (Notice::Lrem, "lrem"),
    (Notice::Linsert, "linsert"),
    (Notice::Lset, "lset"),
    (Notice::Ltrim, "ltrim"),
    (Notice::Incrbyfloat, "incrbyfloat"),
    (Notice::Setrange, "setrange"),
    (Notice::CopyTo, "copy_to"),
    (Notice::MoveFrom, "move_from"),
    (Notice::MoveTo, "move_to"),
    (Notice::LockBroken, "lock_broken"),
    (Notice::Hset, "hset"),
    (Notice::Hdel, "hdel"),
    (Notice::Hincrby, "hincrby"),
    (Notice::Hincrbyfloat, "hincrbyfloat"),
    (Notice::Sadd, "sadd"),
    (Notice::Srem, "srem"),
    (Notice::Spop, "spop"),
    (Notice::Sinterstore, "sinterstore"),
    (Notice::Sunionstore, "sunionstore"),
    (Notice::Sdiffstore, "sdiffstore"),
    (Notice::Zadd, "zadd"),
    (Notice::Zincr, "zincr"),
    (Notice::Zrem, "zrem"),
    (Notice::Zremrangebyrank, "zremrangebyrank"),
    (Notice::Zremrangebyscore, "zremrangebyscore"),
    (Notice::Zremrangebylex, "zremrangebylex"),
    (Notice::Zpopmin, "zpopmin"),
    (Notice::Zpopmax, "zpopmax"),
    (Notice::Zrangestore, "zrangestore"),
    (Notice::Zunionstore, "zunionstore"),
    (Notice::Zinterstore, "zinterstore"),
    (Notice::Zdiffstore, "zdiffstore"),
    (Notice::Xadd, "xadd"),
    (Notice::Xtrim, "xtrim"),
    (Notice::Xdel, "xdel"),
    (Notice::Xsetid, "xsetid"),
    (Notice::XgroupCreate, "xgroup-create"),
    (Notice::XgroupSetid, "xgroup-setid"),
    (Notice::XgroupDestroy, "xgroup-destroy"),
    (Notice::XgroupCreateconsumer, "xgroup-createconsumer"),
    (Notice::XgroupDelconsumer, "xgroup-delconsumer"),
    (Notice::Sortstore, "sortstore"),
    (Notice::Setbit, "setbit"),
    (Notice::Released, "released"),
];

impl Notice {
    /// Whether Redis has such an event.
    pub fn is_of_redis(self) -> bool {
        !matches!(self, Notice::LockBroken | Notice::Released)
    }

    pub fn as_str(self) -> &'static str {
        NAMES[self as usize - 1].1
    }

    pub(crate) fn from_code(code: u8) -> Option<Notice> {
        NAMES.get(usize::from(code).wrapping_sub(1)).map(|(notice, _)| *notice)
    }
}

impl Commit {
    /// Bytes that it keeps in memory beside its changes.
    pub(crate) const WEIGHT: usize = size_of::<Commit>() - size_of::<Change>() + 2 * size_of::<usize>();
}

impl Spare for Commit {
    fn empty(&mut self) {
        if self.changes.spilled() {
            self.changes = Changes::new();
        } else {
            self.changes.clear();
        }
    }
}

impl Change {
    pub(crate) fn is_of(&self, place: &Place) -> bool {
        self.database == place.0 && self.key == place.1
    }

    /// Bytes that it keeps in memory, roughly: what a history counts.
    pub fn weight(&self) -> usize {
        let value = match &self.op {
            Op::Put { value, copy_of: None, .. } => value.weight(),
            Op::Put { value, copy_of: Some(_), .. } => value.weight().min(limits::COPY_COUNTED),
            Op::Delete | Op::SetDeadline(_) | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) | Op::Clear => {
                0
            }
        };
        value + self.delta()
    }

    /// Bytes that it takes in a commit, roughly: what the limit of a transaction counts. A copied value takes none.
    pub(crate) fn effect(&self) -> usize {
        match &self.op {
            Op::Put { value, copy_of: None, .. } => value.weight() + self.delta(),
            _ => self.delta(),
        }
    }

    /// All but a whole value.
    fn delta(&self) -> usize {
        let payload = match &self.op {
            Op::Put { copy_of: Some(place), .. } => size_of_val(&**place) + place.1.len(),
            Op::Append(tail) => tail.len(),
            Op::Splice { insert, .. } => insert.iter().map(|element| element.len() + 32).sum(),
            Op::Edit(edits) => edits.weight(),
            Op::Put { copy_of: None, .. } | Op::Delete | Op::SetDeadline(_) | Op::Clear => 0,
        };
        size_of::<Change>() + self.key.len() + payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_has_its_own_name_and_code() {
        for (at, (notice, name)) in NAMES.iter().enumerate() {
            assert_eq!(*notice as usize, at + 1, "{name}");
            assert_eq!(Notice::from_code(*notice as u8), Some(*notice));
        }
        assert_eq!(Notice::from_code(0), None);
        assert_eq!(Notice::from_code(NAMES.len() as u8 + 1), None);
    }
}
