//! Ids of stream entries as they are written. <https://redis.io/docs/latest/develop/data-types/streams/#entry-ids>

use adsum_keyspace::stream::{Fields, Id};

use crate::Writer;
use crate::refusal::Refusal;

const WRONG: Refusal = Refusal::Says("Invalid stream ID specified as stream command argument");

/// `MILLIS-NUMBER`, or `MILLIS` with the number that is `missing`.
pub(super) fn parse(word: &[u8], missing: u64) -> Result<Id, Refusal> {
    let (millis, number) = halves(word)?;
    let number = number.map_or(Ok(missing), digits)?;
    Ok(Id { millis: digits(millis)?, number })
}

/// The same, or `-` and `+` for the least and the greatest.
fn parse_any(word: &[u8], missing: u64) -> Result<Id, Refusal> {
    match word {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        word => parse(word, missing),
    }
}

/// An end of an interval, which `(` leaves out.
pub(super) fn parse_start(word: &[u8]) -> Result<Id, Refusal> {
    match word {
        [b'(', word @ ..] => {
            let id = parse(word, 0)?;
            id.next().ok_or(Refusal::Says("invalid start ID for the interval"))
        }
        word => parse_any(word, 0),
    }
}

pub(super) fn parse_end(word: &[u8]) -> Result<Id, Refusal> {
    match word {
        [b'(', word @ ..] => {
            let id = parse(word, u64::MAX)?;
            id.previous().ok_or(Refusal::Says("invalid end ID for the interval"))
        }
        word => parse_any(word, u64::MAX),
    }
}

/// What XADD may be given.
#[derive(Clone, Copy)]
pub(super) enum NewId {
    /// `*`
    Any,
    /// `MILLIS-*`
    Within(u64),
    Exactly(Id),
}

impl NewId {
    pub(super) fn parse(word: &[u8]) -> Result<NewId, Refusal> {
        if word == b"*" {
            return Ok(NewId::Any);
        }
        match halves(word)? {
            (millis, Some(b"*")) => digits(millis).map(NewId::Within),
            _ => parse(word, 0).map(NewId::Exactly),
        }
    }
}

fn halves(word: &[u8]) -> Result<(&[u8], Option<&[u8]>), Refusal> {
    match word.iter().position(|byte| *byte == b'-') {
        Some(0) => Err(WRONG),
        Some(at) => Ok((&word[..at], Some(&word[at + 1..]))),
        None => Ok((word, None)),
    }
}

/// As C's `strtoull` reads them, with blanks and a sign before them.
fn digits(word: &[u8]) -> Result<u64, Refusal> {
    let text = str::from_utf8(word.trim_ascii_start()).map_err(|_| WRONG)?;
    let text = text.strip_prefix('+').unwrap_or(text);
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| only_digits).ok_or(WRONG)
}

pub(super) fn write_id(out: &mut Writer<'_>, id: Id) {
    out.text(&id.to_string());
}

/// `[id, [field, value, ...]]`
pub(super) fn write_entry(out: &mut Writer<'_>, id: Id, fields: &Fields) {
    out.array(2);
    write_id(out, id);
    out.array(fields.len());
    fields.iter().for_each(|part| out.bulk(part));
}
