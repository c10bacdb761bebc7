//! What several sorted sets have in common, together, or not, with their scores put together.
//! <https://redis.io/docs/latest/commands/zunion/>
//!
//! A set takes part as if each of its members had the score 1.

use std::collections::BTreeMap;

use adsum_keyspace::members::Members;
use adsum_keyspace::{Blob, Notice, Score, SortedSet, Value};

use super::set_algebra::parse_limit;
use super::sorted_ranges::store;
use super::sorted_sets::write;
use crate::command::{Command, KeysAt, READ, WRITE, Work};
use crate::number::{integer, parse_float};
use crate::refusal::{Answer, Refusal};

const FROM: KeysAt = KeysAt::Counted { count: 1 };
const INTO: KeysAt = KeysAt::OneAndCounted { count: 2 };

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("zunion", -3, READ, FROM, |work| reply(work, Algebra::Union, "zunion")),
    Command::keys("zinter", -3, READ, FROM, |work| reply(work, Algebra::Inter, "zinter")),
    Command::keys("zdiff", -3, READ, FROM, |work| reply(work, Algebra::Diff, "zdiff")),
    Command::keys("zunionstore", -4, WRITE, INTO, |work| store_of(work, Algebra::Union, "zunionstore")),
    Command::keys("zinterstore", -4, WRITE, INTO, |work| store_of(work, Algebra::Inter, "zinterstore")),
    Command::keys("zdiffstore", -4, WRITE, INTO, |work| store_of(work, Algebra::Diff, "zdiffstore")),
    Command::keys("zintercard", -3, READ, FROM, zintercard),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algebra {
    Union,
    Inter,
    /// What is in the first and in none of the others.
    Diff,
}

/// How the scores of one member become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Least,
    Greatest,
}

struct Plan {
    algebra: Algebra,
    inputs: Vec<Members<Score>>,
    /// One for each input.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Plan {
    /// `numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
    fn parse(
        work: &mut Work<'_, '_>,
        words: &[&[u8]],
        algebra: Algebra,
        (command, stores): (&'static str, bool),
    ) -> Result<Plan, Refusal> {
        let (keys, options) = keys_of(words, command)?;
        let inputs = keys.iter().map(|key| input(work, key)).collect::<Result<Vec<_>, _>>()?;
        let weights = vec![1.0; keys.len()];
        let mut plan = Plan { algebra, inputs, weights, aggregate: Aggregate::Sum, with_scores: false };
        plan.parse_options(options, stores)?;
        if algebra != Algebra::Diff {
            plan.order();
        }
        Ok(plan)
    }

    fn parse_options(&mut self, mut words: &[&[u8]], stores: bool) -> Answer {
        let number = self.inputs.len();
        let weighs = self.algebra != Algebra::Diff;
        while let [option, rest @ ..] = words {
            words = rest;
            match option.to_ascii_uppercase().as_slice() {
                b"WEIGHTS" if weighs && rest.len() >= number => {
                    let weights = rest[..number].iter().map(|weight| parse_float(weight));
                    let weights = weights.collect::<Option<_>>();
                    self.weights = weights.ok_or(Refusal::Says("weight value is not a float"))?;
                    words = &rest[number..];
                }
                b"AGGREGATE" if weighs && !rest.is_empty() => {
                    self.aggregate = Aggregate::parse(rest[0])?;
                    words = &rest[1..];
                }
                b"WITHSCORES" if !stores => self.with_scores = true,
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(())
    }

    /// The smallest first, as Redis goes through them: the last digit of a sum depends on it.
    fn order(&mut self) {
        let mut places: Vec<usize> = (0..self.inputs.len()).collect();
        places.sort_by_key(|place| self.inputs[*place].len());
        self.weights = places.iter().map(|place| self.weights[*place]).collect();
        self.inputs = places.iter().map(|place| self.inputs[*place].clone()).collect();
    }

    fn run(&self) -> SortedSet {
        match self.algebra {
            Algebra::Union => self.union(),
            Algebra::Inter => self.inter(),
            Algebra::Diff => {
                let Some((first, others)) = self.inputs.split_first() else { return SortedSet::default() };
                let left = first.iter().filter(|(member, _)| others.iter().all(|set| !set.contains(member)));
                left.map(|(member, score)| (member.clone(), *score)).collect()
            }
        }
    }

    fn union(&self) -> SortedSet {
        let mut scores: BTreeMap<&Blob, f64> = BTreeMap::new();
        for (input, weight) in self.inputs.iter().zip(&self.weights) {
            for (member, score) in input.iter() {
                let weighed = number(score.get() * weight);
                let together = scores.get(member).map(|before| self.aggregate.of(*before, weighed));
                scores.insert(member, together.unwrap_or(weighed));
            }
        }
        let scores = scores.into_iter();
        scores.filter_map(|(member, sum)| Some((member.clone(), self.score(sum)?))).collect()
    }

    /// What is stored has one zero only, and what is shown has both, as in Redis.
    fn score(&self, sum: f64) -> Option<Score> {
        Score::new(if self.with_scores { sum } else { sum + 0.0 })
    }

    fn inter(&self) -> SortedSet {
        let common = common(&self.inputs).map(|member| {
            let scores = self.inputs.iter().zip(&self.weights);
            let mut scores = scores.filter_map(|(set, weight)| Some(set.get(member)?.get() * weight));
            // Of the others a product that is no number makes the whole sum none.
            let first = scores.next().map(number);
            (member, first.map(|first| scores.fold(first, |one, other| self.aggregate.of(one, other))))
        });
        common.filter_map(|(member, sum)| Some((member.clone(), self.score(sum?)?))).collect()
    }

    /// Elements that are looked at.
    fn length(&self) -> usize {
        self.inputs.iter().map(Members::len).sum()
    }
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Aggregate, Refusal> {
        match word.to_ascii_uppercase().as_slice() {
            b"SUM" => Ok(Aggregate::Sum),
            b"MIN" => Ok(Aggregate::Least),
            b"MAX" => Ok(Aggregate::Greatest),
            _ => Err(Refusal::Syntax),
        }
    }

    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number(one + other),
            Aggregate::Least => one.min(other),
            Aggregate::Greatest => one.max(other),
        }
    }
}

/// Infinities that cancel each other are nothing.
fn number(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

type KeysAndRest<'a, 'b> = (&'b [&'a [u8]], &'b [&'a [u8]]);

