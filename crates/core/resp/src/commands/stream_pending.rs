//! What was delivered and not acknowledged: told, and given to somebody else.
//! <https://redis.io/docs/latest/commands/xpending/>

use adsum_keyspace::stream::{Edit, Group, Id, Pending, Position};
use adsum_keyspace::{Blob, Edits, Notice, Stream};

use super::stream_groups::check_name;
use super::stream_ids::{parse, parse_end, parse_start, write_entry, write_id};
use super::streams::read;
use crate::command::{Command, ONE_KEY, READ, WRITE, Work};
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("xpending", -3, READ, ONE_KEY, xpending),
    Command::keys("xclaim", -6, WRITE, ONE_KEY, xclaim),
    Command::keys("xautoclaim", -6, WRITE, ONE_KEY, xautoclaim),
];

/// The stream that the command names with the group in it, as they are now.
fn group(work: &mut Work<'_, '_>) -> Result<(Stream, Group), Refusal> {
    let (key, name) = (work.args[1], work.args[2]);
    let stream = read(work.tx, work.db, key)?.cloned();
    let group = stream.as_ref().and_then(|stream| stream.group(name)).cloned();
    stream.zip(group).ok_or_else(|| {
        let (key, name) = (String::from_utf8_lossy(key), String::from_utf8_lossy(name));
        Refusal::Told(format!("NOGROUP No such key '{key}' or consumer group '{name}'"))
    })
}

fn xpending(work: &mut Work<'_, '_>) -> Answer {
    if work.args.len() == 3 {
        return summary(work);
    }
    let search = Search::parse(&work.args[3..])?;
    let (_, group) = group(work)?;
    let now = work.tx.now().wall;
    let found = search.run(&group, now);
    work.out.array(found.len());
    for (id, pending) in found {
        work.out.array(4);
        write_id(&mut work.out, id);
        work.out.bulk(&pending.consumer);
        work.out.count(idle(&pending, now) as usize);
        work.out.count(pending.count as usize);
    }
    Ok(())
}

fn idle(pending: &Pending, now: u64) -> u64 {
    now.saturating_sub(pending.delivered)
}

/// How many there are, the least and the greatest id, and how many each consumer has.
fn summary(work: &mut Work<'_, '_>) -> Answer {
    let (_, group) = group(work)?;
    let pending = group.pending();
    let out = &mut work.out;
    out.array(4);
    out.count(pending.len());
    let (Some((first, _)), Some((last, _))) = (pending.nth(0), pending.nth(pending.len().wrapping_sub(1)))
    else {
        out.null();
        out.null();
        out.null_array();
        return Ok(());
    };
    write_id(out, *first);
    write_id(out, *last);
    let owners = group.consumers().iter().filter(|(_, consumer)| !consumer.pending().is_empty());
    let owners: Vec<_> = owners.collect();
    out.array(owners.len());
    for (name, consumer) in owners {
        out.array(2);
        out.bulk(name);
        out.text(&consumer.pending().len().to_string());
    }
    Ok(())
}

/// `[IDLE millis] start end count [consumer]`
struct Search {
    idle: u64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<Blob>,
}

impl Search {
    fn parse(words: &[&[u8]]) -> Result<Search, Refusal> {
        if !(3..=6).contains(&words.len()) {
            return Err(Refusal::Syntax);
        }
        let (idle, words) = match words {
            [option, millis, rest @ ..] if option.eq_ignore_ascii_case(b"IDLE") => {
                (u64::try_from(integer(millis)?).unwrap_or(0), rest)
            }
            words => (0, words),
        };
        // What stands behind a consumer Redis does not look at, up to a number of words.
        let [start, end, count, rest @ ..] = words else { return Err(Refusal::Syntax) };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        let (start, end) = (parse_start(start)?, parse_end(end)?);
        let consumer = rest.first().map(|consumer| Blob::from(*consumer));
        Ok(Search { idle, start, end, count, consumer })
    }

