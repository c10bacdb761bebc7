//! XREAD and XREADGROUP: what is new in streams, waited for if need be. <https://redis.io/docs/latest/commands/xread/>
//!
//! Whoever waits is served after the commit that adds an entry, in order of arrival. Of the members of one group the
//! first gets all of it. Streams named `adsum:watch:PREFIX` are those of [`super::watches`].

use std::sync::Arc;
use std::time::Duration;

use adsum_keyspace::stream::{Edit, Fields, Id, Pending, Position};
use adsum_keyspace::{Blob, Edits, Kind, Notice, Stream, Value};

use super::stream_groups::{check_name, has_gaps, read_upto};
use super::stream_ids::{parse, write_entry, write_id};
use super::streams::read;
use super::watches;
use crate::blocking::{Action, Ready};
use crate::command::{BLOCKS, Call, Command, KeysAt, READ, Run, Timeout, WRITE, Wait, Work};
use crate::number::{integer, parse_integer};
use crate::readers::STREAM;
use crate::refusal::{Answer, Refusal};
use crate::{Protocol, Writer, limits};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "xread",
        arity: -4,
        flags: READ.and(BLOCKS),
        keys: KeysAt::Streams,
        element: None,
        run: Run::Server(|call| run(call, "xread")),
        subcommands: &[],
    },
    Command {
        name: "xreadgroup",
        arity: -7,
        flags: WRITE.and(BLOCKS),
        keys: KeysAt::Streams,
        element: None,
        run: Run::Server(|call| run(call, "xreadgroup")),
        subcommands: &[],
    },
];

/// What stands before the ids.
pub(super) struct Options<'a> {
    pub(super) count: usize,
    /// In milliseconds, 0 for ever.
    pub(super) block: Option<u64>,
    pub(super) names: &'a [&'a [u8]],
    pub(super) ids: &'a [&'a [u8]],
    member: Option<Member>,
}

/// As whom of a group somebody reads.
#[derive(Clone, Debug)]
struct Member {
    group: Blob,
    consumer: Blob,
    /// What is delivered need not be acknowledged.
    carefree: bool,
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Behind this entry.
    Behind(Id),
    /// What the group has given to nobody yet.
    New,
    /// What the consumer was given behind this entry and has not acknowledged.
    History(Id),
}

/// What one command reads.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    streams: Vec<(Blob, From)>,
    count: usize,
    member: Option<Member>,
}

fn run(call: &mut Call<'_>, command: &'static str) -> Answer {
    let options = Options::parse(&call.args[1..], command)?;
    if options.member.is_none() && options.names.iter().any(|name| name.starts_with(STREAM)) {
        return watches::xread(call, &options);
    }
    let reading = options.reading(call)?;
    let timeout = match options.block {
        None => Timeout::AtOnce,
        Some(0) => Timeout::Never,
        Some(millis) => Timeout::After(Duration::from_millis(millis)),
    };
    let keys = reading.streams.iter().map(|(name, _)| name.clone()).collect();
    let action = Action::Read(Arc::new(reading));
    call.do_or_wait(Wait { keys, ready: Ready::Given(Kind::Stream), action, timeout })?;
    let command = call.server.find(call.args)?;
    call.server.note_command(command, call.args);
    Ok(())
}

impl<'a> Options<'a> {
    fn parse(mut words: &'a [&'a [u8]], command: &'static str) -> Result<Options<'a>, Refusal> {
        let of_group = command == "xreadgroup";
        let (mut count, mut block, mut member, mut carefree) = (usize::MAX, None, None, false);
        let words = loop {
            let [name, rest @ ..] = words else { return Err(Refusal::Syntax) };
            words = match (name.to_ascii_uppercase().as_slice(), rest) {
                (b"COUNT", [value, rest @ ..]) => {
                    // As in Redis, nothing and less stand for all.
                    let value = usize::try_from(integer(value)?).unwrap_or(0);
                    count = if value == 0 { usize::MAX } else { value };
                    rest
                }
                (b"BLOCK", [value, rest @ ..]) => {
                    block = Some(parse_block(value)?);
                    rest
                }
                (b"GROUP", [group, consumer, rest @ ..]) => {
                    if !of_group {
                        return Err(only_of_groups("GROUP"));
                    }
                    member = Some((Blob::from(*group), Blob::from(*consumer)));
                    rest
                }
                (b"NOACK", rest) => {
                    if !of_group {
                        return Err(only_of_groups("NOACK"));
                    }
                    carefree = true;
                    rest
                }
                (b"STREAMS", words) if !words.is_empty() => break words,
                _ => return Err(Refusal::Syntax),
            };
        };
        let (names, ids) = halves(words)?;
        if of_group && member.is_none() {
            return Err(Refusal::Says("Missing GROUP option for XREADGROUP"));
        }
        let member = member.map(|(group, consumer)| Member { group, consumer, carefree });
        Ok(Options { count, block, names, ids, member })
    }

