//! Lists changed in the middle. <https://redis.io/docs/latest/commands/?group=list>

use adsum_keyspace::{Blob, List, Notice};
use smallvec::smallvec;

use super::lists::{range, rank, read};
use super::strings::check_length;
use crate::command::{Command, ONE_KEY, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("lset", 4, WRITE, ONE_KEY, lset),
    Command::keys("linsert", 5, WRITE, ONE_KEY, linsert),
    Command::keys("lrem", 4, WRITE, ONE_KEY, lrem),
    Command::keys("ltrim", 4, WRITE, ONE_KEY, ltrim),
];

fn lset(work: &mut Work<'_, '_>) -> Answer {
    let (key, element) = (work.args[1], work.args[3]);
    check_length(element.len())?;
    let length = read(work.tx, work.db, key)?.map(List::len).ok_or(Refusal::NoSuchKey)?;
    let rank = rank(integer(work.args[2])?, length).ok_or(Refusal::NoSuchIndex)?;
    work.tx.splice(work.db, key, rank, 1, smallvec![element.into()], &[Notice::Lset]);
    work.out.ok();
    Ok(())
}

fn linsert(work: &mut Work<'_, '_>) -> Answer {
    let [key, side, pivot, element] = work.args[1..] else { return Err(Refusal::Arity("linsert")) };
    let offset = match side.to_ascii_uppercase().as_slice() {
        b"BEFORE" => 0,
        b"AFTER" => 1,
        _ => return Err(Refusal::Syntax),
    };
    check_length(element.len())?;
    let Some(list) = read(work.tx, work.db, key)? else {
        work.out.integer(0);
        return Ok(());
    };
    let length = list.len();
    let Some(rank) = list.iter().position(|other| other.as_slice() == pivot) else {
        work.out.integer(-1);
        return Ok(());
    };
    work.tx.splice(work.db, key, rank + offset, 0, smallvec![element.into()], &[Notice::Linsert]);
    work.out.count(length + 1);
    Ok(())
}

/// Removes the first `count` elements that are equal, the last ones when it is negative, all when it is 0.
fn lrem(work: &mut Work<'_, '_>) -> Answer {
    let (key, count) = (work.args[1], integer(work.args[2])?);
    let element = Blob::from(work.args[3]);
    let Some(list) = read(work.tx, work.db, key)? else {
        work.out.integer(0);
        return Ok(());
    };
    let equal = (0..).zip(list.iter()).filter(|(_, other)| **other == element).map(|(rank, _)| rank);
    let bound = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let mut ranks: Vec<usize> = if count > 0 { equal.take(bound).collect() } else { equal.collect() };
    if count < 0 {
        ranks.drain(..ranks.len().saturating_sub(bound));
    }
    remove(work, key, &ranks);
    work.out.count(ranks.len());
    Ok(())
}

/// Removes the elements with these ranks, which ascend, neighbours together and the last ones first, so that ranks
/// stay true. One event for all of them.
fn remove(work: &mut Work<'_, '_>, key: &[u8], ranks: &[usize]) {
    let mut end = ranks.len();
    while end > 0 {
        let mut start = end - 1;
        while start > 0 && ranks[start - 1] + 1 == ranks[start] {
            start -= 1;
        }
        let notices: &[Notice] = if start == 0 { &[Notice::Lrem] } else { &[] };
        work.tx.splice(work.db, key, ranks[start], end - start, smallvec![], notices);
        end = start;
    }
}

fn ltrim(work: &mut Work<'_, '_>) -> Answer {
    let (key, start, end) = (work.args[1], integer(work.args[2])?, integer(work.args[3])?);
    if let Some(list) = read(work.tx, work.db, key)? {
        let length = list.len();
        let keep = range(start, end, length);
        let keep = if keep.is_empty() { 0..0 } else { keep };
        let (before, behind) = (keep.start, length - keep.end);
        if behind > 0 {
            let notices: &[Notice] = if before > 0 { &[] } else { &[Notice::Ltrim] };
            work.tx.splice(work.db, key, keep.end, behind, smallvec![], notices);
        }
        if before > 0 {
            work.tx.splice(work.db, key, 0, before, smallvec![], &[Notice::Ltrim]);
        }
    }
    work.out.ok();
    Ok(())
}
