//! SORT: the elements of a list, a set or a sorted set in another order, or something that belongs to each.
//! <https://redis.io/docs/latest/commands/sort/>

use std::cmp::Ordering;

use adsum_keyspace::{Blob, List, Notice, Value, limits};

use super::lists::check_weight;
use super::scan::check_pattern;
use crate::command::{Command, KeysAt, ONE_KEY, READ, WRITE, Work};
use crate::number::{integer, parse_float};
use crate::refusal::{Answer, Refusal, check_reply};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("sort", -2, WRITE, KeysAt::OneAndStored, |work| sort(work, true)),
    Command::keys("sort_ro", -2, READ, ONE_KEY, |work| sort(work, false)),
];

/// `[BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE key]`
#[derive(Default)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    limit: Option<(i64, i64)>,
    descending: bool,
    as_text: bool,
    store: Option<&'a [u8]>,
}

/// An element with what it is ordered by.
type Weighed = (Blob, Option<Blob>);

fn sort(work: &mut Work<'_, '_>, may_store: bool) -> Answer {
    let options = Options::parse(&work.args[2..], may_store)?;
    let (elements, in_order) = elements(work, &options)?;
    let sorted = if in_order { elements } else { options.sort(work, elements)? };
    let kept = options.keep(sorted);
    let found = options.look_up(work, kept)?;
    match options.store {
        Some(key) => store(work, key, found)?,
        None => work.reply_with((found.len(), 0), move |out| {
            out.array(found.len());
            found.iter().for_each(|element| out.bulk_or_null(element.as_deref()));
        }),
    }
    Ok(())
}

