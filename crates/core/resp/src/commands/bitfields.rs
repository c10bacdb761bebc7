//! Integers of any width at any bit of a string. <https://redis.io/docs/latest/commands/bitfield/>
//!
//! ```text
//! BITFIELD k OVERFLOW SAT INCRBY i5 100 1 GET u4 0
//!                                |    |
//!                        5 bits, signed   from bit 100 on; #20 would be the 21st of this width
//! ```

use adsum_keyspace::Notice;

use super::{bits, strings};
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("bitfield", -2, WRITE, ONE_KEY, |work| bitfield(work, false)),
    Command::keys("bitfield_ro", -2, READ, ONE_KEY, |work| bitfield(work, true)),
];

/// A place in a string.
#[derive(Clone, Copy)]
struct Field {
    signed: bool,
    /// 1 to 64.
    width: u32,
    offset: usize,
}

/// What becomes of a number that does not fit.
#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Set(i64),
    Increase(i64),
}

struct Step {
    field: Field,
    verb: Verb,
    overflow: Overflow,
}

fn bitfield(work: &mut Work<'_, '_>, read_only: bool) -> Answer {
    let steps = parse(&work.args[2..])?;
    let writes = steps.iter().filter(|step| !matches!(step.verb, Verb::Get));
    match writes.map(|step| step.field.end()).max() {
        None => {
            let bytes = strings::read(work.tx, work.db, work.args[1])?;
            let bytes = bytes.map_or(&[][..], |bytes| bytes.as_slice());
            work.out.array(steps.len());
            steps.iter().for_each(|step| work.out.integer(step.field.read(bytes)));
        }
        Some(_) if read_only => return Err(Refusal::Says("BITFIELD_RO only supports the GET subcommand")),
        Some(end) => write(work, &steps, end)?,
    }
    Ok(())
}

/// The string reaches to the bit before `end` afterwards, whether anything is changed there or not.
fn write(work: &mut Work<'_, '_>, steps: &[Step], end: usize) -> Answer {
    let (mut bytes, grown) = bits::copy(work, end.div_ceil(8))?;
    let mut changed = false;
    work.out.array(steps.len());
    for step in steps {
        let old = step.field.read(&bytes);
        let new = match step.verb {
            Verb::Get => Some(old),
            Verb::Set(number) => step.field.fit(step.field.unsigned(number), step.overflow),
            Verb::Increase(by) => step.field.fit(i128::from(old) + i128::from(by), step.overflow),
        };
        let Some(new) = new else {
            work.out.null();
            continue;
        };
        if !matches!(step.verb, Verb::Get) {
            step.field.write(&mut bytes, new);
            changed |= grown || old != new;
        }
        work.out.integer(if matches!(step.verb, Verb::Set(_)) { old } else { new });
    }
    // As in Redis a string that has only grown, since no number did fit, is not worth an event.
    let notices: &[Notice] = if changed { &[Notice::Setbit] } else { &[] };
    if changed || grown {
        bits::put(work, bytes, notices);
    }
    Ok(())
}

fn parse(mut words: &[&[u8]]) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    while let [verb, rest @ ..] = words {
        let (verb, rest, field) = match (verb.to_ascii_uppercase().as_slice(), rest) {
            (b"OVERFLOW", [how, rest @ ..]) => {
                overflow = parse_overflow(how)?;
                words = rest;
                continue;
            }
            (b"GET", [width, offset, rest @ ..]) => (Verb::Get, rest, Field::parse(width, offset)?),
            (b"SET", [width, offset, number, rest @ ..]) => {
                let field = Field::parse(width, offset)?;
                (Verb::Set(integer(number)?), rest, field)
            }
            (b"INCRBY", [width, offset, by, rest @ ..]) => {
                let field = Field::parse(width, offset)?;
                (Verb::Increase(integer(by)?), rest, field)
            }
            _ => return Err(Refusal::Syntax),
        };
        steps.push(Step { field, verb, overflow });
        words = rest;
    }
    Ok(steps)
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, Refusal> {
    match word.to_ascii_uppercase().as_slice() {
        b"WRAP" => Ok(Overflow::Wrap),
        b"SAT" => Ok(Overflow::Saturate),
        b"FAIL" => Ok(Overflow::Fail),
        _ => Err(Refusal::Says("Invalid OVERFLOW type specified")),
    }
}

impl Field {
    fn parse(width: &[u8], offset: &[u8]) -> Result<Field, Refusal> {
        let (signed, width) = parse_width(width).ok_or(Refusal::Says(
            "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        ))?;
        let offset = match offset.strip_prefix(b"#") {
            None => bits::parse_offset(offset)?,
            Some(number) => {
                let number =
                    crate::number::parse_integer(number).and_then(|number| u64::try_from(number).ok());
                bits::offset(number.and_then(|number| number.checked_mul(u64::from(width))))?
            }
        };
        Ok(Field { signed, width, offset })
    }

    fn end(self) -> usize {
        self.offset + self.width as usize
    }

    /// Zeros behind the end.
    fn read(self, bytes: &[u8]) -> i64 {
        let mut number = 0u64;
        for at in self.offset..self.end() {
            let byte = bytes.get(at / 8).copied().unwrap_or(0);
            number = number << 1 | u64::from(byte >> (7 - at % 8) & 1);
        }
        self.extend(number)
    }

    fn write(self, bytes: &mut [u8], number: i64) {
        for (nth, at) in (self.offset..self.end()).rev().enumerate() {
            let mask = 0x80 >> (at % 8);
            let byte = &mut bytes[at / 8];
            *byte = if number >> nth & 1 == 1 { *byte | mask } else { *byte & !mask };
        }
    }

    /// The lowest bits as a number of this width.
    fn extend(self, number: u64) -> i64 {
        let unused = 64 - self.width;
        let raised = number << unused;
        if self.signed { (raised as i64) >> unused } else { (raised >> unused) as i64 }
    }

    /// What SET is given: negative numbers are large ones where there is no sign.
    fn unsigned(self, number: i64) -> i128 {
        if self.signed { i128::from(number) } else { i128::from(number as u64) }
    }

    fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = match self.signed {
            true => (-(1i128 << (self.width - 1)), (1i128 << (self.width - 1)) - 1),
            false => (0, (1i128 << self.width) - 1),
        };
        if (least..=most).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.extend(number as u64)),
            Overflow::Saturate => Some(number.clamp(least, most) as i64),
            Overflow::Fail => None,
        }
    }
}

/// `i1` to `i64`, `u1` to `u63`.
fn parse_width(word: &[u8]) -> Option<(bool, u32)> {
    let (signed, widest) = match word.first()? {
        b'i' => (true, 64),
        b'u' => (false, 63),
        _ => return None,
    };
    let width = crate::number::parse_integer(&word[1..])?;
    Some((signed, u32::try_from(width).ok().filter(|width| (1..=widest).contains(width))?))
}
