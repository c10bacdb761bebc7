//! Lists: pushed, popped, read. <https://redis.io/docs/latest/commands/?group=list>

use std::ops::Range;

use adsum_keyspace::{Blob, Database, List, Notice, Transaction, Value, limits};
use smallvec::{SmallVec, smallvec};

use super::strings::check_length;
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("lpush", -3, WRITE, ONE_KEY, |work| push(work, End::Left, Made::WhenMissing)),
    Command::keys("rpush", -3, WRITE, ONE_KEY, |work| push(work, End::Right, Made::WhenMissing)),
    Command::keys("lpushx", -3, WRITE, ONE_KEY, |work| push(work, End::Left, Made::Never)),
    Command::keys("rpushx", -3, WRITE, ONE_KEY, |work| push(work, End::Right, Made::Never)),
    Command::keys("lpop", -2, WRITE, ONE_KEY, |work| pop_command(work, End::Left, "lpop")),
    Command::keys("rpop", -2, WRITE, ONE_KEY, |work| pop_command(work, End::Right, "rpop")),
    Command::keys("llen", 2, READ, ONE_KEY, llen),
    Command::keys("lrange", 4, READ, ONE_KEY, lrange),
    Command::keys("lindex", 3, READ, ONE_KEY, lindex),
    Command::keys("lpos", -3, READ, ONE_KEY, lpos),
];

/// The two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Left,
    Right,
}

impl End {
    pub(super) fn parse(word: &[u8]) -> Result<End, Refusal> {
        match word.to_ascii_uppercase().as_slice() {
            b"LEFT" => Ok(End::Left),
            b"RIGHT" => Ok(End::Right),
            _ => Err(Refusal::Syntax),
        }
    }

    pub(super) fn pushed(self) -> Notice {
        match self {
            End::Left => Notice::Lpush,
            End::Right => Notice::Rpush,
        }
    }

    pub(super) fn popped(self) -> Notice {
        match self {
            End::Left => Notice::Lpop,
            End::Right => Notice::Rpop,
        }
    }
}

/// Whether a push makes the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    WhenMissing,
    Never,
}

/// The list at `key`.
pub(crate) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x List>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// Takes up to `count` elements from one end of a list that is there, and shows each to `taken`.
pub(crate) fn pop(
    tx: &mut Transaction<'_>,
    db: Database,
    key: &[u8],
    end: End,
    count: usize,
    mut taken: impl FnMut(&[u8]),
) {
    let Ok(Some(list)) = read(tx, db, key) else { return };
    let count = count.min(list.len());
    let rank = match end {
        End::Left => 0,
        End::Right => list.len() - count,
    };
    match end {
        _ if count == 1 => list.get(rank).into_iter().for_each(|element| taken(element)),
        End::Left => list.iter_from(rank).take(count).for_each(|element| taken(element)),
        End::Right => {
            let elements: SmallVec<[&Blob; 4]> = list.iter_from(rank).take(count).collect();
            elements.iter().rev().for_each(|element| taken(element));
        }
    }
    if count > 0 {
        tx.splice(db, key, rank, count, smallvec![], &[end.popped()]);
    }
}

/// Moves one element between the ends of two lists, which may be the same. None when the first is not there.
pub(crate) fn move_one(
    tx: &mut Transaction<'_>,
    db: Database,
    (from, from_end): (&[u8], End),
    (to, to_end): (&[u8], End),
) -> Result<Option<Blob>, Refusal> {
    let element = match read(tx, db, from)? {
        None => return Ok(None),
        Some(list) => match from_end {
            End::Left => list.get(0).cloned(),
            End::Right => list.get(list.len() - 1).cloned(),
        },
    };
    let Some(element) = element else { return Ok(None) };
    let length = read(tx, db, to)?.map_or(0, List::len);
    // Pushed before it is popped, which is the order of Redis' events; and so a list of one that is turned in itself
    // is never empty.
    let rank = if to_end == End::Left { 0 } else { length };
    tx.splice(db, to, rank, 0, smallvec![element.clone()], &[to_end.pushed()]);
    pop(tx, db, from, from_end, 1, |_| {});
    Ok(Some(element))
}

/// The ranks from `start` to `end` inclusive, which count from the end when negative.
pub(super) fn range(start: i64, end: i64, length: usize) -> Range<usize> {
    let length = length as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let start = from_end(start).clamp(0, length);
    let end = from_end(end).min(length - 1).saturating_add(1).max(start);
    start as usize..end as usize
}

/// The rank that `index` names, if there is one.
pub(super) fn rank(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|rank| *rank < length)
}

fn push(work: &mut Work<'_, '_>, end: End, made: Made) -> Answer {
    let key = work.args[1];
    let elements = &work.args[2..];
    elements.iter().try_for_each(|element| check_length(element.len()))?;
    let list = read(work.tx, work.db, key)?;
    check_weight(list.map_or(0, List::weight), elements)?;
    let length = list.map(List::len);
    if length.is_none() && made == Made::Never {
        work.out.integer(0);
        return Ok(());
    }
    let length = length.unwrap_or(0);
    let blobs = elements.iter().map(|element| Blob::from(*element));
    let (rank, insert) = match end {
        End::Left => (0, blobs.rev().collect()),
        End::Right => (length, blobs.collect()),
    };
    work.tx.splice(work.db, key, rank, 0, insert, &[end.pushed()]);
    work.out.count(length + elements.len());
    Ok(())
}

