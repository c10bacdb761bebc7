//! Sorted sets: members given scores, and read one by one. <https://redis.io/docs/latest/commands/?group=sorted-set>

use std::collections::{BTreeMap, BTreeSet};

use adsum_keyspace::members::EditList;
use adsum_keyspace::{Blob, Database, Edits, Notice, Score, SortedSet, Transaction, Value};
use smallvec::SmallVec;

use super::draws::Drawing;
use super::lists::check_weight;
use super::strings::check_length;
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::parse_float;
use crate::refusal::{Answer, Refusal, check_reply};
use crate::{Protocol, Writer};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("zadd", -4, WRITE, ONE_KEY, zadd).of_element(3),
    Command::keys("zincrby", 4, WRITE, ONE_KEY, zincrby).of_element(3),
    Command::keys("zrem", -3, WRITE, ONE_KEY, zrem).of_element(2),
    Command::keys("zcard", 2, READ, ONE_KEY, zcard),
    Command::keys("zscore", 3, READ, ONE_KEY, zscore).of_element(2),
    Command::keys("zmscore", -3, READ, ONE_KEY, zmscore).of_element(2),
    Command::keys("zrank", -3, READ, ONE_KEY, |work| zrank(work, "zrank", |rank, _| rank)),
    Command::keys("zrevrank", -3, READ, ONE_KEY, |work| {
        zrank(work, "zrevrank", |rank, length| length - 1 - rank)
    }),
    Command::keys("zrandmember", -2, READ, ONE_KEY, zrandmember),
];

/// The sorted set at `key`.
pub(crate) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x SortedSet>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::SortedSet(set)) => Ok(Some(set)),
        Some(_) => Err(Refusal::WrongType),
    }
}

/// The sorted set at `key` as it is now; an empty one when the key is not there.
pub(super) fn whole(work: &mut Work<'_, '_>, key: &[u8]) -> Result<SortedSet, Refusal> {
    Ok(read(work.tx, work.db, key)?.cloned().unwrap_or_default())
}

/// Takes these members out, if there are any.
pub(super) fn remove(tx: &mut Transaction<'_>, db: Database, key: &[u8], members: Vec<Blob>, notice: Notice) {
    if !members.is_empty() {
        let edits = members.into_iter().map(|member| (member, None)).collect();
        tx.edit(db, key, Edits::SortedSet(edits), &[notice]);
    }
}

/// Begins an array of elements, each of which is followed by what belongs to it, or not. RESP3 has them in pairs.
pub(super) fn begin_pairs(out: &mut Writer<'_>, length: usize, in_pairs: bool) {
    let flat = in_pairs && out.protocol() == Protocol::Resp2;
    out.array(if flat { length * 2 } else { length });
}

/// Writes elements with their scores, or without.
pub(super) fn write<'a>(
    out: &mut Writer<'_>,
    length: usize,
    elements: impl Iterator<Item = (&'a Blob, Score)>,
    with_scores: bool,
) {
    begin_pairs(out, length, with_scores);
    for (member, score) in elements {
        if with_scores && out.protocol() == Protocol::Resp3 {
            out.array(2);
        }
        out.bulk(member);
        if with_scores {
            out.double(score.get());
        }
    }
}

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
#[derive(Clone, Copy, Default)]
struct Adding {
    only_new: bool,
    only_known: bool,
    only_greater: bool,
    only_less: bool,
    /// Answers with how many changed, not with how many are new.
    counts_changed: bool,
    increments: bool,
}

impl Adding {
    /// How many of the words are options.
    fn parse(words: &[&[u8]]) -> (Adding, usize) {
        let mut adding = Adding::default();
        for (at, word) in words.iter().enumerate() {
            let is = |option: &[u8]| word.eq_ignore_ascii_case(option);
            if is(b"NX") {
                adding.only_new = true;
            } else if is(b"XX") {
                adding.only_known = true;
            } else if is(b"GT") {
                adding.only_greater = true;
            } else if is(b"LT") {
                adding.only_less = true;
            } else if is(b"CH") {
                adding.counts_changed = true;
            } else if is(b"INCR") {
                adding.increments = true;
            } else {
                return (adding, at);
            }
        }
        (adding, words.len())
    }

