//! Ranges of sorted sets by rank, by score and by name. <https://redis.io/docs/latest/commands/zrange/>
//!
//! Every range becomes one of ranks, which costs two walks from root to leaf whatever is in it.

use std::ops::Range;

use adsum_keyspace::{Blob, Notice, Score, SortedSet, Value};

use super::lists;
use super::sorted_sets::{read, remove, whole, write};
use crate::command::{Command, ONE_KEY, READ, TWO_KEYS, WRITE, Work};
use crate::number::{integer, parse_end};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("zrange", -4, READ, ONE_KEY, |work| zrange(work, None, None)),
    Command::keys("zrevrange", -4, READ, ONE_KEY, |work| zrange(work, Some(By::Rank), Some(true))),
    Command::keys("zrangebyscore", -4, READ, ONE_KEY, |work| zrange(work, Some(By::Score), Some(false))),
    Command::keys("zrevrangebyscore", -4, READ, ONE_KEY, |work| zrange(work, Some(By::Score), Some(true))),
    Command::keys("zrangebylex", -4, READ, ONE_KEY, |work| zrange(work, Some(By::Lex), Some(false))),
    Command::keys("zrevrangebylex", -4, READ, ONE_KEY, |work| zrange(work, Some(By::Lex), Some(true))),
    Command::keys("zrangestore", -5, WRITE, TWO_KEYS, zrangestore),
    Command::keys("zcount", 4, READ, ONE_KEY, |work| count(work, By::Score)),
    Command::keys("zlexcount", 4, READ, ONE_KEY, |work| count(work, By::Lex)),
    Command::keys("zremrangebyrank", 4, WRITE, ONE_KEY, |work| remove_range(work, By::Rank)),
    Command::keys("zremrangebyscore", 4, WRITE, ONE_KEY, |work| remove_range(work, By::Score)),
    Command::keys("zremrangebylex", 4, WRITE, ONE_KEY, |work| remove_range(work, By::Lex)),
];

/// What the ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

enum Bounds {
    Ranks { start: i64, end: i64 },
    Scores { least: ScoreEnd, greatest: ScoreEnd },
    Names { least: NameEnd, greatest: NameEnd },
}

#[derive(Clone, Copy)]
struct ScoreEnd {
    score: Score,
    excluded: bool,
}

enum NameEnd {
    /// Before all names.
    First,
    /// Behind all names.
    Last,
    At {
        name: Blob,
        excluded: bool,
    },
}

