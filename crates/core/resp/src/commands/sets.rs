//! Sets. <https://redis.io/docs/latest/commands/?group=set>

use std::collections::BTreeSet;

use adsum_keyspace::{Blob, Database, Edits, Notice, Set, Transaction, Value};

use super::draws::Drawing;
use super::lists::check_weight;
use super::strings::check_length;
use crate::command::{Command, ONE_KEY, READ, TWO_KEYS, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal, check_reply};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("sadd", -3, WRITE, ONE_KEY, sadd).of_element(2),
    Command::keys("srem", -3, WRITE, ONE_KEY, srem).of_element(2),
    Command::keys("smembers", 2, READ, ONE_KEY, smembers),
    Command::keys("sismember", 3, READ, ONE_KEY, sismember).of_element(2),
    Command::keys("smismember", -3, READ, ONE_KEY, smismember).of_element(2),
    Command::keys("scard", 2, READ, ONE_KEY, scard),
    Command::keys("spop", -2, WRITE, ONE_KEY, spop),
    Command::keys("srandmember", -2, READ, ONE_KEY, srandmember),
    Command::keys("smove", 4, WRITE, TWO_KEYS, smove),
];

/// The set at `key`.
pub(super) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x Set>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// The set at `key` as it is now; an empty one when the key is not there.
pub(super) fn whole(work: &mut Work<'_, '_>, key: &[u8]) -> Result<Set, Refusal> {
    Ok(read(work.tx, work.db, key)?.cloned().unwrap_or_default())
}

/// All of `members` come in, or go.
fn edit(work: &mut Work<'_, '_>, key: &[u8], members: &[Blob], there: Option<()>, notice: Notice) {
    let edits = members.iter().map(|member| (member.clone(), there)).collect();
    work.tx.edit(work.db, key, Edits::Set(edits), &[notice]);
}

/// Those of the words that are in the set, or are not, each once.
fn chosen(set: Option<&Set>, words: &[&[u8]], there: bool) -> Vec<Blob> {
    let words = words.iter().copied().filter(|word| set.is_some_and(|set| set.contains(word)) == there);
    words.collect::<BTreeSet<_>>().into_iter().map(Blob::from).collect()
}

fn sadd(work: &mut Work<'_, '_>) -> Answer {
    let (key, words) = (work.args[1], &work.args[2..]);
    words.iter().try_for_each(|member| check_length(member.len()))?;
    let set = read(work.tx, work.db, key)?;
    check_weight(set.map_or(0, Set::weight), words)?;
    let added = chosen(set, words, false);
    if !added.is_empty() {
        edit(work, key, &added, Some(()), Notice::Sadd);
    }
    work.out.count(added.len());
    Ok(())
}

fn srem(work: &mut Work<'_, '_>) -> Answer {
    let key = work.args[1];
    let removed = chosen(read(work.tx, work.db, key)?, &work.args[2..], true);
    if !removed.is_empty() {
        edit(work, key, &removed, None, Notice::Srem);
    }
    work.out.count(removed.len());
    Ok(())
}

fn smembers(work: &mut Work<'_, '_>) -> Answer {
    let set = whole(work, work.args[1])?;
    work.reply_with((set.len(), set.weight()), move |out| {
        out.set(set.len());
        set.iter().for_each(|(member, ())| out.bulk(member));
    });
    Ok(())
}

fn sismember(work: &mut Work<'_, '_>) -> Answer {
    let there = read(work.tx, work.db, work.args[1])?.is_some_and(|set| set.contains(work.args[2]));
    work.out.boolean(there);
    Ok(())
}

fn smismember(work: &mut Work<'_, '_>) -> Answer {
    let set = read(work.tx, work.db, work.args[1])?;
    work.out.array(work.args.len() - 2);
    work.args[2..].iter().for_each(|member| work.out.boolean(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

fn scard(work: &mut Work<'_, '_>) -> Answer {
    let length = read(work.tx, work.db, work.args[1])?.map_or(0, Set::len);
    work.out.count(length);
    Ok(())
}

/// `SPOP key [count]`
fn spop(work: &mut Work<'_, '_>) -> Answer {
    let key = work.args[1];
    let count = match work.args[2..] {
        [] => None,
        [count] => {
            let count = integer(count).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Refusal::NotPositive)?)
        }
        _ => return Err(Refusal::Syntax),
    };
    let set = whole(work, key)?;
    let ranks = Drawing::Different(count.unwrap_or(1)).ranks(set.len(), work.lot);
    let popped: Vec<Blob> =
        ranks.into_iter().filter_map(|rank| set.nth(rank)).map(|(m, ())| m.clone()).collect();
    if !popped.is_empty() {
        edit(work, key, &popped, None, Notice::Spop);
    }
    match count {
        None => work.out.bulk_or_null(popped.first().map(Blob::as_slice)),
        Some(_) => {
            work.out.set(popped.len());
            popped.iter().for_each(|member| work.out.bulk(member));
        }
    }
    Ok(())
}

/// `SRANDMEMBER key [count]`
fn srandmember(work: &mut Work<'_, '_>) -> Answer {
    let drawing = match work.args[2..] {
        [] => None,
        [count] => Some(Drawing::parse(count)?),
        _ => return Err(Refusal::Syntax),
    };
    let set = whole(work, work.args[1])?;
    let Some(drawing) = drawing else {
        let member = (!set.is_empty()).then(|| set.nth(work.lot.below(set.len()))).flatten();
        work.out.bulk_or_null(member.map(|(member, ())| member.as_slice()));
        return Ok(());
    };
    let mut lot = work.lot.fork();
    work.reply_with((drawing.count(set.len()), 0), move |out| {
        let ranks = drawing.ranks(set.len(), &mut lot);
        let drawn: Vec<_> = ranks.into_iter().filter_map(|rank| set.nth(rank)).collect();
        if let Err(refusal) = check_reply(drawn.iter().map(|(member, ())| member.len()).sum()) {
            return out.error(&refusal.to_string());
        }
        out.array(drawn.len());
        drawn.into_iter().for_each(|(member, ())| out.bulk(member));
    });
    Ok(())
}

fn smove(work: &mut Work<'_, '_>) -> Answer {
    let (from, to, member) = (work.args[1], work.args[2], Blob::from(work.args[3]));
    let Some(source) = read(work.tx, work.db, from)? else {
        work.out.boolean(false);
        return Ok(());
    };
    let there = source.contains(&member);
    let known = read(work.tx, work.db, to)?.is_some_and(|set| set.contains(&member));
    if there && from != to {
        edit(work, from, std::slice::from_ref(&member), None, Notice::Srem);
        if !known {
            edit(work, to, &[member], Some(()), Notice::Sadd);
        }
    }
    work.out.boolean(there);
    Ok(())
}
