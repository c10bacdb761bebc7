//! XREAD on the streams of watches. <https://redis.io/docs/latest/commands/xread/>
//!
//! `XREAD [COUNT n] [BLOCK ms] STREAMS adsum:watch:/config/ 1042-3` gives every event of a key under `/config/` after
//! that one: fields `event`, `key`, `value` or `delta`, `expires` in Unix milliseconds, `revision`. The id `$` is now.
//! When the history does not reach back that far the answer is `-COMPACTED` with the oldest revision that can be read,
//! which taken as an id begins there.

use std::time::Duration;

use adsum_keyspace::Blob;
use adsum_model::Revision;

use super::stream_reads::Options;
use crate::Flow;
use crate::command::Call;
use crate::readers::{Id, Reader, Reading, STREAM, Stream};
use crate::refusal::{Answer, Refusal};

/// Of streams all of which are such watches.
pub(super) fn xread(call: &mut Call<'_>, options: &Options<'_>) -> Answer {
    let mut reading = Reading { streams: streams(options, call)?, count: options.count };
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

fn streams(options: &Options<'_>, call: &Call<'_>) -> Result<Vec<Stream>, Refusal> {
    let last = call.server.revision();
    let database = call.session.database();
    let streams = options.names.iter().zip(options.ids).map(|(name, id)| {
        if !name.starts_with(STREAM) {
            return Err(Refusal::Says("one XREAD reads either watches, as adsum:watch:PREFIX, or streams"));
        }
        if name.len() > STREAM.len() + adsum_keyspace::limits::KEY {
            return Err(Refusal::KeyTooLong(name.len() - STREAM.len()));
        }
        let (after, scanned) = (parse_id(id, last)?, Revision::ZERO);
        Ok(Stream { name: Blob::from(*name), database, after, scanned })
    });
    streams.collect()
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