/// What a ZRANGE wants of which elements.
struct Selection {
    bounds: Bounds,
    reverse: bool,
    /// Elements that are left out, and how many there are at most. A negative offset leaves out all.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

impl Selection {
    /// `min max` and options; what is given as `by` and `reverse` cannot be said by an option.
    fn parse(
        words: &[&[u8]],
        by: Option<By>,
        reverse: Option<bool>,
        stores: bool,
    ) -> Result<Selection, Refusal> {
        let (mut said_by, mut said_reverse) = (by, reverse);
        let (mut limit, mut with_scores) = (None, false);
        let mut options = &words[2..];
        while let [option, rest @ ..] = options {
            options = rest;
            match (option.to_ascii_uppercase().as_slice(), rest) {
                (b"WITHSCORES", _) if !stores => with_scores = true,
                (b"LIMIT", [offset, count, rest @ ..]) => {
                    limit = Some((integer(offset)?, integer(count)?));
                    options = rest;
                }
                (b"REV", _) if said_reverse.is_none() => said_reverse = Some(true),
                (b"BYSCORE", _) if said_by.is_none() => said_by = Some(By::Score),
                (b"BYLEX", _) if said_by.is_none() => said_by = Some(By::Lex),
                _ => return Err(Refusal::Syntax),
            }
        }
        let (by, reverse) = (said_by.unwrap_or(By::Rank), said_reverse.unwrap_or(false));
        // Not where it takes away nothing.
        if limit.is_some_and(|(_, count)| count != -1) && by == By::Rank {
            return Err(Refusal::Says(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Refusal::Says("syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let swapped = reverse && by != By::Rank;
        let ends = if swapped { (words[1], words[0]) } else { (words[0], words[1]) };
        let limit = limit.filter(|_| by != By::Rank);
        Ok(Selection { bounds: Bounds::parse(by, ends)?, reverse, limit, with_scores })
    }

    /// The ranks of the elements, in ascending order whatever the direction.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let mut ranks = self.bounds.ranks(set);
        if self.reverse && matches!(self.bounds, Bounds::Ranks { .. }) {
            ranks = set.len() - ranks.end..set.len() - ranks.start;
        }
        let Some((offset, count)) = self.limit else { return ranks };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        if self.reverse {
            let end = ranks.end - offset;
            end - count..end
        } else {
            let start = ranks.start + offset;
            start..start + count
        }
    }
}

impl Bounds {
    fn parse(by: By, (least, greatest): (&[u8], &[u8])) -> Result<Bounds, Refusal> {
        Ok(match by {
            By::Rank => Bounds::Ranks { start: integer(least)?, end: integer(greatest)? },
            By::Score => {
                Bounds::Scores { least: ScoreEnd::parse(least)?, greatest: ScoreEnd::parse(greatest)? }
            }
            By::Lex => Bounds::Names { least: NameEnd::parse(least)?, greatest: NameEnd::parse(greatest)? },
        })
    }

    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let (start, end) = match self {
            Bounds::Ranks { start, end } => {
                let ranks = lists::range(*start, *end, set.len());
                (ranks.start, ranks.end)
            }
            Bounds::Scores { least, greatest } => (
                set.count_while(|_, score| least.is_above(score)),
                set.count_while(|_, score| !greatest.is_below(score)),
            ),
            Bounds::Names { least, greatest } => (
                set.count_while(|member, _| least.is_above(member)),
                set.count_while(|member, _| !greatest.is_below(member)),
            ),
        };
        // Both within the set, so that nobody has to ask again.
        let start = start.min(set.len());
        start..end.clamp(start, set.len())
    }
}

impl ScoreEnd {
    fn parse(word: &[u8]) -> Result<ScoreEnd, Refusal> {
        let (word, excluded) = match word {
            [b'(', word @ ..] => (word, true),
            word => (word, false),
        };
        let score = parse_end(word).and_then(Score::new);
        let score = score.ok_or(Refusal::Says("min or max is not a float"))?;
        Ok(ScoreEnd { score, excluded })
    }

    fn is_above(self, score: Score) -> bool {
        score < self.score || self.excluded && score == self.score
    }

    fn is_below(self, score: Score) -> bool {
        score > self.score || self.excluded && score == self.score
    }
}

impl NameEnd {
    fn parse(word: &[u8]) -> Result<NameEnd, Refusal> {
        match word {
            b"-" => Ok(NameEnd::First),
            b"+" => Ok(NameEnd::Last),
            [b'[', name @ ..] => Ok(NameEnd::At { name: name.into(), excluded: false }),
            [b'(', name @ ..] => Ok(NameEnd::At { name: name.into(), excluded: true }),
            _ => Err(Refusal::Says("min or max not valid string range item")),
        }
    }

    fn is_above(&self, member: &Blob) -> bool {
        match self {
            NameEnd::First => false,
            NameEnd::Last => true,
            NameEnd::At { name, excluded } => member < name || *excluded && member == name,
        }
    }

    fn is_below(&self, member: &Blob) -> bool {
        match self {
            NameEnd::First => true,
            NameEnd::Last => false,
            NameEnd::At { name, excluded } => member > name || *excluded && member == name,
        }
    }
}

fn zrange(work: &mut Work<'_, '_>, by: Option<By>, reverse: Option<bool>) -> Answer {
    let selection = Selection::parse(&work.args[2..], by, reverse, false)?;
    let set = whole(work, work.args[1])?;
    let ranks = selection.ranks(&set);
    let (length, with_scores) = (ranks.len(), selection.with_scores);
    let weight = if length > 0 { set.weight() / set.len() * length } else { 0 };
    work.reply_with((length, weight), move |out| {
        if selection.reverse {
            write(out, length, ranks.rev().filter_map(|rank| set.nth(rank)), with_scores);
        } else {
            write(out, length, set.iter_from_rank(ranks.start).take(length), with_scores);
        }
    });
    Ok(())
}

/// `ZRANGESTORE to from min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`
fn zrangestore(work: &mut Work<'_, '_>) -> Answer {
    let selection = Selection::parse(&work.args[3..], None, None, true)?;
    let set = whole(work, work.args[2])?;
    let ranks = selection.ranks(&set);
    let elements = set.iter_from_rank(ranks.start).take(ranks.len());
    let found: SortedSet = elements.map(|(member, score)| (member.clone(), score)).collect();
    store(work, found, Notice::Zrangestore)
}

/// Puts a result at the key that the command names first. An empty one is none.
pub(super) fn store(work: &mut Work<'_, '_>, result: SortedSet, notice: Notice) -> Answer {
    let (key, length, weight) = (work.args[1], result.len(), result.weight());
    if weight > adsum_keyspace::limits::AGGREGATE {
        return Err(Refusal::TooLarge(weight));
    }
    if length == 0 {
        work.tx.delete(work.db, key, Notice::Del);
    } else {
        work.tx.put(work.db, key, Value::SortedSet(Box::new(result)), None, &[notice]);
    }
    work.out.count(length);
    Ok(())
}

fn count(work: &mut Work<'_, '_>, by: By) -> Answer {
    let bounds = Bounds::parse(by, (work.args[2], work.args[3]))?;
    let set = read(work.tx, work.db, work.args[1])?;
    work.out.count(set.map_or(0, |set| bounds.ranks(set).len()));
    Ok(())
}

fn remove_range(work: &mut Work<'_, '_>, by: By) -> Answer {
    let bounds = Bounds::parse(by, (work.args[2], work.args[3]))?;
    let notice = match by {
        By::Rank => Notice::Zremrangebyrank,
        By::Score => Notice::Zremrangebyscore,
        By::Lex => Notice::Zremrangebylex,
    };
    let members = read(work.tx, work.db, work.args[1])?.map_or_else(Vec::new, |set| {
        let ranks = bounds.ranks(set);
        set.iter_from_rank(ranks.start).take(ranks.len()).map(|(member, _)| member.clone()).collect()
    });
    work.out.count(members.len());
    remove(work.tx, work.db, work.args[1], members, notice);
    Ok(())
}