impl<'a> Options<'a> {
    fn parse(mut words: &[&'a [u8]], may_store: bool) -> Result<Options<'a>, Refusal> {
        let mut options = Options::default();
        while let [word, rest @ ..] = words {
            words = match (word.to_ascii_uppercase().as_slice(), rest) {
                (b"ASC", rest) => {
                    options.descending = false;
                    rest
                }
                (b"DESC", rest) => {
                    options.descending = true;
                    rest
                }
                (b"ALPHA", rest) => {
                    options.as_text = true;
                    rest
                }
                (b"LIMIT", [offset, count, rest @ ..]) => {
                    options.limit = Some((integer(offset)?, integer(count)?));
                    rest
                }
                (b"STORE", [key, rest @ ..]) if may_store => {
                    options.store = Some(key);
                    rest
                }
                (b"BY", [pattern, rest @ ..]) => {
                    options.by = Some(check_pattern(pattern)?);
                    rest
                }
                (b"GET", [pattern, rest @ ..]) => {
                    options.get.push(check_pattern(pattern)?);
                    rest
                }
                _ => return Err(Refusal::Syntax),
            };
        }
        options.store.map_or(Ok(()), check_key)?;
        Ok(options)
    }

    /// A BY without a place for the element means that it is not to be sorted.
    fn is_unsorted(&self) -> bool {
        self.by.is_some_and(|pattern| !pattern.contains(&b'*'))
    }

    fn sort(&self, work: &mut Work<'_, '_>, elements: Vec<Blob>) -> Result<Vec<Blob>, Refusal> {
        let weighed = elements.into_iter().map(|element| match self.by.filter(|_| !self.is_unsorted()) {
            Some(pattern) => {
                let weight = at_pattern(work, pattern, &element);
                (element, weight)
            }
            None => (element.clone(), Some(element)),
        });
        let weighed: Vec<Weighed> = weighed.collect();
        let mut sorted = if self.as_text { by_text(weighed) } else { by_number(weighed)? };
        if self.descending {
            sorted.reverse();
        }
        Ok(sorted)
    }

    fn keep(&self, mut sorted: Vec<Blob>) -> Vec<Blob> {
        let Some((offset, count)) = self.limit else { return sorted };
        let offset = usize::try_from(offset).unwrap_or(0).min(sorted.len());
        sorted.drain(..offset);
        sorted.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        sorted
    }

    /// What is asked for of each element, in order.
    fn look_up(&self, work: &mut Work<'_, '_>, elements: Vec<Blob>) -> Result<Vec<Option<Blob>>, Refusal> {
        if self.get.is_empty() {
            return Ok(elements.into_iter().map(Some).collect());
        }
        let (count, limit) = (elements.len().saturating_mul(self.get.len()), crate::limits::LOOKED_UP);
        if count > limit {
            return Err(Refusal::Told(format!("ERR a SORT looks up {limit} keys at most, not {count}")));
        }
        let mut found = Vec::with_capacity(count);
        let mut bytes = 0;
        for element in elements {
            for pattern in &self.get {
                let value = at_pattern(work, pattern, &element);
                bytes += value.as_ref().map_or(0, |value| value.len());
                check_reply(bytes)?;
                found.push(value);
            }
        }
        Ok(found)
    }
}

fn check_key(key: &[u8]) -> Answer {
    if key.len() > limits::KEY { Err(Refusal::KeyTooLong(key.len())) } else { Ok(()) }
}

/// The elements, and whether they are in the order that is wanted already.
fn elements(work: &mut Work<'_, '_>, options: &Options<'_>) -> Result<(Vec<Blob>, bool), Refusal> {
    let unsorted = options.is_unsorted();
    Ok(match work.tx.get(work.db, work.args[1]).map(|entry| &entry.value) {
        None => (Vec::new(), true),
        Some(Value::List(list)) => (list.iter().cloned().collect(), unsorted),
        Some(Value::Set(set)) => (set.iter().map(|(member, ())| member.clone()).collect(), unsorted),
        Some(Value::SortedSet(set)) => {
            let mut members: Vec<Blob> = set.iter().map(|(member, _)| member.clone()).collect();
            if unsorted && options.descending {
                members.reverse();
            }
            (members, unsorted)
        }
        Some(_) => return Err(Refusal::WrongType),
    })
}

fn by_text(mut weighed: Vec<Weighed>) -> Vec<Blob> {
    weighed.sort_by(|(_, one), (_, other)| one.cmp(other));
    weighed.into_iter().map(|(element, _)| element).collect()
}

/// What has no weight, or an empty one, has 0. Among equal weights the elements decide.
fn by_number(weighed: Vec<Weighed>) -> Result<Vec<Blob>, Refusal> {
    const NO_NUMBER: Refusal = Refusal::Says("One or more scores can't be converted into double");
    let number = |weight: Option<Blob>| match weight {
        Some(weight) if !weight.is_empty() => parse_float(&weight).ok_or(NO_NUMBER),
        Some(_) | None => Ok(0.0),
    };
    let weighed = weighed.into_iter().map(|(element, weight)| Ok((number(weight)?, element)));
    let mut weighed = weighed.collect::<Result<Vec<(f64, Blob)>, Refusal>>()?;
    weighed.sort_by(|one, other| {
        one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal).then_with(|| one.1.cmp(&other.1))
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

/// The string that the pattern names with the element for its first `*`, or the field behind `->` of a hash. `#` is the
/// element itself.
fn at_pattern(work: &mut Work<'_, '_>, pattern: &[u8], element: &Blob) -> Option<Blob> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let behind = &pattern[star + 1..];
    let arrow = behind.windows(2).position(|two| two == b"->").filter(|at| at + 2 < behind.len());
    let (behind, field) = match arrow {
        Some(at) => (&behind[..at], Some(&behind[at + 2..])),
        None => (behind, None),
    };
    let key = [&pattern[..star], element, behind].concat();
    match (work.tx.get(work.db, &key).map(|entry| &entry.value), field) {
        (Some(Value::String(bytes)), None) => Some(bytes.clone()),
        (Some(Value::Hash(hash)), Some(field)) => hash.get(field).cloned(),
        _ => None,
    }
}

fn store(work: &mut Work<'_, '_>, key: &[u8], found: Vec<Option<Blob>>) -> Answer {
    let list: List = found.into_iter().map(|element| element.unwrap_or(Blob::from(""))).collect();
    check_weight(list.weight(), &[])?;
    let length = list.len();
    if length == 0 {
        work.tx.delete(work.db, key, Notice::Del);
    } else {
        work.tx.put(work.db, key, Value::List(list), None, &[Notice::Sortstore]);
    }
    work.out.count(length);
    Ok(())
}
