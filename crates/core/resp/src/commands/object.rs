//! How a value is kept, and what memory that takes. <https://redis.io/docs/latest/commands/object-encoding/>
//!
//! The names are those that Redis would give to such a value; nothing here is encoded in that way.

use std::ops::Range;

use adsum_keyspace::{Database, Entry, Value};

use crate::command::{Call, Command, KeysAt, NONE, READ, Work};
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

const SECOND: KeysAt = KeysAt::Range { first: 2, last: 2, step: 1 };

pub(super) const COMMANDS: &[Command] = &[
    Command::container(
        "object",
        &[
            Command::keys("object|encoding", 3, READ, SECOND, encoding),
            Command::keys("object|refcount", 3, READ, SECOND, refcount),
            Command::keys("object|idletime", 3, READ, SECOND, idletime),
            Command::keys("object|freq", 3, READ, SECOND, freq),
        ],
    ),
    Command::container(
        "memory",
        &[
            Command::keys("memory|usage", -3, READ, SECOND, usage),
            Command::server("memory|stats", 2, NONE, stats),
            Command::server("memory|doctor", 2, NONE, doctor),
            Command::server("memory|malloc-stats", 2, NONE, malloc_stats),
            Command::server("memory|purge", 2, NONE, purge),
        ],
    ),
];

/// The longest string that Redis keeps in one piece with its header.
const EMBEDDED: usize = 44;

fn encoding(work: &mut Work<'_, '_>) -> Answer {
    let encoding = work.tx.get(work.db, work.args[2]).map(|entry| encoding_of(&entry.value));
    work.out.bulk_or_null(encoding.map(str::as_bytes));
    Ok(())
}

pub(super) fn encoding_of(value: &Value) -> &'static str {
    match value {
        Value::String(bytes) if parse_integer(bytes).is_some() => "int",
        Value::String(bytes) if bytes.len() <= EMBEDDED => "embstr",
        Value::String(_) => "raw",
        aggregate => of_aggregate(aggregate),
    }
}

/// Up to how many entries an aggregate is small, under the names of Redis' settings.
pub(crate) const HASH_MAX_LISTPACK_ENTRIES: usize = 512;
pub(crate) const SET_MAX_INTSET_ENTRIES: usize = 512;
pub(crate) const SET_MAX_LISTPACK_ENTRIES: usize = 128;
pub(crate) const ZSET_MAX_LISTPACK_ENTRIES: usize = 128;
/// Up to how many bytes an entry of a hash, set or sorted set is short.
pub(crate) const MAX_LISTPACK_VALUE: usize = 64;

/// Small aggregates have names of their own, for whoever looks at them.
fn of_aggregate(value: &Value) -> &'static str {
    /// `list-max-listpack-size` -2.
    const LIST_BYTES: usize = 8 * 1024;
    let short = |bytes: &[u8]| bytes.len() <= MAX_LISTPACK_VALUE;
    match value {
        Value::Hash(hash) => {
            let small = hash.len() <= HASH_MAX_LISTPACK_ENTRIES
                && hash.iter().all(|(field, value)| short(field) && short(value));
            if small { "listpack" } else { "hashtable" }
        }
        Value::Set(set) => {
            let integers = set.len() <= SET_MAX_INTSET_ENTRIES
                && set.iter().all(|(member, ())| parse_integer(member).is_some());
            let small = set.len() <= SET_MAX_LISTPACK_ENTRIES && set.iter().all(|(member, ())| short(member));
            match (integers, small) {
                (true, _) => "intset",
                (false, true) => "listpack",
                (false, false) => "hashtable",
            }
        }
        Value::List(list) => {
            // Each has two numbers with it, of its kind and of its length.
            let mut bytes = 0;
            let small = list.iter().all(|element| {
                bytes += element.len() + 2;
                bytes <= LIST_BYTES
            });
            if small { "listpack" } else { "quicklist" }
        }
        Value::SortedSet(set) => {
            let small = set.len() <= ZSET_MAX_LISTPACK_ENTRIES && set.iter().all(|(member, _)| short(member));
            if small { "listpack" } else { "skiplist" }
        }
        Value::Stream(_) => "stream",
        Value::String(_) => "raw",
    }
}

/// Redis has small numbers once for all keys.
fn refcount(work: &mut Work<'_, '_>) -> Answer {
    const SHARED: Range<i64> = 0..10_000;
    let count = work.tx.get(work.db, work.args[2]).map(|entry| match &entry.value {
        Value::String(bytes) if parse_integer(bytes).is_some_and(|number| SHARED.contains(&number)) => {
            i32::MAX
        }
        _ => 1,
    });
    match count {
        Some(count) => work.out.integer(i64::from(count)),
        None => work.out.null(),
    }
    Ok(())
}

fn idletime(work: &mut Work<'_, '_>) -> Answer {
    match work.tx.get(work.db, work.args[2]) {
        Some(_) => work.out.integer(0),
        None => work.out.null(),
    }
    Ok(())
}

fn freq(work: &mut Work<'_, '_>) -> Answer {
    if work.tx.get(work.db, work.args[2]).is_none() {
        work.out.null();
        return Ok(());
    }
    Err(Refusal::Says(
        "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    ))
}

/// `MEMORY USAGE key [SAMPLES count]`: roughly, and of all elements whatever the samples.
fn usage(work: &mut Work<'_, '_>) -> Answer {
    for option in work.args[3..].chunks(2) {
        match option {
            [option, count] if option.eq_ignore_ascii_case(b"SAMPLES") && integer(count)? >= 0 => {}
            _ => return Err(Refusal::Syntax),
        }
    }
    let key = work.args[2];
    match work.tx.get(work.db, key).map(weight) {
        Some(weight) => work.out.count(weight + key.len()),
        None => work.out.null(),
    }
    Ok(())
}

fn weight(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.value.weight()
}

/// What is known of the memory of the whole process, under Redis' names.
fn stats(call: &mut Call<'_>) -> Answer {
    let vitals = call.server.vitals;
    let keys: usize =
        (0..Database::USERS).map(|number| call.server.keyspace().keys(Database::User(number)).len()).sum();
    let memory = vitals.memory as usize;
    let fields = [
        ("peak.allocated", vitals.peak_memory as usize),
        ("total.allocated", memory),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("keys.count", keys),
        ("keys.bytes-per-key", memory.checked_div(keys).unwrap_or(0)),
        ("dataset.bytes", memory),
    ];
    call.out.map(fields.len());
    for (field, value) in fields {
        call.out.text(field);
        call.out.count(value);
    }
    Ok(())
}

fn doctor(call: &mut Call<'_>) -> Answer {
    call.out.verbatim("Nothing is evicted and nothing is kept twice: see used_memory in INFO memory.\n");
    Ok(())
}

fn malloc_stats(call: &mut Call<'_>) -> Answer {
    call.out.verbatim("Stats not supported for the current allocator");
    Ok(())
}

/// The allocator gives back what it can by itself.
fn purge(call: &mut Call<'_>) -> Answer {
    call.out.ok();
    Ok(())
}
