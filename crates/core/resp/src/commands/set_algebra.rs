//! What several sets have in common, together, or not. <https://redis.io/docs/latest/commands/sinter/>

use adsum_keyspace::{Blob, Notice, Set, Value, limits};

use super::sets::whole;
use crate::command::{ALL_KEYS, Command, KeysAt, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("sinter", -2, READ, ALL_KEYS, |work| reply(work, Algebra::Inter)),
    Command::keys("sunion", -2, READ, ALL_KEYS, |work| reply(work, Algebra::Union)),
    Command::keys("sdiff", -2, READ, ALL_KEYS, |work| reply(work, Algebra::Diff)),
    Command::keys("sinterstore", -3, WRITE, ALL_KEYS, |work| store(work, Algebra::Inter)),
    Command::keys("sunionstore", -3, WRITE, ALL_KEYS, |work| store(work, Algebra::Union)),
    Command::keys("sdiffstore", -3, WRITE, ALL_KEYS, |work| store(work, Algebra::Diff)),
    Command::keys("sintercard", -3, READ, KeysAt::Counted { count: 1 }, sintercard),
];

#[derive(Clone, Copy)]
enum Algebra {
    Inter,
    Union,
    /// What is in the first and in none of the others.
    Diff,
}

impl Algebra {
    fn run(self, sets: &[Set]) -> Set {
        match self {
            Algebra::Inter => common(sets).map(|member| (member.clone(), ())).collect(),
            Algebra::Union => {
                let mut largest = sets.iter().max_by_key(|set| set.len()).cloned().unwrap_or_default();
                let members = sets.iter().flat_map(Set::iter);
                for (member, ()) in members {
                    largest.edit(member, Some(()));
                }
                largest
            }
            Algebra::Diff => {
                let Some((first, others)) = sets.split_first() else { return Set::default() };
                let left = first.iter().filter(|(member, ())| others.iter().all(|set| !set.contains(member)));
                left.map(|(member, ())| (member.clone(), ())).collect()
            }
        }
    }

    fn stored(self) -> Notice {
        match self {
            Algebra::Inter => Notice::Sinterstore,
            Algebra::Union => Notice::Sunionstore,
            Algebra::Diff => Notice::Sdiffstore,
        }
    }
}

/// The members of the smallest set that are in all others.
fn common(sets: &[Set]) -> impl Iterator<Item = &Blob> {
    let smallest = sets.iter().min_by_key(|set| set.len());
    let members = smallest.into_iter().flat_map(Set::iter).map(|(member, ())| member);
    members.filter(|member| sets.iter().all(|set| set.contains(member)))
}

fn read_all(work: &mut Work<'_, '_>, keys: &[&[u8]]) -> Result<Vec<Set>, Refusal> {
    keys.iter().map(|key| whole(work, key)).collect()
}

fn reply(work: &mut Work<'_, '_>, algebra: Algebra) -> Answer {
    let sets = read_all(work, &work.args[1..])?;
    let (length, weight) = (sets.iter().map(Set::len).sum(), sets.iter().map(Set::weight).sum());
    work.reply_with((length, weight), move |out| {
        let result = algebra.run(&sets);
        out.set(result.len());
        result.iter().for_each(|(member, ())| out.bulk(member));
    });
    Ok(())
}

fn store(work: &mut Work<'_, '_>, algebra: Algebra) -> Answer {
    let sets = read_all(work, &work.args[2..])?;
    let (key, result) = (work.args[1], algebra.run(&sets));
    let (length, weight) = (result.len(), result.weight());
    if weight > limits::AGGREGATE {
        return Err(Refusal::TooLarge(weight));
    }
    if length == 0 {
        work.tx.delete(work.db, key, Notice::Del);
    } else {
        work.tx.put(work.db, key, Value::Set(result), None, &[algebra.stored()]);
    }
    work.out.count(length);
    Ok(())
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`
fn sintercard(work: &mut Work<'_, '_>) -> Answer {
    let (keys, limit) = parse_card(&work.args[1..])?;
    let sets = read_all(work, keys)?;
    let length = sets.iter().map(Set::len).min().unwrap_or(0);
    work.reply_with((length, 0), move |out| out.count(common(&sets).take(limit).count()));
    Ok(())
}

/// `numkeys key [key ...] [LIMIT limit]`, of which 0 is none.
fn parse_card<'a, 'b>(words: &'b [&'a [u8]]) -> Result<(&'b [&'a [u8]], usize), Refusal> {
    let number = integer(words[0]).ok().and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|number| *number > 0);
    let number = number.ok_or(Refusal::Says("numkeys should be greater than 0"))?;
    let keys = words[1..].get(..number);
    let keys = keys.ok_or(Refusal::Says("Number of keys can't be greater than number of args"))?;
    Ok((keys, parse_limit(&words[1 + number..])?))
}

/// `[LIMIT limit]`
pub(super) fn parse_limit(mut words: &[&[u8]]) -> Result<usize, Refusal> {
    let mut limit = 0;
    while let [option, rest @ ..] = words {
        let [value, rest @ ..] = rest else { return Err(Refusal::Syntax) };
        if !option.eq_ignore_ascii_case(b"LIMIT") {
            return Err(Refusal::Syntax);
        }
        let value = integer(value).ok().and_then(|value| usize::try_from(value).ok());
        limit = value.ok_or(Refusal::Says("LIMIT can't be negative"))?;
        words = rest;
    }
    Ok(if limit == 0 { usize::MAX } else { limit })
}
