//! Strings as bits, the first of which is the highest of the first byte.
//! <https://redis.io/docs/latest/develop/data-types/bitmaps/>

use std::ops::Range;

use adsum_keyspace::{Notice, Value};

use super::strings;
use crate::command::{Command, KeysAt, ONE_KEY, READ, WRITE, Work};
use crate::limits;
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

/// Behind the operation: where the result goes, and the keys it is made of.
const OPERANDS: KeysAt = KeysAt::Range { first: 2, last: -1, step: 1 };

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("setbit", 4, WRITE, ONE_KEY, setbit),
    Command::keys("getbit", 3, READ, ONE_KEY, getbit),
    Command::keys("bitcount", -2, READ, ONE_KEY, bitcount),
    Command::keys("bitpos", -3, READ, ONE_KEY, bitpos),
    Command::keys("bitop", -4, WRITE, OPERANDS, bitop),
];

/// Redis takes no offset from here on.
const OFFSETS: u64 = 1 << 32;

/// A place among the bits of a string.
pub(super) fn parse_offset(word: &[u8]) -> Result<usize, Refusal> {
    offset(parse_integer(word).and_then(|offset| u64::try_from(offset).ok()))
}

pub(super) fn offset(offset: Option<u64>) -> Result<usize, Refusal> {
    let offset = offset.filter(|offset| *offset < OFFSETS).and_then(|offset| usize::try_from(offset).ok());
    offset.ok_or(Refusal::Says("bit offset is not an integer or out of range"))
}

/// The string at the key of the request, at least so long with zeros behind its end; and whether it was shorter.
pub(super) fn copy(work: &mut Work<'_, '_>, bytes: usize) -> Result<(Vec<u8>, bool), Refusal> {
    strings::check_length(bytes)?;
    let before = strings::read(work.tx, work.db, work.args[1])?;
    let mut copy = before.map_or(Vec::new(), |before| before.to_vec());
    let grown = copy.len() < bytes;
    copy.resize(copy.len().max(bytes), 0);
    Ok((copy, grown))
}

/// Puts the bits; the key ends when it would have ended.
pub(super) fn put(work: &mut Work<'_, '_>, bytes: Vec<u8>, notices: &[Notice]) {
    let deadline = work.tx.get(work.db, work.args[1]).and_then(|entry| entry.deadline);
    work.tx.put(work.db, work.args[1], Value::String(bytes.into()), deadline, notices);
}

fn bit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

fn setbit(work: &mut Work<'_, '_>) -> Answer {
    let at = parse_offset(work.args[2])?;
    let wanted = match work.args[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(Refusal::Says("bit is not an integer or out of range")),
    };
    let (mut bytes, grown) = copy(work, at / 8 + 1)?;
    let is = bit(&bytes, at);
    if is != wanted {
        bytes[at / 8] ^= 0x80 >> (at % 8);
    }
    if grown || is != wanted {
        put(work, bytes, &[Notice::Setbit]);
    }
    work.out.boolean(is);
    Ok(())
}

fn getbit(work: &mut Work<'_, '_>) -> Answer {
    let at = parse_offset(work.args[2])?;
    let bytes = strings::read(work.tx, work.db, work.args[1])?;
    work.out.boolean(bytes.is_some_and(|bytes| bit(bytes, at)));
    Ok(())
}

/// What the numbers of a range count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

fn parse_unit(word: &[u8]) -> Result<Unit, Refusal> {
    match word.to_ascii_uppercase().as_slice() {
        b"BYTE" => Ok(Unit::Byte),
        b"BIT" => Ok(Unit::Bit),
        _ => Err(Refusal::Syntax),
    }
}

/// The bits from `start` to `end` inclusive, which count from the end when negative, of `bytes` bytes.
fn bits((start, end): (i64, i64), unit: Unit, bytes: usize) -> Range<usize> {
    let width = if unit == Unit::Byte { 8 } else { 1 };
    let length = (bytes * 8 / width) as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(length).max(0) } else { at.min(length) };
    let (start, end) = (from_end(start) as usize, (from_end(end) + 1).min(length) as usize);
    start * width..(end * width).max(start * width)
}

/// `BITCOUNT key [start end [BYTE | BIT]]`
fn bitcount(work: &mut Work<'_, '_>) -> Answer {
    let Some(bytes) = strings::read(work.tx, work.db, work.args[1])? else {
        work.out.integer(0);
        return Ok(());
    };
    let range = match work.args[2..] {
        [] => 0..bytes.len() * 8,
        [start, end, ref unit @ ..] if unit.len() < 2 => {
            let (start, end) = (integer(start)?, integer(end)?);
            let unit = unit.first().map_or(Ok(Unit::Byte), |unit| parse_unit(unit))?;
            // Unlike for BITPOS these are not both the first bit where the string is that short.
            let is_empty = start < 0 && end < 0 && start > end;
            if is_empty { 0..0 } else { bits((start, end), unit, bytes.len()) }
        }
        _ => return Err(Refusal::Syntax),
    };
    let count = count(bytes, range);
    work.out.count(count);
    Ok(())
}

