//! Streams: entries added, read by id, taken out. <https://redis.io/docs/latest/commands/?group=stream>

use adsum_keyspace::stream::{Edit, Fields, Id, Marks};
use adsum_keyspace::{Blob, Database, Edits, Notice, Stream, Transaction, Value};

use super::lists::check_weight;
use super::stream_ids::{NewId, parse, parse_end, parse_start, write_entry, write_id};
use super::stream_trims::{Of, Options};
use super::strings::check_length;
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("xadd", -5, WRITE, ONE_KEY, xadd),
    Command::keys("xlen", 2, READ, ONE_KEY, xlen),
    Command::keys("xrange", -4, READ, ONE_KEY, xrange),
    Command::keys("xrevrange", -4, READ, ONE_KEY, xrevrange),
    Command::keys("xdel", -3, WRITE, ONE_KEY, xdel),
    Command::keys("xtrim", -4, WRITE, ONE_KEY, xtrim),
    Command::keys("xsetid", -3, WRITE, ONE_KEY, xsetid),
];

/// The stream at `key`.
pub(super) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x Stream>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Stream(stream)) => Ok(Some(stream)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// The stream at `key` as it is now; an empty one when the key is not there.
fn whole(work: &mut Work<'_, '_>, key: &[u8]) -> Result<Stream, Refusal> {
    Ok(read(work.tx, work.db, key)?.cloned().unwrap_or_default())
}

/// Changes the stream that the command names.
pub(super) fn edit(work: &mut Work<'_, '_>, edits: Vec<Edit>, notices: &[Notice]) {
    work.tx.edit(work.db, work.args[1], Edits::Stream(edits), notices);
}

/// `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value ...]`
fn xadd(work: &mut Work<'_, '_>) -> Answer {
    let options = Options::parse(&work.args[2..], Of::Xadd)?;
    let words = &work.args[2 + options.words..];
    let Some(id) = options.id.filter(|_| !words.is_empty() && words.len().is_multiple_of(2)) else {
        return Err(Refusal::Arity("xadd"));
    };
    if matches!(id, NewId::Exactly(Id::MIN)) {
        return Err(Refusal::Says("The ID specified in XADD must be greater than 0-0"));
    }
    words.iter().try_for_each(|word| check_length(word.len()))?;
    let now = work.tx.now().wall;
    let stream = read(work.tx, work.db, work.args[1])?;
    if stream.is_none() && options.only_if_there {
        work.out.null();
        return Ok(());
    }
    check_weight(stream.map_or(0, Stream::weight), words)?;
    let id = next_id(stream.map_or(Id::MIN, |stream| stream.marks().last), id, now)?;
    let excess = options.trim.map_or(0, |trim| trim.excess(stream, Some(id)));
    let fields: Fields = words.iter().map(|word| Blob::from(*word)).collect();
    let append = Edit::Append(id, fields);
    if excess > 0 {
        edit(work, vec![append, Edit::Trim(excess)], &[Notice::Xadd, Notice::Xtrim]);
    } else {
        edit(work, vec![append], &[Notice::Xadd]);
    }
    write_id(&mut work.out, id);
    Ok(())
}

/// The id of an entry behind `last`.
fn next_id(last: Id, wanted: NewId, now: u64) -> Result<Id, Refusal> {
    if last == Id::MAX {
        return Err(Refusal::Says("The stream has exhausted the last possible ID, unable to add more items"));
    }
    let id = match wanted {
        NewId::Any if now > last.millis => Some(Id { millis: now, number: 0 }),
        NewId::Any => last.next(),
        NewId::Within(millis) if millis == last.millis => {
            last.number.checked_add(1).map(|number| Id { millis, number })
        }
        NewId::Within(millis) => Some(Id { millis, number: 0 }),
        NewId::Exactly(id) => Some(id),
    };
    id.filter(|id| *id > last)
        .ok_or(Refusal::Says("The ID specified in XADD is equal or smaller than the target stream top item"))
}

fn xlen(work: &mut Work<'_, '_>) -> Answer {
    let length = read(work.tx, work.db, work.args[1])?.map_or(0, Stream::len);
    work.out.count(length);
    Ok(())
}

fn xrange(work: &mut Work<'_, '_>) -> Answer {
    let (start, end) = (parse_start(work.args[2])?, parse_end(work.args[3])?);
    range(work, (start, end), false)
}

fn xrevrange(work: &mut Work<'_, '_>) -> Answer {
    let (end, start) = (parse_end(work.args[2])?, parse_start(work.args[3])?);
    range(work, (start, end), true)
}

fn range(work: &mut Work<'_, '_>, (start, end): (Id, Id), reverse: bool) -> Answer {
    let mut count = usize::MAX;
    for option in work.args[4..].chunks(2) {
        let [name, value] = option else { return Err(Refusal::Syntax) };
        if !name.eq_ignore_ascii_case(b"COUNT") {
            return Err(Refusal::Syntax);
        }
        count = usize::try_from(integer(value)?).unwrap_or(0);
    }
    let there = work.tx.get(work.db, work.args[1]).is_some();
    let stream = whole(work, work.args[1])?;
    if there && count == 0 {
        work.out.null_array();
        return Ok(());
    }
    let behind = end.next().map_or(stream.len(), |id| stream.rank(id));
    let ranks = stream.rank(start).min(behind)..behind;
    let length = ranks.len().min(count);
    let weight = if length > 0 { stream.weight() / stream.len() * length } else { 0 };
    work.reply_with((length, weight), move |out| {
        out.array(length);
        if reverse {
            let entries = ranks.rev().take(length).filter_map(|rank| stream.nth(rank));
            entries.for_each(|(id, fields)| write_entry(out, id, fields));
        } else {
            stream.iter_from(start).take(length).for_each(|(id, fields)| write_entry(out, id, fields));
        }
    });
    Ok(())
}

fn xdel(work: &mut Work<'_, '_>) -> Answer {
    let Some(stream) = read(work.tx, work.db, work.args[1])? else {
        work.out.integer(0);
        return Ok(());
    };
    let mut ids = work.args[2..].iter().map(|id| parse(id, 0)).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| stream.get(*id).is_some());
    let marks = stream.marks();
    if let Some(last) = ids.last() {
        let marks = Marks { deleted: marks.deleted.max(*last), ..marks };
        let edits = ids.iter().map(|id| Edit::Entry(*id, None)).chain([Edit::Marks(marks)]).collect();
        edit(work, edits, &[Notice::Xdel]);
    }
    work.out.count(ids.len());
    Ok(())
}

