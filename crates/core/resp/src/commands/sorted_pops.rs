//! The least and the greatest taken out, and waited for. <https://redis.io/docs/latest/commands/zpopmin/>

use adsum_keyspace::{Blob, Kind, Notice, Score};

use super::list_blocking::{BEFORE_TIMEOUT, wait};
use super::list_moves::parse_many;
use super::sorted_sets::{begin_pairs, read, remove};
use crate::Protocol;
use crate::blocking::{Action, Ready};
use crate::command::{Command, KeysAt, ONE_KEY, WRITE, Wait, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("zpopmin", -2, WRITE, ONE_KEY, |work| zpop(work, Extreme::Least)),
    Command::keys("zpopmax", -2, WRITE, ONE_KEY, |work| zpop(work, Extreme::Greatest)),
    Command::keys("zmpop", -4, WRITE, KeysAt::Counted { count: 1 }, zmpop),
    Command::blocking("bzpopmin", -3, BEFORE_TIMEOUT, |args| bzpop(args, Extreme::Least)).unscripted(),
    Command::blocking("bzpopmax", -3, BEFORE_TIMEOUT, |args| bzpop(args, Extreme::Greatest)).unscripted(),
    Command::blocking("bzmpop", -5, KeysAt::Counted { count: 2 }, bzmpop),
];

/// The two ends of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extreme {
    Least,
    Greatest,
}

impl Extreme {
    fn parse(word: &[u8]) -> Result<Extreme, Refusal> {
        match word.to_ascii_uppercase().as_slice() {
            b"MIN" => Ok(Extreme::Least),
            b"MAX" => Ok(Extreme::Greatest),
            _ => Err(Refusal::Syntax),
        }
    }

    fn popped(self) -> Notice {
        match self {
            Extreme::Least => Notice::Zpopmin,
            Extreme::Greatest => Notice::Zpopmax,
        }
    }
}

/// Takes up to `count` elements out, the outermost first.
fn pop(
    work: &mut Work<'_, '_>,
    key: &[u8],
    extreme: Extreme,
    count: usize,
) -> Result<Vec<(Blob, Score)>, Refusal> {
    let Some(set) = read(work.tx, work.db, key)? else { return Ok(Vec::new()) };
    let count = count.min(set.len());
    let owned = |(member, score): (&Blob, Score)| (member.clone(), score);
    let popped: Vec<_> = match extreme {
        Extreme::Least => set.iter_from_rank(0).take(count).map(owned).collect(),
        Extreme::Greatest => {
            (set.len() - count..set.len()).rev().filter_map(|rank| set.nth(rank)).map(owned).collect()
        }
    };
    let members = popped.iter().map(|(member, _)| member.clone()).collect();
    remove(work.tx, work.db, key, members, extreme.popped());
    Ok(popped)
}

/// `ZPOPMIN key [count]`
fn zpop(work: &mut Work<'_, '_>, extreme: Extreme) -> Answer {
    let count = match work.args[2..] {
        [] => None,
        [count] => {
            let count = integer(count).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Refusal::NotPositive)?)
        }
        _ => return Err(Refusal::Syntax),
    };
    let popped = pop(work, work.args[1], extreme, count.unwrap_or(1))?;
    let in_pairs = count.is_some() && work.out.protocol() == Protocol::Resp3;
    begin_pairs(
        &mut work.out,
        if in_pairs || popped.is_empty() { popped.len() } else { popped.len() * 2 },
        false,
    );
    for (member, score) in popped {
        if in_pairs {
            work.out.array(2);
        }
        work.out.bulk(&member);
        work.out.double(score.get());
    }
    Ok(())
}

fn zmpop(work: &mut Work<'_, '_>) -> Answer {
    let (keys, action) = plan_many(&work.args[1..])?;
    for key in keys {
        if action.run(work, key)? {
            return Ok(());
        }
    }
    work.out.null_array();
    Ok(())
}

fn bzpop(args: &[&[u8]], extreme: Extreme) -> Result<Wait, Refusal> {
    let (keys, last) = args[1..].split_at(args.len() - 2);
    wait(keys, Ready::Given(Kind::SortedSet), Action::PopScored { extreme }, last[0])
}

fn bzmpop(args: &[&[u8]]) -> Result<Wait, Refusal> {
    let (keys, action) = plan_many(&args[2..])?;
    wait(keys, Ready::Given(Kind::SortedSet), action, args[1])
}

/// `numkeys key [key ...] MIN|MAX [COUNT count]`
fn plan_many<'a, 'b>(words: &'b [&'a [u8]]) -> Result<(&'b [&'a [u8]], Action), Refusal> {
    let (keys, extreme, count) = parse_many(words)?;
    Ok((keys, Action::PopManyScored { extreme: Extreme::parse(extreme)?, count: count? }))
}

/// The key with the outermost element and its score. Whether there was one.
pub(crate) fn give_one(work: &mut Work<'_, '_>, key: &[u8], extreme: Extreme) -> Result<bool, Refusal> {
    let popped = pop(work, key, extreme, 1)?;
    let Some((member, score)) = popped.first() else { return Ok(false) };
    work.out.array(3);
    work.out.bulk(key);
    work.out.bulk(member);
    work.out.double(score.get());
    Ok(true)
}

/// The key with up to `count` elements in pairs. Whether there were any.
pub(crate) fn give_many(
    work: &mut Work<'_, '_>,
    key: &[u8],
    extreme: Extreme,
    count: usize,
) -> Result<bool, Refusal> {
    let popped = pop(work, key, extreme, count)?;
    if popped.is_empty() {
        return Ok(false);
    }
    work.out.array(2);
    work.out.bulk(key);
    work.out.array(popped.len());
    for (member, score) in popped {
        work.out.array(2);
        work.out.bulk(&member);
        work.out.double(score.get());
    }
    Ok(true)
}