    fn run(&self, group: &Group, now: u64) -> Vec<(Id, Pending)> {
        let long = |pending: &Pending| self.idle == 0 || idle(pending, now) >= self.idle;
        match &self.consumer {
            None => {
                let pending = group.pending().iter_from(&self.start).take_while(|(id, _)| **id <= self.end);
                let pending = pending.filter(|(_, pending)| long(pending)).take(self.count);
                pending.map(|(id, pending)| (*id, pending.clone())).collect()
            }
            Some(name) => {
                let Some(consumer) = group.consumer(name) else { return Vec::new() };
                let ids = consumer.pending().iter_from(&self.start).map(|(id, ())| *id);
                let ids = ids.take_while(|id| *id <= self.end);
                let pending = ids.filter_map(|id| Some((id, group.pending().get(&id)?.clone())));
                pending.filter(|(_, pending)| long(pending)).take(self.count).collect()
            }
        }
    }
}

/// Who claims what from whom: what XCLAIM and XAUTOCLAIM have in common.
struct Claim {
    stream: Stream,
    group: Group,
    name: Blob,
    consumer: Blob,
    edits: Vec<Edit>,
    now: u64,
    is_new: bool,
}

impl Claim {
    fn begin(work: &mut Work<'_, '_>) -> Result<Claim, Refusal> {
        let (name, consumer) = (Blob::from(work.args[2]), Blob::from(work.args[3]));
        let (stream, group) = group(work)?;
        check_name(&consumer)?;
        let is_new = group.consumer(&consumer).is_none();
        let now = work.tx.now().wall;
        Ok(Claim { stream, group, name, consumer, edits: Vec::new(), now, is_new })
    }

    /// The entry is no more, so nobody need acknowledge it.
    fn forget(&mut self, id: Id) {
        self.edits.push(Edit::Pending(self.name.clone(), id, None));
    }

    fn give(&mut self, id: Id, delivered: u64, count: u64) {
        let pending = Pending { consumer: self.consumer.clone(), delivered, count };
        self.edits.push(Edit::Pending(self.name.clone(), id, Some(pending)));
    }

    /// `claimed`: whether anything was, so that the consumer is there from now on.
    fn commit(mut self, work: &mut Work<'_, '_>, claimed: bool) {
        let mut notices: &[Notice] = &[];
        if claimed {
            let seen = Edit::Consumer(self.name.clone(), self.consumer.clone(), Some(self.now));
            self.edits.insert(0, seen);
            if self.is_new {
                notices = &[Notice::XgroupCreateconsumer];
            }
        }
        if !self.edits.is_empty() {
            work.tx.edit(work.db, work.args[1], Edits::Stream(self.edits), notices);
        }
    }
}

/// `[IDLE millis] [TIME unix-millis] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]`
struct Options {
    delivered: u64,
    count: Option<u64>,
    force: bool,
    only_ids: bool,
    last: Option<Id>,
}

impl Options {
    fn parse(mut words: &[&[u8]], now: u64) -> Result<Options, Refusal> {
        let mut options = Options { delivered: now, count: None, force: false, only_ids: false, last: None };
        while let [word, rest @ ..] = words {
            let name = word.to_ascii_uppercase();
            words = match (name.as_slice(), rest) {
                (b"FORCE", rest) => {
                    options.force = true;
                    rest
                }
                (b"JUSTID", rest) => {
                    options.only_ids = true;
                    rest
                }
                (b"IDLE", [millis, rest @ ..]) => {
                    let millis = parse_integer(millis);
                    let millis = millis.ok_or(Refusal::Says("Invalid IDLE option argument for XCLAIM"))?;
                    options.delivered = (now as i64).checked_sub(millis).map_or(now, |at| at.max(0) as u64);
                    rest
                }
                (b"TIME", [at, rest @ ..]) => {
                    let at = parse_integer(at);
                    let at = at.ok_or(Refusal::Says("Invalid TIME option argument for XCLAIM"))?;
                    options.delivered = u64::try_from(at).unwrap_or(now);
                    rest
                }
                (b"RETRYCOUNT", [count, rest @ ..]) => {
                    let count = parse_integer(count);
                    let count =
                        count.ok_or(Refusal::Says("Invalid RETRYCOUNT option argument for XCLAIM"))?;
                    options.count = u64::try_from(count).ok();
                    rest
                }
                (b"LASTID", [id, rest @ ..]) => {
                    options.last = Some(parse(id, 0)?);
                    rest
                }
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(Refusal::Told(format!("ERR Unrecognized XCLAIM option '{word}'")));
                }
            };
        }
        options.delivered = options.delivered.min(now);
        Ok(options)
    }
}