fn xtrim(work: &mut Work<'_, '_>) -> Answer {
    let options = Options::parse(&work.args[2..], Of::Xtrim)?;
    let stream = read(work.tx, work.db, work.args[1])?;
    let excess = options.trim.map_or(0, |trim| trim.excess(stream, None));
    if excess > 0 {
        edit(work, vec![Edit::Trim(excess)], &[Notice::Xtrim]);
    }
    work.out.count(usize::try_from(excess).unwrap_or(usize::MAX));
    Ok(())
}

/// `XSETID key id [ENTRIESADDED count] [MAXDELETEDID id]`
fn xsetid(work: &mut Work<'_, '_>) -> Answer {
    let last = parse(work.args[2], 0)?;
    let (mut added, mut deleted) = (None, None);
    for option in work.args[3..].chunks(2) {
        let [name, value] = option else { return Err(Refusal::Syntax) };
        match name.to_ascii_uppercase().as_slice() {
            b"ENTRIESADDED" => {
                let number = u64::try_from(integer(value)?);
                added = Some(number.map_err(|_| Refusal::Says("entries_added must be positive"))?);
            }
            b"MAXDELETEDID" => {
                let id = parse(value, 0)?;
                deleted = Some(id);
                if last < id {
                    return Err(Refusal::Says(
                        "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    let stream = read(work.tx, work.db, work.args[1])?.ok_or(Refusal::NoSuchKey)?;
    let before = stream.marks();
    check_marks(stream, last, added)?;
    let (added, deleted) = (added.unwrap_or(before.added), deleted.filter(|id| *id != Id::MIN));
    let marks = Marks { last, added, deleted: deleted.unwrap_or(before.deleted) };
    edit(work, vec![Edit::Marks(marks)], &[Notice::Xsetid]);
    work.out.ok();
    Ok(())
}

fn check_marks(stream: &Stream, last: Id, added: Option<u64>) -> Answer {
    let says = |text| Err(Refusal::Says(text));
    if stream.last().is_some_and(|(id, _)| last < id) {
        return says("The ID specified in XSETID is smaller than the target stream top item");
    }
    if added.is_some_and(|added| (added as usize) < stream.len()) {
        return says("The entries_added specified in XSETID is smaller than the target stream length");
    }
    Ok(())
}