    fn reading(&self, call: &mut Call<'_>) -> Result<Reading, Refusal> {
        if let Some(member) = &self.member {
            check_name(&member.group)?;
            check_name(&member.consumer)?;
        }
        let streams = self.names.iter().zip(self.ids).map(|(name, id)| {
            if name.len() > adsum_keyspace::limits::KEY {
                return Err(Refusal::KeyTooLong(name.len()));
            }
            let stream = stream_now(call, name)?;
            if let Some(member) = &self.member
                && stream.is_none_or(|stream| stream.group(&member.group).is_none())
            {
                if stream.is_none() {
                    call.server.note_miss(call.session.database(), name);
                }
                return Err(no_such_group(name, &member.group));
            }
            let from = match (*id, &self.member) {
                (b"$", None) => From::Behind(stream.map_or(Id::MIN, |stream| stream.marks().last)),
                (b"$", Some(_)) => return Err(Refusal::Says(MEANINGLESS)),
                (b">", Some(_)) => From::New,
                (b">", None) => return Err(Refusal::Says(ONLY_NEW_OF_GROUPS)),
                (id, None) => From::Behind(parse(id, 0)?),
                (id, Some(_)) => match parse(id, 0)? {
                    // As Redis has it, which keeps `>` as this one.
                    Id::MAX => From::New,
                    id => From::History(id),
                },
            };
            Ok((Blob::from(*name), from))
        });
        Ok(Reading {
            streams: streams.collect::<Result<_, _>>()?,
            count: self.count,
            member: self.member.clone(),
        })
    }
}

const MEANINGLESS: &str = "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                           consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
                           just return an empty result set.";
const ONLY_NEW_OF_GROUPS: &str = "The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                                  <consumer> option.";

fn only_of_groups(option: &str) -> Refusal {
    let text = "option is only supported by XREADGROUP. You called XREAD instead.";
    Refusal::Told(format!("ERR The {option} {text}"))
}

fn no_such_group(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    let option = "in XREADGROUP with GROUP option";
    Refusal::Told(format!("NOGROUP No such key '{key}' or consumer group '{group}' {option}"))
}

