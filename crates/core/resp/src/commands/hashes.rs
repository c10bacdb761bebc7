//! Hashes: fields with values. <https://redis.io/docs/latest/commands/?group=hash>

use std::collections::BTreeSet;

use adsum_keyspace::{Blob, Database, Edits, Hash, Notice, Transaction, Value};

use smallvec::smallvec;

use super::draws::Drawing;
use super::strings::check_length;
use super::{lists::check_weight, sorted_sets};
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::decimal;
use crate::number::{integer, parse_float, parse_integer};
use crate::refusal::{Answer, Refusal, check_reply};
use crate::{Protocol, Writer};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("hset", -4, WRITE, ONE_KEY, hset).of_element(2),
    Command::keys("hmset", -4, WRITE, ONE_KEY, hmset).of_element(2),
    Command::keys("hsetnx", 4, WRITE, ONE_KEY, hsetnx).of_element(2),
    Command::keys("hget", 3, READ, ONE_KEY, hget).of_element(2),
    Command::keys("hmget", -3, READ, ONE_KEY, hmget).of_element(2),
    Command::keys("hgetall", 2, READ, ONE_KEY, hgetall),
    Command::keys("hkeys", 2, READ, ONE_KEY, |work| list(work, |out, field, _| out.bulk(field))),
    Command::keys("hvals", 2, READ, ONE_KEY, |work| list(work, |out, _, value| out.bulk(value))),
    Command::keys("hlen", 2, READ, ONE_KEY, hlen),
    Command::keys("hexists", 3, READ, ONE_KEY, hexists).of_element(2),
    Command::keys("hstrlen", 3, READ, ONE_KEY, hstrlen).of_element(2),
    Command::keys("hdel", -3, WRITE, ONE_KEY, hdel).of_element(2),
    Command::keys("hincrby", 4, WRITE, ONE_KEY, hincrby).of_element(2),
    Command::keys("hincrbyfloat", 4, WRITE, ONE_KEY, hincrbyfloat).of_element(2),
    Command::keys("hrandfield", -2, READ, ONE_KEY, hrandfield),
];

/// The hash at `key`.
pub(super) fn read<'x>(
    tx: &'x mut Transaction<'_>,
    db: Database,
    key: &[u8],
) -> Result<Option<&'x Hash>, Refusal> {
    match tx.get(db, key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(Refusal::WrongType),
    }
}

fn hset(work: &mut Work<'_, '_>) -> Answer {
    let added = put_pairs(work, "hset")?;
    work.out.count(added);
    Ok(())
}

fn hmset(work: &mut Work<'_, '_>) -> Answer {
    put_pairs(work, "hmset")?;
    work.out.ok();
    Ok(())
}

/// How many of the fields are new.
fn put_pairs(work: &mut Work<'_, '_>, command: &'static str) -> Result<usize, Refusal> {
    if work.args.len() % 2 == 1 {
        return Err(Refusal::Arity(command));
    }
    let pairs = &work.args[2..];
    pairs.iter().try_for_each(|word| check_length(word.len()))?;
    let hash = read(work.tx, work.db, work.args[1])?;
    check_weight(hash.map_or(0, Hash::weight), pairs)?;
    let edits = pairs.chunks_exact(2).map(|pair| (pair[0].into(), Some(pair[1].into()))).collect();
    Ok(work.tx.edit(work.db, work.args[1], Edits::Hash(edits), &[Notice::Hset]))
}

fn hsetnx(work: &mut Work<'_, '_>) -> Answer {
    work.args[2..].iter().try_for_each(|word| check_length(word.len()))?;
    let hash = read(work.tx, work.db, work.args[1])?;
    check_weight(hash.map_or(0, Hash::weight), &work.args[2..])?;
    let free = hash.is_none_or(|hash| !hash.contains(work.args[2]));
    if free {
        put(work, work.args[3], Notice::Hset);
    }
    work.out.boolean(free);
    Ok(())
}

/// Gives the field that the command names this value.
fn put(work: &mut Work<'_, '_>, value: &[u8], notice: Notice) {
    let edit = (Blob::from(work.args[2]), Some(Blob::from(value)));
    work.tx.edit(work.db, work.args[1], Edits::Hash(smallvec![edit]), &[notice]);
}

/// The value of the field that the command names.
fn field<'x>(work: &'x mut Work<'_, '_>) -> Result<Option<&'x Blob>, Refusal> {
    let hash = read(work.tx, work.db, work.args[1])?;
    Ok(hash.and_then(|hash| hash.get(work.args[2])))
}

fn hget(work: &mut Work<'_, '_>) -> Answer {
    let value = field(work)?.cloned();
    work.out.bulk_or_null(value.as_deref());
    Ok(())
}

fn hexists(work: &mut Work<'_, '_>) -> Answer {
    let there = field(work)?.is_some();
    work.out.boolean(there);
    Ok(())
}

fn hstrlen(work: &mut Work<'_, '_>) -> Answer {
    let length = field(work)?.map_or(0, |value| value.len());
    work.out.count(length);
    Ok(())
}