/// `XCLAIM key group consumer min-idle id [id ...] options`
fn xclaim(work: &mut Work<'_, '_>) -> Answer {
    let mut claim = Claim::begin(work)?;
    let least_idle = parse_integer(work.args[4]);
    let least_idle = least_idle.ok_or(Refusal::Says("Invalid min-idle-time argument for XCLAIM"))?;
    let least_idle = u64::try_from(least_idle).unwrap_or(0);
    let words = &work.args[5..];
    let ids: Vec<Id> = words.iter().map_while(|id| parse(id, 0).ok()).collect();
    let options = Options::parse(&words[ids.len()..], claim.now)?;
    if let Some(last) = options.last.filter(|last| *last > claim.group.position.last) {
        let position = Position { last, ..claim.group.position };
        claim.edits.push(Edit::Position(claim.name.clone(), position));
    }
    let mark = work.out.begin_array();
    let mut claimed = 0;
    for id in ids {
        let pending = claim.group.pending().get(&id).cloned();
        let Some(fields) = claim.stream.get(id).cloned() else {
            pending.iter().for_each(|_| claim.forget(id));
            continue;
        };
        let before = match &pending {
            Some(pending) if least_idle > 0 && idle(pending, claim.now) < least_idle => continue,
            Some(pending) => pending.count,
            None if options.force => 0,
            None => continue,
        };
        let more = u64::from(!options.only_ids);
        claim.give(id, options.delivered, options.count.unwrap_or(before.saturating_add(more)));
        claimed += 1;
        if options.only_ids {
            write_id(&mut work.out, id);
        } else {
            write_entry(&mut work.out, id, &fields);
        }
    }
    work.out.end_array(mark, claimed);
    claim.commit(work, claimed > 0);
    Ok(())
}

/// `XAUTOCLAIM key group consumer min-idle start [COUNT count] [JUSTID]`
fn xautoclaim(work: &mut Work<'_, '_>) -> Answer {
    /// Deliveries looked at for each that is asked for.
    const ATTEMPTS: usize = 10;
    let least_idle = parse_integer(work.args[4]);
    let least_idle = least_idle.ok_or(Refusal::Says("Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let least_idle = u64::try_from(least_idle).unwrap_or(0);
    let start = parse_start(work.args[5])?;
    let (count, only_ids) = auto_options(&work.args[6..])?;
    let mut claim = Claim::begin(work)?;
    let (mut claimed, mut gone) = (Vec::new(), Vec::new());
    let all = claim.group.pending().clone();
    let mut rest = all.iter_from(&start).peekable();
    for (id, pending) in rest.by_ref().take(count.saturating_mul(ATTEMPTS)) {
        match claim.stream.get(*id).cloned() {
            None => {
                claim.forget(*id);
                gone.push(*id);
            }
            Some(_) if least_idle > 0 && idle(pending, claim.now) < least_idle => {}
            Some(fields) => {
                claim.give(*id, claim.now, pending.count.saturating_add(u64::from(!only_ids)));
                claimed.push((*id, fields));
            }
        }
        if claimed.len() + gone.len() >= count {
            break;
        }
    }
    work.out.array(3);
    write_id(&mut work.out, rest.peek().map_or(Id::MIN, |(id, _)| **id));
    work.out.array(claimed.len());
    for (id, fields) in &claimed {
        if only_ids {
            write_id(&mut work.out, *id);
        } else {
            write_entry(&mut work.out, *id, fields);
        }
    }
    work.out.array(gone.len());
    gone.into_iter().for_each(|id| write_id(&mut work.out, id));
    claim.commit(work, !claimed.is_empty());
    Ok(())
}

fn auto_options(mut words: &[&[u8]]) -> Result<(usize, bool), Refusal> {
    let (mut count, mut only_ids) = (100, false);
    while let [word, rest @ ..] = words {
        words = match (word.to_ascii_uppercase().as_slice(), rest) {
            (b"COUNT", [number, rest @ ..]) => {
                let number = parse_integer(number).and_then(|number| usize::try_from(number).ok());
                count = number.filter(|count| *count > 0).ok_or(Refusal::Says("COUNT must be > 0"))?;
                rest
            }
            (b"JUSTID", rest) => {
                only_ids = true;
                rest
            }
            _ => return Err(Refusal::Syntax),
        };
    }
    Ok((count, only_ids))
}
