//! Keys listed. <https://redis.io/docs/latest/commands/scan/>
//!
//! The keys stand in order, so a pattern that begins with literal bytes costs in proportion to the keys that begin
//! with them, and SCAN gives every key that is there all the time exactly once.

use adsum_keyspace::{Blob, Entry, Keys, Kind};

use crate::command::{Command, KeysAt, READ, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};
use crate::{glob, limits};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("keys", 2, READ, KeysAt::None, keys),
    Command::keys("scan", -2, READ, KeysAt::None, scan),
];

fn keys(work: &mut Work<'_, '_>) -> Answer {
    let pattern = check_pattern(work.args[1])?.to_vec();
    let prefix = glob::prefix(&pattern);
    let keys = work.tx.keys_under(work.db, &prefix.bytes).clone();
    if prefix.whole {
        let found = keys.get(prefix.bytes.as_slice()).is_some();
        work.out.array(usize::from(found));
        if found {
            work.out.bulk(&prefix.bytes);
        }
        return Ok(());
    }
    work.reply_with((count_under(&keys, &prefix.bytes), 0), move |out| {
        let under = beginning_with(&keys, &prefix.bytes, &prefix.bytes).map(|(key, _)| key);
        let found: Vec<&Blob> = under.filter(|key| glob::matches(&pattern, key)).collect();
        out.array(found.len());
        found.into_iter().for_each(|key| out.bulk(key));
    });
    Ok(())
}

/// How many keys begin with `prefix`, without walking over them.
fn count_under(keys: &Keys, prefix: &[u8]) -> usize {
    let end = prefix.iter().rposition(|byte| *byte < u8::MAX).map(|at| {
        let mut end = prefix[..=at].to_vec();
        end[at] += 1;
        end
    });
    let behind = end.map_or(keys.len(), |end| keys.rank(end.as_slice()));
    behind - keys.rank(prefix)
}

pub(super) fn check_pattern(pattern: &[u8]) -> Result<&[u8], Refusal> {
    if pattern.len() > crate::limits::PATTERN {
        Err(Refusal::PatternTooLong(pattern.len()))
    } else {
        Ok(pattern)
    }
}

/// The keys from `from` on that begin with `prefix`, in order.
fn beginning_with<'a>(
    keys: &'a Keys,
    prefix: &[u8],
    from: &[u8],
) -> impl Iterator<Item = (&'a Blob, &'a Entry)> {
    let keys = keys.iter_from(from.max(prefix));
    keys.map(|(key, entry)| (key, &**entry)).take_while(move |(key, _)| key.starts_with(prefix))
}

#[derive(Default)]
pub(super) struct Options<'a> {
    pattern: Option<&'a [u8]>,
    pub(super) count: usize,
    kind: Option<Vec<u8>>,
}

fn scan(work: &mut Work<'_, '_>) -> Answer {
    let cursor = parse_cursor(work.args[1])?;
    let options = Options::parse(&work.args[2..])?;
    let behind = match cursor {
        0 => None,
        cursor => Some(work.cursors.recall(work.db, cursor).ok_or(Refusal::Cursor)?.clone()),
    };
    let prefix = options.pattern.map_or_else(Vec::new, |pattern| glob::prefix(pattern).bytes);
    let from = behind.as_deref().unwrap_or(&[]);
    let mut keys = beginning_with(work.tx.keys_under(work.db, &prefix), &prefix, from)
        .skip_while(|(key, _)| behind.as_ref() == Some(*key))
        .peekable();
    let mut found = Vec::new();
    let mut last = None;
    for (key, entry) in keys.by_ref().take(options.count.min(limits::AT_ONCE)) {
        last = Some(key);
        if options.wants(key, entry.value.kind()) {
            found.push(key);
        }
    }
    let more = keys.peek().is_some();
    let cursor = last.filter(|_| more).map_or(0, |key| work.cursors.remember(work.db, key));
    work.out.array(2);
    work.out.text(&cursor.to_string());
    work.out.array(found.len());
    found.into_iter().for_each(|key| work.out.bulk(key));
    Ok(())
}

pub(super) fn parse_cursor(word: &[u8]) -> Result<u64, Refusal> {
    let text = std::str::from_utf8(word).map_err(|_| Refusal::Cursor)?;
    match text.strip_prefix('-') {
        _ if text.is_empty() => Ok(0),
        // As C's `strtoul` reads it.
        Some(digits) => digits.parse().map(u64::wrapping_neg).map_err(|_| Refusal::Cursor),
        None => text.parse().map_err(|_| Refusal::Cursor),
    }
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Options<'a>, Refusal> {
        let mut options = Options { pattern: None, count: 10, kind: None };
        for option in words.chunks(2) {
            let [name, value] = option else { return Err(Refusal::Syntax) };
            match name.to_ascii_uppercase().as_slice() {
                b"MATCH" => options.pattern = Some(check_pattern(value)?),
                b"COUNT" => {
                    let count = usize::try_from(integer(value)?).ok().filter(|count| *count > 0);
                    options.count = count.ok_or(Refusal::Syntax)?;
                }
                b"TYPE" => options.kind = Some(value.to_ascii_lowercase()),
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(options)
    }

    /// Of a scan of elements, which have no types.
    pub(super) fn parse_of_members(words: &[&'a [u8]]) -> Result<Options<'a>, Refusal> {
        let options = Options::parse(words)?;
        if options.kind.is_some() { Err(Refusal::Syntax) } else { Ok(options) }
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    fn wants(&self, key: &[u8], kind: Kind) -> bool {
        self.matches(key) && self.kind.as_ref().is_none_or(|name| name.as_slice() == kind.as_str().as_bytes())
    }
}