/// Refuses to let an aggregate that takes `weight` bytes grow too large.
pub(super) fn check_weight(weight: usize, elements: &[&[u8]]) -> Answer {
    let more: usize = elements.iter().map(|element| element.len() + 32).sum();
    if weight + more > limits::AGGREGATE { Err(Refusal::TooLarge(weight + more)) } else { Ok(()) }
}

fn pop_command(work: &mut Work<'_, '_>, end: End, name: &'static str) -> Answer {
    let key = work.args[1];
    let count = match work.args[2..] {
        [] => None,
        [count] => Some(
            integer(count).ok().and_then(|count| usize::try_from(count).ok()).ok_or(Refusal::NotPositive)?,
        ),
        _ => return Err(Refusal::Arity(name)),
    };
    let length = read(work.tx, work.db, key)?.map(List::len);
    match (length, count) {
        (None, None) => work.out.null(),
        (None, Some(_)) => work.out.null_array(),
        (Some(_), None) => pop(work.tx, work.db, key, end, 1, |element| work.out.bulk(element)),
        (Some(length), Some(count)) => {
            work.out.array(count.min(length));
            pop(work.tx, work.db, key, end, count, |element| work.out.bulk(element));
        }
    }
    Ok(())
}

fn llen(work: &mut Work<'_, '_>) -> Answer {
    let length = read(work.tx, work.db, work.args[1])?.map_or(0, List::len);
    work.out.count(length);
    Ok(())
}

fn lrange(work: &mut Work<'_, '_>) -> Answer {
    let (start, end) = (integer(work.args[2])?, integer(work.args[3])?);
    let Some(list) = read(work.tx, work.db, work.args[1])? else {
        work.out.array(0);
        return Ok(());
    };
    let (range, list) = (range(start, end, list.len()), list.clone());
    work.reply_with((range.len(), list.weight()), move |out| {
        out.array(range.len());
        list.iter_from(range.start).take(range.len()).for_each(|element| out.bulk(element));
    });
    Ok(())
}

fn lindex(work: &mut Work<'_, '_>) -> Answer {
    let list = read(work.tx, work.db, work.args[1])?;
    let index = integer(work.args[2]);
    let element = match list {
        Some(list) => rank(index?, list.len()).and_then(|rank| list.get(rank)),
        None => None,
    };
    work.out.bulk_or_null(element.map(Blob::as_slice));
    Ok(())
}

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN length]`
struct Search {
    rank: i64,
    count: Option<usize>,
    most: usize,
}

fn lpos(work: &mut Work<'_, '_>) -> Answer {
    let search = Search::parse(&work.args[3..])?;
    let list = read(work.tx, work.db, work.args[1])?;
    let found = list.map_or_else(Vec::new, |list| search.run(list, work.args[2]));
    match search.count {
        Some(_) => {
            work.out.array(found.len());
            found.into_iter().for_each(|rank| work.out.count(rank));
        }
        None => match found.first() {
            Some(rank) => work.out.count(*rank),
            None => work.out.null(),
        },
    }
    Ok(())
}

impl Search {
    fn parse(words: &[&[u8]]) -> Result<Search, Refusal> {
        const ZERO: &str = "RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                            or use negative to start from the end of the list";
        let not_negative = |number, says| {
            let number = integer(number).ok().and_then(|number| usize::try_from(number).ok());
            number.ok_or(Refusal::Says(says))
        };
        let mut search = Search { rank: 1, count: None, most: 0 };
        for option in words.chunks(2) {
            let [name, value] = option else { return Err(Refusal::Syntax) };
            match name.to_ascii_uppercase().as_slice() {
                b"RANK" => match integer(value)? {
                    0 => return Err(Refusal::Says(ZERO)),
                    i64::MIN => return Err(Refusal::Says("value is out of range")),
                    rank => search.rank = rank,
                },
                b"COUNT" => search.count = Some(not_negative(value, "COUNT can't be negative")?),
                b"MAXLEN" => search.most = not_negative(value, "MAXLEN can't be negative")?,
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(search)
    }

    /// The ranks of what was found. 0 means all, for the count as for the elements looked at.
    fn run(&self, list: &List, element: &[u8]) -> Vec<usize> {
        let bound = |number: usize| if number == 0 { usize::MAX } else { number };
        let (most, count) = (bound(self.most).min(list.len()), bound(self.count.unwrap_or(1)));
        let skip = usize::try_from(self.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let from = if self.rank < 0 { list.len() - most } else { 0 };
        let ranks = (from..).zip(list.iter_from(from).take(most));
        let ranks = ranks.filter(|(_, other)| other.as_slice() == element).map(|(rank, _)| rank);
        if self.rank > 0 {
            return ranks.skip(skip).take(count).collect();
        }
        let ranks: Vec<usize> = ranks.collect();
        ranks.into_iter().rev().skip(skip).take(count).collect()
    }
}