/// `numkeys key [key ...]`, and what stands behind.
fn keys_of<'a, 'b>(words: &'b [&'a [u8]], command: &str) -> Result<KeysAndRest<'a, 'b>, Refusal> {
    let number = integer(words[0])?;
    if number < 1 {
        let text = format!("ERR at least 1 input key is needed for '{command}' command");
        return Err(Refusal::Told(text));
    }
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    words[1..].split_at_checked(number).ok_or(Refusal::Syntax)
}

/// What takes part: a sorted set, or a set.
fn input(work: &mut Work<'_, '_>, key: &[u8]) -> Result<Members<Score>, Refusal> {
    match work.tx.get(work.db, key).map(|entry| &entry.value) {
        None => Ok(Members::default()),
        Some(Value::SortedSet(set)) => Ok(set.scores().clone()),
        Some(Value::Set(set)) => {
            let one = Score::new(1.0).expect("1 is a number");
            Ok(set.iter().map(|(member, ())| (member.clone(), one)).collect())
        }
        Some(_) => Err(Refusal::WrongType),
    }
}

/// The members of the smallest input that are in all others.
fn common(inputs: &[Members<Score>]) -> impl Iterator<Item = &Blob> {
    let smallest = inputs.iter().min_by_key(|set| set.len());
    let members = smallest.into_iter().flat_map(Members::iter).map(|(member, _)| member);
    members.filter(|member| inputs.iter().all(|set| set.contains(member)))
}

fn reply(work: &mut Work<'_, '_>, algebra: Algebra, command: &'static str) -> Answer {
    let plan = Plan::parse(work, &work.args[1..], algebra, (command, false))?;
    work.reply_with((plan.length(), 0), move |out| {
        let result = plan.run();
        write(out, result.len(), result.iter(), plan.with_scores);
    });
    Ok(())
}

fn store_of(work: &mut Work<'_, '_>, algebra: Algebra, command: &'static str) -> Answer {
    let plan = Plan::parse(work, &work.args[2..], algebra, (command, true))?;
    let notice = match algebra {
        Algebra::Union => Notice::Zunionstore,
        Algebra::Inter => Notice::Zinterstore,
        Algebra::Diff => Notice::Zdiffstore,
    };
    store(work, plan.run(), notice)
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`
fn zintercard(work: &mut Work<'_, '_>) -> Answer {
    let (keys, options) = keys_of(&work.args[1..], "zintercard")?;
    let inputs = keys.iter().map(|key| input(work, key)).collect::<Result<Vec<_>, _>>()?;
    let limit = parse_limit(options)?;
    let length = inputs.iter().map(Members::len).min().unwrap_or(0);
    work.reply_with((length, 0), move |out| out.count(common(&inputs).take(limit).count()));
    Ok(())
}
