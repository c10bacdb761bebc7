//! Groups of consumers: made, moved, ended, and deliveries acknowledged.
//! <https://redis.io/docs/latest/commands/xgroup-create/>

use std::collections::BTreeSet;
use std::sync::Arc;

use adsum_keyspace::stream::{Edit, Group, Id, Position};
use adsum_keyspace::{Blob, Edits, Notice, Stream};

use super::stream_ids::parse;
use super::streams::{edit, read};
use crate::command::{Command, KeysAt, ONE_KEY, WRITE, Work};
use crate::limits;
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

const KEY: KeysAt = KeysAt::Range { first: 2, last: 2, step: 1 };

pub(super) const COMMANDS: &[Command] = &[
    Command::container(
        "xgroup",
        &[
            Command::keys("xgroup|create", -5, WRITE, KEY, create),
            Command::keys("xgroup|setid", -5, WRITE, KEY, setid),
            Command::keys("xgroup|destroy", 4, WRITE, KEY, destroy),
            Command::keys("xgroup|createconsumer", 5, WRITE, KEY, createconsumer),
            Command::keys("xgroup|delconsumer", 5, WRITE, KEY, delconsumer),
        ],
    ),
    Command::keys("xack", -4, WRITE, ONE_KEY, xack),
];

/// Refuses the name of a group or a consumer that is too long.
pub(super) fn check_name(name: &[u8]) -> Answer {
    let limit = limits::GROUP_NAME;
    if name.len() <= limit {
        return Ok(());
    }
    let length = name.len();
    Err(Refusal::Told(format!("ERR name of {length} bytes is over the limit of {limit} bytes")))
}

/// How many entries a group has read that has come to `id`, as far as that can be told.
pub(super) fn read_upto(stream: &Stream, id: Id) -> Option<u64> {
    let marks = stream.marks();
    let length = stream.len() as u64;
    if marks.added == 0 {
        return Some(0);
    }
    if length == 0 && id <= marks.last || id == marks.last {
        return Some(marks.added);
    }
    if id > marks.last {
        return None;
    }
    let (first, _) = stream.first()?;
    let before = marks.added.saturating_sub(length);
    let whole = marks.deleted == Id::MIN || marks.deleted < first;
    // Behind a gap nobody can tell how many there were.
    match id.cmp(&first) {
        std::cmp::Ordering::Less if whole => Some(before),
        std::cmp::Ordering::Equal if whole => Some(before + 1),
        _ => None,
    }
}

/// Whether an entry from `id` on has been deleted, as far as that is known.
pub(super) fn has_gaps(stream: &Stream, id: Id) -> bool {
    let deleted = stream.marks().deleted;
    stream.first().is_some_and(|(first, _)| first <= deleted) && id <= deleted
}

/// How many entries a group has not read yet, as far as that can be told; less than none when it was told to have read
/// more than there were.
pub(super) fn lag(stream: &Stream, position: Position) -> Option<i64> {
    let marks = stream.marks();
    if marks.added == 0 {
        return Some(0);
    }
    let read = position.read.filter(|_| !has_gaps(stream, position.last));
    let read = read.or_else(|| read_upto(stream, position.last));
    read.map(|read| (marks.added as i64).saturating_sub(read as i64))
}

/// Options behind the id of CREATE and SETID.
fn options(args: &[&[u8]], may_make: bool) -> Result<(bool, Option<u64>), Refusal> {
    let (mut makes, mut read) = (false, None);
    let mut rest = &args[5..];
    while let [word, more @ ..] = rest {
        rest = more;
        match (word.to_ascii_uppercase().as_slice(), more) {
            (b"MKSTREAM", _) if may_make => makes = true,
            (b"ENTRIESREAD", [number, more @ ..]) => {
                rest = more;
                read = match integer(number)? {
                    -1 => None,
                    number => Some(
                        u64::try_from(number)
                            .map_err(|_| Refusal::Says("value for ENTRIESREAD must be positive or -1"))?,
                    ),
                };
            }
            _ => return Err(Refusal::words_of_subcommand("XGROUP", args[1])),
        }
    }
    Ok((makes, read))
}

/// Redis minds how many words there are only when there is something that they could change.
fn check_count(args: &[&[u8]], most: usize) -> Answer {
    if args.len() > most { Err(Refusal::words_of_subcommand("XGROUP", args[1])) } else { Ok(()) }
}

const NO_KEY: Refusal = Refusal::Says(
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
     create an empty stream automatically.",
);

