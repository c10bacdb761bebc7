//! XREAD on the streams of watches. <https://redis.io/docs/latest/commands/xread/>
//!
//! `XREAD [COUNT n] [BLOCK ms] STREAMS adsum:watch:/config/ 1042-3` gives every event of a key under `/config/` after
//! that one: fields `event`, `key`, `value` or `delta`, `expires` in Unix milliseconds, `revision`. The id `$` is now.
//! When the history does not reach back that far the answer is `-COMPACTED` with the oldest revision that can be read,
//! which taken as an id begins there.

use std::time::Duration;

use adsum_keyspace::Blob;
use adsum_model::Revision;

use crate::command::{BLOCKS, Call, Command, KeysAt, READ, Run};
use crate::number::{integer, parse_integer};
use crate::readers::{Id, Reader, Reading, STREAM, Stream};
use crate::refusal::{Answer, Refusal};
use crate::{Flow, limits};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "xread",
    arity: -4,
    flags: READ.and(BLOCKS),
    keys: KeysAt::None,
    run: Run::Server(xread),
    subcommands: &[],
}];

struct Options<'a> {
    count: usize,
    /// In milliseconds, 0 for ever.
    block: Option<u64>,
    names: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

fn xread(call: &mut Call<'_>) -> Answer {
    let options = Options::parse(&call.args[1..])?;
    let mut reading = Reading { streams: options.streams(call)?, count: options.count };
    if let Some(before) = &call.session.read {
        reading.go_on_from(before);
    }
    if reading.write(call.server.keyspace(), &mut call.out)? {
        return Ok(());
    }
    reading.scanned(call.server.revision());
    call.session.read = Some(reading.clone());
    match options.block.filter(|_| !call.in_transaction) {
        None => call.out.null_array(),
        Some(millis) => {
            let (client, silent) = (call.session.client.clone(), call.session.is_silent());
            call.server.readers.add(Reader { client, reading, silent });
            call.flow = Flow::Blocked { timeout: (millis > 0).then(|| Duration::from_millis(millis)) };
        }
    }
    Ok(())
}

impl<'a> Options<'a> {
    fn parse(mut words: &'a [&'a [u8]]) -> Result<Options<'a>, Refusal> {
        let (mut count, mut block) = (usize::MAX, None);
        loop {
            let [name, value, rest @ ..] = words else { return Err(Refusal::Syntax) };
            match name.to_ascii_uppercase().as_slice() {
                b"COUNT" => {
                    // As in Redis, nothing and less stand for all.
                    count = usize::try_from(integer(value)?)
                        .ok()
                        .filter(|count| *count > 0)
                        .unwrap_or(usize::MAX);
                }
                b"BLOCK" => block = Some(parse_block(value)?),
                b"STREAMS" => break,
                _ => return Err(Refusal::Syntax),
            }
            words = rest;
        }
        let words = &words[1..];
        if words.len() % 2 == 1 {
            return Err(Refusal::Says(
                "Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
            ));
        }
        let (names, ids) = words.split_at(words.len() / 2);
        if names.len() > limits::STREAMS {
            return Err(Refusal::Says("XREAD takes 128 streams at most"));
        }
        Ok(Options { count, block, names, ids })
    }

    fn streams(&self, call: &Call<'_>) -> Result<Vec<Stream>, Refusal> {
        let last = call.server.revision();
        let database = call.session.database();
        let streams = self.names.iter().zip(self.ids).map(|(name, id)| {
            if !name.starts_with(STREAM) {
                return Err(Refusal::Says(
                    "XREAD reads adsum:watch:PREFIX only: there are no other streams yet",
                ));
            }
            if name.len() > STREAM.len() + adsum_keyspace::limits::KEY {
                return Err(Refusal::KeyTooLong(name.len() - STREAM.len()));
            }
            let (after, scanned) = (parse_id(id, last)?, Revision::ZERO);
            Ok(Stream { name: Blob::from(*name), database, after, scanned })
        });
        streams.collect()
    }
}

fn parse_block(word: &[u8]) -> Result<u64, Refusal> {
    let millis = parse_integer(word).ok_or(Refusal::Says("timeout is not an integer or out of range"))?;
    u64::try_from(millis).map_err(|_| Refusal::Says("timeout is negative"))
}

/// `REVISION-N`, `REVISION` for what comes before its first event, or `$`.
fn parse_id(word: &[u8], last: Revision) -> Result<Id, Refusal> {
    if word == b"$" {
        return Ok(Id { revision: last.0, number: u64::MAX });
    }
    let wrong = Refusal::Says("Invalid stream ID specified as stream command argument");
    let text = str::from_utf8(word).map_err(|_| wrong.clone())?;
    let (revision, number) = text.split_once('-').unwrap_or((text, "0"));
    match (revision.parse(), number.parse()) {
        (Ok(revision), Ok(number)) => Ok(Id { revision, number }),
        _ => Err(wrong),
    }
}