type NamesAndIds<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// The names, and an id for each.
fn halves<'a>(words: &'a [&'a [u8]]) -> Result<NamesAndIds<'a>, Refusal> {
    if words.len() % 2 == 1 {
        // In the name of XREAD whatever the command, as Redis has it.
        return Err(Refusal::Says(
            "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    let (names, ids) = words.split_at(words.len() / 2);
    if names.len() > limits::STREAMS {
        return Err(Refusal::Says("XREAD takes 128 streams at most"));
    }
    Ok((names, ids))
}

fn parse_block(word: &[u8]) -> Result<u64, Refusal> {
    let millis = parse_integer(word).ok_or(Refusal::Says("timeout is not an integer or out of range"))?;
    u64::try_from(millis).map_err(|_| Refusal::Says("timeout is negative"))
}

/// What is due and still there is looked at like the rest: nobody has been told yet that it has gone.
fn stream_now<'x>(call: &'x Call<'_>, name: &[u8]) -> Result<Option<&'x Stream>, Refusal> {
    let keys = call.server.keyspace().keys(call.session.database());
    match keys.get(name).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Stream(stream)) => Ok(Some(stream)),
        Some(_) => Err(Refusal::WrongType),
    }
}

impl Reading {
    /// Writes what there is in any of the streams. Whether there was anything.
    pub(crate) fn run(&self, work: &mut Work<'_, '_>) -> Result<bool, Refusal> {
        let mut found = Vec::new();
        for (name, from) in &self.streams {
            if self.has(work, (name, *from), &found)? {
                found.push((name, *from));
            }
        }
        self.write(work, &found)
    }

    /// The same of the stream of this name, for whoever has waited for it. An error when it is no more what was waited
    /// for.
    pub(crate) fn run_one(&self, work: &mut Work<'_, '_>, key: &[u8]) -> Result<bool, Refusal> {
        let stream = match (read(work.tx, work.db, key), &self.member) {
            (Ok(Some(stream)), _) => stream,
            (_, None) => return Ok(false),
            (_, Some(_)) => {
                return Err(Refusal::Told("UNBLOCKED the stream key no longer exists".to_owned()));
            }
        };
        if self.member.as_ref().is_some_and(|member| stream.group(&member.group).is_none()) {
            let text = "NOGROUP the consumer group this client was blocked on no longer exists";
            return Err(Refusal::Told(text.to_owned()));
        }
        let bounded = Reading { count: self.count.min(limits::AT_ONCE), ..self.clone() };
        let mut found = Vec::new();
        for (name, from) in &self.streams {
            if name.as_slice() == key && bounded.has(work, (name, *from), &found)? {
                found.push((name, *from));
            }
        }
        bounded.write(work, &found)
    }

    /// Whether there is anything, when what was `found` is given out before it: a stream may be named twice.
    fn has(
        &self,
        work: &mut Work<'_, '_>,
        (name, from): (&Blob, From),
        found: &[(&Blob, From)],
    ) -> Result<bool, Refusal> {
        let Some(stream) = read(work.tx, work.db, name)? else { return Ok(false) };
        let behind = |id: Id| stream.last().is_some_and(|(last, _)| last > id);
        Ok(match (from, &self.member) {
            (From::Behind(id), _) => behind(id),
            (From::New, Some(member)) => {
                let same = |other: &&(&Blob, From)| other.0 == name && matches!(other.1, From::New);
                let given = found.iter().filter(same).count().saturating_mul(self.count);
                stream.group(&member.group).is_some_and(|group| match given {
                    0 => behind(group.position.last),
                    given if given >= stream.len() => false,
                    given => {
                        group.position.last.next().is_some_and(|id| stream.iter_from(id).nth(given).is_some())
                    }
                })
            }
            (From::New, None) => false,
            (From::History(_), _) => true,
        })
    }

    fn write(&self, work: &mut Work<'_, '_>, found: &[(&Blob, From)]) -> Result<bool, Refusal> {
        if found.is_empty() {
            return Ok(false);
        }
        match work.out.protocol() {
            Protocol::Resp2 => work.out.array(found.len()),
            Protocol::Resp3 => work.out.map(found.len()),
        }
        for (name, from) in found {
            if work.out.protocol() == Protocol::Resp2 {
                work.out.array(2);
            }
            work.out.bulk(name);
            let Some(stream) = read(work.tx, work.db, name)?.cloned() else { return Ok(false) };
            match (from, &self.member) {
                (From::Behind(id), _) => write_all(&mut work.out, &behind(&stream, *id, self.count)),
                (From::New, Some(member)) => self.deliver(work, name, &stream, member),
                (From::History(id), Some(member)) => self.repeat(work, (name, *id), &stream, member),
                (From::New | From::History(_), None) => {}
            }
        }
        Ok(true)
    }

    /// Gives the consumer what nobody of the group has been given.
    fn deliver(&self, work: &mut Work<'_, '_>, key: &Blob, stream: &Stream, member: &Member) {
        let Some(group) = stream.group(&member.group) else { return };
        let now = work.tx.now().wall;
        let mut edits = seen(member, now);
        let is_new = group.consumer(&member.consumer).is_none();
        let entries = behind(stream, group.position.last, self.count);
        let mut position = group.position;
        for (id, _) in &entries {
            position = advanced(stream, position, *id);
            if !member.carefree {
                let pending = Pending { consumer: member.consumer.clone(), delivered: now, count: 1 };
                edits.push(Edit::Pending(member.group.clone(), *id, Some(pending)));
            }
        }
        edits.push(Edit::Position(member.group.clone(), position));
        write_all(&mut work.out, &entries);
        commit(work, key, edits, is_new);
    }

    /// Gives the consumer again what it was given behind `id` and has not acknowledged.
    fn repeat(&self, work: &mut Work<'_, '_>, (key, id): (&Blob, Id), stream: &Stream, member: &Member) {
        let Some(group) = stream.group(&member.group) else { return };
        let now = work.tx.now().wall;
        let consumer = group.consumer(&member.consumer);
        let pending = consumer.into_iter().flat_map(|consumer| consumer.pending().iter_from(&id));
        let ids =
            pending.map(|(id, ())| *id).filter(|other| *other > id).take(self.count).collect::<Vec<_>>();
        let mut edits = Vec::new();
        if consumer.is_none() {
            edits = seen(member, now);
        }
        work.out.array(ids.len());
        for id in ids {
            match stream.get(id) {
                Some(fields) => write_entry(&mut work.out, id, fields),
                None => {
                    work.out.array(2);
                    write_id(&mut work.out, id);
                    work.out.null_array();
                    continue;
                }
            }
            if let Some(pending) = group.pending().get(&id) {
                let count = pending.count.saturating_add(1);
                let pending = Pending { delivered: now, count, ..pending.clone() };
                edits.push(Edit::Pending(member.group.clone(), id, Some(pending)));
            }
        }
        if !edits.is_empty() {
            commit(work, key, edits, consumer.is_none());
        }
    }
}

fn seen(member: &Member, now: u64) -> Vec<Edit> {
    vec![Edit::Consumer(member.group.clone(), member.consumer.clone(), Some(now))]
}

fn commit(work: &mut Work<'_, '_>, key: &[u8], edits: Vec<Edit>, is_new: bool) {
    let notices: &[Notice] = if is_new { &[Notice::XgroupCreateconsumer] } else { &[] };
    work.tx.edit(work.db, key, Edits::Stream(edits), notices);
}

/// The entries behind `id`.
fn behind(stream: &Stream, id: Id, count: usize) -> Vec<(Id, Fields)> {
    let Some(start) = id.next() else { return Vec::new() };
    stream.iter_from(start).take(count).map(|(id, fields)| (id, fields.clone())).collect()
}

fn write_all(out: &mut Writer<'_>, entries: &[(Id, Fields)]) {
    out.array(entries.len());
    entries.iter().for_each(|(id, fields)| write_entry(out, *id, fields));
}

/// Where a group is when it has been given the entry `id`.
fn advanced(stream: &Stream, position: Position, id: Id) -> Position {
    let read = match position.read {
        Some(read) if !has_gaps(stream, id) => Some(read.saturating_add(1)),
        _ => read_upto(stream, id),
    };
    Position { last: id, read }
}