    fn check(self, pairs: &[&[u8]]) -> Answer {
        if pairs.is_empty() || pairs.len() % 2 == 1 {
            return Err(Refusal::Syntax);
        }
        if self.only_new && self.only_known {
            return Err(Refusal::Says("XX and NX options at the same time are not compatible"));
        }
        let conditions = [self.only_new, self.only_greater, self.only_less];
        if conditions.into_iter().filter(|given| *given).count() > 1 {
            return Err(Refusal::Says("GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increments && pairs.len() > 2 {
            return Err(Refusal::Says("INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The score that a member has from now on. None when nothing is done to it.
    fn score(self, before: Option<Score>, given: f64) -> Result<Option<Score>, Refusal> {
        let number = match before {
            Some(before) if self.increments => before.get() + given,
            _ => given,
        };
        let score = Score::new(number).ok_or(Refusal::Says("resulting score is not a number (NaN)"))?;
        let allowed = match before {
            None => !self.only_known,
            Some(before) => {
                !(self.only_new || self.only_less && score >= before || self.only_greater && score <= before)
            }
        };
        Ok(allowed.then_some(score))
    }

    fn notice(self) -> Notice {
        if self.increments { Notice::Zincr } else { Notice::Zadd }
    }
}

/// What came of it.
#[derive(Default)]
struct Added {
    edits: EditList<Score>,
    new: usize,
    changed: usize,
    /// Of the last member, if it was allowed to have one.
    score: Option<Score>,
}

fn zadd(work: &mut Work<'_, '_>) -> Answer {
    let (adding, options) = Adding::parse(&work.args[2..]);
    add(work, adding, &work.args[2 + options..])
}

fn zincrby(work: &mut Work<'_, '_>) -> Answer {
    add(work, Adding { increments: true, ..Adding::default() }, &work.args[2..])
}

fn add(work: &mut Work<'_, '_>, adding: Adding, pairs: &[&[u8]]) -> Answer {
    adding.check(pairs)?;
    let key = work.args[1];
    let scores = pairs.iter().step_by(2).map(|score| parse_float(score).ok_or(Refusal::NotFloat));
    let scores: SmallVec<[f64; 4]> = scores.collect::<Result<_, _>>()?;
    let members = || pairs.iter().skip(1).step_by(2).copied();
    members().try_for_each(|member| check_length(member.len()))?;
    let set = read(work.tx, work.db, key)?;
    check_weight(set.map_or(0, SortedSet::weight), pairs)?;
    let added = added(set, adding, members().zip(scores))?;
    if added.new + added.changed > 0 {
        work.tx.edit(work.db, key, Edits::SortedSet(added.edits), &[adding.notice()]);
    }
    match (adding.increments, added.score) {
        (true, Some(score)) => work.out.double(score.get()),
        (true, None) => work.out.null(),
        (false, _) if adding.counts_changed => work.out.count(added.new + added.changed),
        (false, _) => work.out.count(added.new),
    }
    Ok(())
}

fn added<'a>(
    set: Option<&SortedSet>,
    adding: Adding,
    pairs: impl ExactSizeIterator<Item = (&'a [u8], f64)>,
) -> Result<Added, Refusal> {
    let mut added = Added::default();
    // A member may be named twice, if there are several.
    let several = pairs.len() > 1;
    let mut earlier: BTreeMap<&[u8], Score> = BTreeMap::new();
    for (member, given) in pairs {
        let before = earlier.get(member).copied().or_else(|| set.and_then(|set| set.score(member)));
        added.score = adding.score(before, given)?;
        let Some(score) = added.score.filter(|score| before != Some(*score)) else { continue };
        match before {
            Some(_) => added.changed += 1,
            None => added.new += 1,
        }
        // Kept with one zero only, as Redis keeps it in small sets; the answer still shows which it was.
        let score = Score::new(score.get() + 0.0).expect("it was a score before");
        if several {
            earlier.insert(member, score);
        }
        added.edits.push((member.into(), Some(score)));
    }
    Ok(added)
}

fn zrem(work: &mut Work<'_, '_>) -> Answer {
    let set = read(work.tx, work.db, work.args[1])?;
    let words = work.args[2..].iter().copied();
    let there = words.filter(|member| set.is_some_and(|set| set.score(member).is_some()));
    let members: Vec<Blob> = there.collect::<BTreeSet<_>>().into_iter().map(Blob::from).collect();
    work.out.count(members.len());
    remove(work.tx, work.db, work.args[1], members, Notice::Zrem);
    Ok(())
}

fn zcard(work: &mut Work<'_, '_>) -> Answer {
    let length = read(work.tx, work.db, work.args[1])?.map_or(0, SortedSet::len);
    work.out.count(length);
    Ok(())
}

fn zscore(work: &mut Work<'_, '_>) -> Answer {
    let set = read(work.tx, work.db, work.args[1])?;
    let score = set.and_then(|set| set.score(work.args[2]));
    write_score(&mut work.out, score);
    Ok(())
}

fn zmscore(work: &mut Work<'_, '_>) -> Answer {
    let set = read(work.tx, work.db, work.args[1])?;
    work.out.array(work.args.len() - 2);
    for member in &work.args[2..] {
        write_score(&mut work.out, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

fn write_score(out: &mut Writer<'_>, score: Option<Score>) {
    match score {
        Some(score) => out.double(score.get()),
        None => out.null(),
    }
}

/// `ZRANK key member [WITHSCORE]`, where `count` makes the rank from that in ascending order and the length.
fn zrank(work: &mut Work<'_, '_>, command: &'static str, count: fn(usize, usize) -> usize) -> Answer {
    let with_score = match work.args[3..] {
        [] => false,
        [option] if option.eq_ignore_ascii_case(b"WITHSCORE") => true,
        [_] => return Err(Refusal::Syntax),
        _ => return Err(Refusal::Arity(command)),
    };
    let member = Blob::from(work.args[2]);
    let set = read(work.tx, work.db, work.args[1])?;
    let found = set.and_then(|set| Some((count(set.rank(&member)?, set.len()), set.score(&member)?)));
    match found {
        None if with_score => work.out.null_array(),
        None => work.out.null(),
        Some((rank, score)) => {
            if with_score {
                work.out.array(2);
            }
            work.out.count(rank);
            if with_score {
                work.out.double(score.get());
            }
        }
    }
    Ok(())
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
fn zrandmember(work: &mut Work<'_, '_>) -> Answer {
    let drawing = work.args.get(2).map(|count| Drawing::parse(count)).transpose()?;
    let with_scores = match work.args[2..] {
        [] | [_] => false,
        [_, option] if option.eq_ignore_ascii_case(b"WITHSCORES") => true,
        _ => return Err(Refusal::Syntax),
    };
    drawing.filter(|_| with_scores).map_or(Ok(()), Drawing::check_pairs)?;
    let set = whole(work, work.args[1])?;
    let Some(drawing) = drawing else {
        let member = (!set.is_empty()).then(|| set.nth(work.lot.below(set.len()))).flatten();
        work.out.bulk_or_null(member.map(|(member, _)| member.as_slice()));
        return Ok(());
    };
    let mut lot = work.lot.fork();
    work.reply_with((drawing.count(set.len()), 0), move |out| {
        let ranks = drawing.ranks(set.len(), &mut lot);
        let drawn: Vec<_> = ranks.into_iter().filter_map(|rank| set.nth(rank)).collect();
        if let Err(refusal) = check_reply(drawn.iter().map(|(member, _)| member.len()).sum()) {
            return out.error(&refusal.to_string());
        }
        write(out, drawn.len(), drawn.into_iter(), with_scores);
    });
    Ok(())
}