/// The id at which a group begins, or goes on.
fn beginning(word: &[u8], stream: Option<&Stream>) -> Result<Id, Refusal> {
    if word == b"$" { Ok(stream.map_or(Id::MIN, |stream| stream.marks().last)) } else { parse(word, 0) }
}

/// Changes the stream that a subcommand names.
fn edit_at(work: &mut Work<'_, '_>, edits: Vec<Edit>, notice: Notice) {
    work.tx.edit(work.db, work.args[2], Edits::Stream(edits), &[notice]);
}

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD count]`
fn create(work: &mut Work<'_, '_>) -> Answer {
    let (makes, count) = options(work.args, true)?;
    check_name(work.args[3])?;
    let stream = read(work.tx, work.db, work.args[2])?;
    if stream.is_none() && !makes {
        return Err(NO_KEY);
    }
    check_count(work.args, 8)?;
    let last = beginning(work.args[4], stream)?;
    if stream.is_some_and(|stream| stream.group(work.args[3]).is_some()) {
        return Err(Refusal::Told("BUSYGROUP Consumer Group name already exists".to_owned()));
    }
    let group = Group::at(Position { last, read: count });
    edit_at(work, vec![Edit::Group(work.args[3].into(), Some(Arc::new(group)))], Notice::XgroupCreate);
    work.out.ok();
    Ok(())
}

/// The group that a subcommand names, with its stream.
fn group<'x>(work: &'x mut Work<'_, '_>) -> Result<(&'x Stream, &'x Group), Refusal> {
    let stream = read(work.tx, work.db, work.args[2])?.ok_or(NO_KEY)?;
    match stream.group(work.args[3]) {
        Some(group) => Ok((stream, group)),
        None => Err(no_group(work.args[2], work.args[3])),
    }
}

pub(super) fn no_group(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Refusal::Told(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD count]`
fn setid(work: &mut Work<'_, '_>) -> Answer {
    let args = work.args;
    let (_, count) = options(args, false)?;
    let (stream, _) = group(work)?;
    check_count(args, 7)?;
    let position = Position { last: beginning(args[4], Some(stream))?, read: count };
    edit_at(work, vec![Edit::Position(work.args[3].into(), position)], Notice::XgroupSetid);
    work.out.ok();
    Ok(())
}

fn destroy(work: &mut Work<'_, '_>) -> Answer {
    let stream = read(work.tx, work.db, work.args[2])?.ok_or(NO_KEY)?;
    let there = stream.group(work.args[3]).is_some();
    if there {
        edit_at(work, vec![Edit::Group(work.args[3].into(), None)], Notice::XgroupDestroy);
    }
    work.out.boolean(there);
    Ok(())
}

fn createconsumer(work: &mut Work<'_, '_>) -> Answer {
    check_name(work.args[4])?;
    let (name, now) = (work.args[4], work.tx.now().wall);
    let (_, group) = group(work)?;
    let is_new = group.consumer(name).is_none();
    if is_new {
        let made = Edit::Consumer(work.args[3].into(), name.into(), Some(now));
        edit_at(work, vec![made], Notice::XgroupCreateconsumer);
    }
    work.out.boolean(is_new);
    Ok(())
}

/// What the consumer was given and has not acknowledged goes with it.
fn delconsumer(work: &mut Work<'_, '_>) -> Answer {
    let (of, name) = (Blob::from(work.args[3]), Blob::from(work.args[4]));
    let (_, group) = group(work)?;
    let Some(consumer) = group.consumer(&name) else {
        work.out.integer(0);
        return Ok(());
    };
    let pending = consumer.pending().iter().map(|(id, ())| Edit::Pending(of.clone(), *id, None));
    let mut edits: Vec<Edit> = pending.collect();
    work.out.count(edits.len());
    edits.push(Edit::Consumer(of, name, None));
    edit_at(work, edits, Notice::XgroupDelconsumer);
    Ok(())
}

/// `XACK key group id [id ...]`
fn xack(work: &mut Work<'_, '_>) -> Answer {
    let name = Blob::from(work.args[2]);
    let Some(group) = read(work.tx, work.db, work.args[1])?.and_then(|stream| stream.group(&name)) else {
        work.out.integer(0);
        return Ok(());
    };
    let ids = work.args[3..].iter().map(|id| parse(id, 0)).collect::<Result<BTreeSet<_>, _>>()?;
    let pending = ids.into_iter().filter(|id| group.pending().get(id).is_some());
    let edits: Vec<Edit> = pending.map(|id| Edit::Pending(name.clone(), id, None)).collect();
    work.out.count(edits.len());
    if !edits.is_empty() {
        edit(work, edits, &[]);
    }
    Ok(())
}
