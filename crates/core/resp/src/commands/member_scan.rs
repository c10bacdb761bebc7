//! HSCAN, SSCAN, ZSCAN: elements listed a part at a time. <https://redis.io/docs/latest/commands/hscan/>
//!
//! A cursor stands for the name behind which to go on, so that every element that is there all the time is given exactly
//! once. What is small is given at once, as in Redis.

use adsum_keyspace::members::{Members, Payload};
use adsum_keyspace::{Blob, Hash, Score, Set};

use super::scan::{Options, parse_cursor};
use super::{hashes, sets, sorted_sets};
use crate::command::{Command, ONE_KEY, READ, Work};
use crate::number::print_float;
use crate::refusal::{Answer, Refusal};
use crate::{Writer, limits};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("hscan", -3, READ, ONE_KEY, hscan),
    Command::keys("sscan", -3, READ, ONE_KEY, sscan),
    Command::keys("zscan", -3, READ, ONE_KEY, zscan),
];

/// Aggregates with no more elements are given at once.
const SMALL: usize = 128;

fn hscan(work: &mut Work<'_, '_>) -> Answer {
    let cursor = parse_cursor(work.args[2])?;
    let hash: Option<Hash> = hashes::read(work.tx, work.db, work.args[1])?.cloned();
    scan(work, cursor, hash, 2, |out, field, value| {
        out.bulk(field);
        out.bulk(value);
    })
}

fn sscan(work: &mut Work<'_, '_>) -> Answer {
    let cursor = parse_cursor(work.args[2])?;
    let set: Option<Set> = sets::read(work.tx, work.db, work.args[1])?.cloned();
    scan(work, cursor, set, 1, |out, member, ()| out.bulk(member))
}

fn zscan(work: &mut Work<'_, '_>) -> Answer {
    let cursor = parse_cursor(work.args[2])?;
    let set = sorted_sets::read(work.tx, work.db, work.args[1])?;
    let scores: Option<Members<Score>> = set.map(|set| set.scores().clone());
    scan(work, cursor, scores, 2, |out, member, score| {
        out.bulk(member);
        out.text(&print_float(score.get()));
    })
}

/// `write` writes an element as `words` replies.
fn scan<V: Payload>(
    work: &mut Work<'_, '_>,
    cursor: u64,
    members: Option<Members<V>>,
    words: usize,
    write: impl Fn(&mut Writer<'_>, &Blob, &V),
) -> Answer {
    let members = members.unwrap_or_default();
    // Redis does not look at the options when there is no such key.
    let options =
        if members.is_empty() { Options::default() } else { Options::parse_of_members(&work.args[3..])? };
    let behind = match cursor {
        0 => None,
        cursor => match work.cursors.recall(work.db, cursor) {
            Some(behind) => Some(behind.clone()),
            // Of what is small Redis gives all, whatever the cursor.
            None if members.len() <= SMALL => None,
            None => return Err(Refusal::Cursor),
        },
    };
    let most = if members.len() <= SMALL { SMALL } else { options.count.min(limits::AT_ONCE) };
    let elements = members.iter_from(behind.as_deref().unwrap_or_default());
    let mut elements = elements.skip_while(|(name, _)| behind.as_ref() == Some(*name)).peekable();
    let mut found = Vec::new();
    let mut last = None;
    for (name, payload) in elements.by_ref().take(most) {
        last = Some(name);
        if options.matches(name) {
            found.push((name, payload));
        }
    }
    let more = elements.peek().is_some();
    let cursor = last.filter(|_| more).map_or(0, |name| work.cursors.remember(work.db, name));
    work.out.array(2);
    work.out.text(&cursor.to_string());
    work.out.array(found.len() * words);
    found.into_iter().for_each(|(name, payload)| write(&mut work.out, name, payload));
    Ok(())
}