fn count(bytes: &[u8], range: Range<usize>) -> usize {
    let whole = range.start.div_ceil(8)..range.end / 8;
    if whole.start >= whole.end {
        return range.filter(|at| bit(bytes, *at)).count();
    }
    let before = (range.start..whole.start * 8).filter(|at| bit(bytes, *at)).count();
    let behind = (whole.end * 8..range.end).filter(|at| bit(bytes, *at)).count();
    before + behind + bytes[whole].iter().map(|byte| byte.count_ones() as usize).sum::<usize>()
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`
fn bitpos(work: &mut Work<'_, '_>) -> Answer {
    let wanted = match integer(work.args[2])? {
        0 => false,
        1 => true,
        _ => return Err(Refusal::Says("The bit argument must be 1 or 0.")),
    };
    let Some(bytes) = strings::read(work.tx, work.db, work.args[1])? else {
        work.out.integer(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let (range, ends) = match work.args[3..] {
        [] => (0..bytes.len() * 8, false),
        [start] => (bits((integer(start)?, -1), Unit::Byte, bytes.len()), false),
        [start, end] => (bits((integer(start)?, integer(end)?), Unit::Byte, bytes.len()), true),
        [start, end, unit] => (bits((integer(start)?, integer(end)?), parse_unit(unit)?, bytes.len()), true),
        _ => return Err(Refusal::Syntax),
    };
    // Behind the end there are zeros, unless that is not in the range.
    let behind = !wanted && !ends && !range.is_empty();
    let end = range.end;
    let found = position(bytes, range, wanted).or(behind.then_some(end));
    work.out.integer(found.map_or(-1, |at| at as i64));
    Ok(())
}

fn position(bytes: &[u8], mut range: Range<usize>, wanted: bool) -> Option<usize> {
    let skipped = if wanted { 0x00 } else { 0xff };
    while !range.is_empty() {
        let at = range.start;
        if at.is_multiple_of(8) && range.end - at >= 8 && bytes[at / 8] == skipped {
            range.start += 8;
        } else if bit(bytes, at) == wanted {
            return Some(at);
        } else {
            range.start += 1;
        }
    }
    None
}

/// `BITOP AND | OR | XOR | NOT destkey key [key ...]`
fn bitop(work: &mut Work<'_, '_>) -> Answer {
    let (combine, inverts): (fn(u8, u8) -> u8, bool) = match work.args[1].to_ascii_uppercase().as_slice() {
        b"AND" => (|one, other| one & other, false),
        b"OR" => (|one, other| one | other, false),
        b"XOR" => (|one, other| one ^ other, false),
        b"NOT" => (|one, _| one, true),
        _ => return Err(Refusal::Syntax),
    };
    if inverts && work.args.len() != 4 {
        return Err(Refusal::Says("BITOP NOT must be called with a single source key."));
    }
    let (destination, keys) = (work.args[2], &work.args[3..]);
    let length = longest(work, keys)?;
    let mut result = operand(work, keys[0], length)?;
    for key in &keys[1..] {
        let other = strings::read(work.tx, work.db, key)?.map_or(&[][..], |bytes| bytes.as_slice());
        let padded = other.iter().chain(std::iter::repeat(&0));
        result.iter_mut().zip(padded).for_each(|(one, other)| *one = combine(*one, *other));
    }
    if inverts {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    if result.is_empty() {
        work.tx.delete(work.db, destination, Notice::Del);
    } else {
        work.tx.put(work.db, destination, Value::String(result.into()), None, &[Notice::Set]);
    }
    work.out.count(length);
    Ok(())
}

/// How long the longest of the strings is, if all together are short enough.
fn longest(work: &mut Work<'_, '_>, keys: &[&[u8]]) -> Result<usize, Refusal> {
    let mut longest = 0;
    for key in keys {
        let length = strings::read(work.tx, work.db, key)?.map_or(0, |bytes| bytes.len());
        longest = longest.max(length);
        if longest * keys.len() > limits::BITOP {
            let limit = limits::BITOP;
            return Err(Refusal::Told(format!("ERR BITOP combines {limit} bytes at most: name fewer keys")));
        }
    }
    Ok(longest)
}

fn operand(work: &mut Work<'_, '_>, key: &[u8], length: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = strings::read(work.tx, work.db, key)?.map_or(Vec::new(), |bytes| bytes.to_vec());
    bytes.resize(length, 0);
    Ok(bytes)
}
