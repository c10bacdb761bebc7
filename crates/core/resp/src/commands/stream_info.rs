//! What there is to know of a stream, its groups and their consumers.
//! <https://redis.io/docs/latest/commands/xinfo-stream/>

use adsum_keyspace::stream::{Consumer, Fields, Group, Id};
use adsum_keyspace::{Blob, Stream};

use super::stream_groups::{lag, no_group};
use super::stream_ids::{write_entry, write_id};
use super::streams::read;
use crate::Writer;
use crate::command::{Command, KeysAt, READ, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

const KEY: KeysAt = KeysAt::Range { first: 2, last: 2, step: 1 };

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "xinfo",
    &[
        Command::keys("xinfo|stream", -3, READ, KEY, of_stream),
        Command::keys("xinfo|groups", 3, READ, KEY, groups),
        Command::keys("xinfo|consumers", 4, READ, KEY, consumers),
    ],
)];

fn stream(work: &mut Work<'_, '_>) -> Result<Stream, Refusal> {
    read(work.tx, work.db, work.args[2])?.cloned().ok_or(Refusal::NoSuchKey)
}

/// `XINFO STREAM key [FULL [COUNT count]]`
fn of_stream(work: &mut Work<'_, '_>) -> Answer {
    let stream = stream(work)?;
    let count = match work.args[3..] {
        [] => None,
        [full] if full.eq_ignore_ascii_case(b"FULL") => Some(10),
        [full, count, number]
            if full.eq_ignore_ascii_case(b"FULL") && count.eq_ignore_ascii_case(b"COUNT") =>
        {
            Some(usize::try_from(integer(number)?).unwrap_or(10))
        }
        _ => return Err(Refusal::words_of_subcommand("XINFO", work.args[1])),
    };
    match count {
        None => short(&mut work.out, &stream),
        Some(count) => full(&mut work.out, &stream, if count == 0 { usize::MAX } else { count }),
    }
    Ok(())
}

/// What both forms begin with. The nodes are those that Redis would keep it in.
fn begin(out: &mut Writer<'_>, stream: &Stream, pairs: usize) {
    const PER_NODE: usize = 100;
    let marks = stream.marks();
    let nodes = stream.len().div_ceil(PER_NODE);
    out.map(pairs);
    out.text("length");
    out.count(stream.len());
    out.text("radix-tree-keys");
    out.count(nodes);
    out.text("radix-tree-nodes");
    out.count(nodes + 1);
    out.text("last-generated-id");
    write_id(out, marks.last);
    out.text("max-deleted-entry-id");
    write_id(out, marks.deleted);
    out.text("entries-added");
    out.count(marks.added as usize);
    out.text("recorded-first-entry-id");
    write_id(out, stream.first().map_or(Id::MIN, |(id, _)| id));
}

fn short(out: &mut Writer<'_>, stream: &Stream) {
    let entry = |out: &mut Writer<'_>, entry: Option<(Id, &Fields)>| match entry {
        Some((id, fields)) => write_entry(out, id, fields),
        None => out.null(),
    };
    begin(out, stream, 10);
    out.text("groups");
    out.count(stream.groups().len());
    out.text("first-entry");
    entry(out, stream.first());
    out.text("last-entry");
    entry(out, stream.last());
}

fn full(out: &mut Writer<'_>, stream: &Stream, count: usize) {
    begin(out, stream, 9);
    out.text("entries");
    out.array(stream.len().min(count));
    stream.iter_from(Id::MIN).take(count).for_each(|(id, fields)| write_entry(out, id, fields));
    out.text("groups");
    out.array(stream.groups().len());
    for (name, group) in stream.groups() {
        out.map(7);
        out.text("name");
        out.bulk(name);
        position(out, stream, group);
        out.text("pel-count");
        out.count(group.pending().len());
        out.text("pending");
        out.array(group.pending().len().min(count));
        for (id, pending) in group.pending().iter().take(count) {
            out.array(4);
            write_id(out, *id);
            out.bulk(&pending.consumer);
            out.count(pending.delivered as usize);
            out.count(pending.count as usize);
        }
        out.text("consumers");
        out.array(group.consumers().len());
        group
            .consumers()
            .iter()
            .for_each(|(name, consumer)| of_consumer(out, group, (name, consumer), count));
    }
}

fn of_consumer(out: &mut Writer<'_>, group: &Group, (name, consumer): (&Blob, &Consumer), count: usize) {
    out.map(4);
    out.text("name");
    out.bulk(name);
    out.text("seen-time");
    out.count(consumer.seen as usize);
    out.text("pel-count");
    out.count(consumer.pending().len());
    out.text("pending");
    let pending = consumer.pending().iter().filter_map(|(id, ())| Some((id, group.pending().get(id)?)));
    out.array(consumer.pending().len().min(count));
    for (id, pending) in pending.take(count) {
        out.array(3);
        write_id(out, *id);
        out.count(pending.delivered as usize);
        out.count(pending.count as usize);
    }
}

/// How far a group has read: `last-delivered-id`, `entries-read`, `lag`.
fn position(out: &mut Writer<'_>, stream: &Stream, group: &Group) {
    let number = |out: &mut Writer<'_>, number: Option<i64>| match number {
        Some(number) => out.integer(number),
        None => out.null(),
    };
    out.text("last-delivered-id");
    write_id(out, group.position.last);
    out.text("entries-read");
    number(out, group.position.read.map(|read| read as i64));
    out.text("lag");
    number(out, lag(stream, group.position));
}

fn groups(work: &mut Work<'_, '_>) -> Answer {
    let stream = stream(work)?;
    let out = &mut work.out;
    out.array(stream.groups().len());
    for (name, group) in stream.groups() {
        out.map(6);
        out.text("name");
        out.bulk(name);
        out.text("consumers");
        out.count(group.consumers().len());
        out.text("pending");
        out.count(group.pending().len());
        position(out, &stream, group);
    }
    Ok(())
}

fn consumers(work: &mut Work<'_, '_>) -> Answer {
    let stream = stream(work)?;
    let now = work.tx.now().wall;
    let group = stream.group(work.args[3]).ok_or_else(|| no_group(work.args[2], work.args[3]))?;
    work.out.array(group.consumers().len());
    for (name, consumer) in group.consumers().iter() {
        work.out.map(3);
        work.out.text("name");
        work.out.bulk(name);
        work.out.text("pending");
        work.out.count(consumer.pending().len());
        work.out.text("idle");
        work.out.count(now.saturating_sub(consumer.seen) as usize);
    }
    Ok(())
}