fn hmget(work: &mut Work<'_, '_>) -> Answer {
    let hash = read(work.tx, work.db, work.args[1])?;
    work.out.array(work.args.len() - 2);
    for field in &work.args[2..] {
        work.out.bulk_or_null(hash.and_then(|hash| hash.get(field)).map(Blob::as_slice));
        check_reply(work.out.mark())?;
    }
    Ok(())
}

fn hlen(work: &mut Work<'_, '_>) -> Answer {
    let length = read(work.tx, work.db, work.args[1])?.map_or(0, Hash::len);
    work.out.count(length);
    Ok(())
}

fn hgetall(work: &mut Work<'_, '_>) -> Answer {
    let hash = read(work.tx, work.db, work.args[1])?.cloned().unwrap_or_default();
    work.reply_with((hash.len(), hash.weight()), move |out| {
        out.map(hash.len());
        for (field, value) in hash.iter() {
            out.bulk(field);
            out.bulk(value);
        }
    });
    Ok(())
}

/// An array with something of each field.
fn list(work: &mut Work<'_, '_>, write: fn(&mut Writer<'_>, &Blob, &Blob)) -> Answer {
    let hash = read(work.tx, work.db, work.args[1])?.cloned().unwrap_or_default();
    work.reply_with((hash.len(), hash.weight()), move |out| {
        out.array(hash.len());
        hash.iter().for_each(|(field, value)| write(out, field, value));
    });
    Ok(())
}

fn hdel(work: &mut Work<'_, '_>) -> Answer {
    let hash = read(work.tx, work.db, work.args[1])?;
    let fields = work.args[2..].iter().filter(|field| hash.is_some_and(|hash| hash.contains(field)));
    let fields: BTreeSet<&[u8]> = fields.copied().collect();
    let removed = fields.len();
    if removed > 0 {
        let edits = fields.into_iter().map(|field| (field.into(), None)).collect();
        work.tx.edit(work.db, work.args[1], Edits::Hash(edits), &[Notice::Hdel]);
    }
    work.out.count(removed);
    Ok(())
}

fn hincrby(work: &mut Work<'_, '_>) -> Answer {
    let by = integer(work.args[3])?;
    check_length(work.args[2].len())?;
    let number = match field(work)? {
        Some(value) => parse_integer(value).ok_or(Refusal::Says("hash value is not an integer"))?,
        None => 0,
    };
    let sum = number.checked_add(by).ok_or(Refusal::Overflow)?;
    put(work, itoa::Buffer::new().format(sum).as_bytes(), Notice::Hincrby);
    work.out.integer(sum);
    Ok(())
}

fn hincrbyfloat(work: &mut Work<'_, '_>) -> Answer {
    let by = parse_float(work.args[3]).ok_or(Refusal::NotFloat)?;
    check_length(work.args[2].len())?;
    if by.is_infinite() {
        return Err(Refusal::Says("value is NaN or Infinity"));
    }
    let number = field(work)?.map_or(Blob::from("0"), Blob::clone);
    let sum = decimal::add(&number, work.args[3]).map_err(|error| match error {
        decimal::Error::NotFloat => Refusal::Says("hash value is not a float"),
        decimal::Error::NotFinite => Refusal::Says("increment would produce NaN or Infinity"),
    })?;
    put(work, sum.as_bytes(), Notice::Hincrbyfloat);
    work.out.text(&sum);
    Ok(())
}

/// `HRANDFIELD key [count [WITHVALUES]]`
fn hrandfield(work: &mut Work<'_, '_>) -> Answer {
    let drawing = work.args.get(2).map(|count| Drawing::parse(count)).transpose()?;
    let with_values = match work.args[2..] {
        [] | [_] => false,
        [_, option] if option.eq_ignore_ascii_case(b"WITHVALUES") => true,
        _ => return Err(Refusal::Syntax),
    };
    drawing.filter(|_| with_values).map_or(Ok(()), Drawing::check_pairs)?;
    let hash = read(work.tx, work.db, work.args[1])?.cloned().unwrap_or_default();
    let Some(drawing) = drawing else {
        let field = (!hash.is_empty()).then(|| hash.nth(work.lot.below(hash.len()))).flatten();
        work.out.bulk_or_null(field.map(|(field, _)| field.as_slice()));
        return Ok(());
    };
    let mut lot = work.lot.fork();
    work.reply_with((drawing.count(hash.len()), 0), move |out| {
        let ranks = drawing.ranks(hash.len(), &mut lot);
        let drawn: Vec<_> = ranks.into_iter().filter_map(|rank| hash.nth(rank)).collect();
        if let Err(refusal) = check_reply(drawn.iter().map(|(field, value)| field.len() + value.len()).sum())
        {
            return out.error(&refusal.to_string());
        }
        sorted_sets::begin_pairs(out, drawn.len(), with_values);
        for (field, value) in drawn {
            if with_values && out.protocol() == Protocol::Resp3 {
                out.array(2);
            }
            out.bulk(field);
            if with_values {
                out.bulk(value);
            }
        }
    });
    Ok(())
}
