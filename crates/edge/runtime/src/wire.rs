//! What the agent and the keeper say to each other: frames of a 32-bit big-endian length and as many bytes of JSON.
//!
//! The keeper speaks first, with a [`Hello`]. The form of the hello, of `Request` and of `Verb::Leave` holds across all
//! protocol versions, so that an agent of any version can send a keeper of another one home; the rest may change with
//! [`PROTOCOL`].

use std::io;

use adsum_model::{InstanceId, Offer, Process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Observed, Signal, Start, StartError, TreeKind};

/// 2 has limits and users in a start, which a keeper of before would not keep.
pub(crate) const PROTOCOL: u32 = 2;

/// The largest frame either side takes, in bytes.
pub(crate) const LONGEST_FRAME: usize = 16 * 1024 * 1024;

/// The socket's name in the keeper's directory.
pub(crate) const SOCKET: &str = "keeper.sock";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) pid: u32,
    pub(crate) cluster: String,
    pub(crate) tree: TreeKind,
    #[serde(default)]
    pub(crate) offer: Offer,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The answer carries it again.
    pub(crate) number: u64,
    pub(crate) verb: Verb,
}

/// Every verb may be sent twice: the second does nothing more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verb {
    Start(Start),
    Stop {
        id: InstanceId,
        signal: Signal,
        grace_ms: u64,
    },
    List,
    Forget {
        id: InstanceId,
    },
    Pids {
        id: InstanceId,
    },
    /// Stop everything and end; answered when nothing runs any more.
    Shutdown {
        grace_ms: u64,
    },
    /// End and leave the instances as they are, for another keeper to adopt. Not answered.
    Leave,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    Hello(Hello),
    Answer {
        number: u64,
        answer: Answer,
    },
    /// The state of some instance is another than it was at a lower generation.
    Changed {
        generation: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Done,
    Started(Process),
    NotStarted(StartError),
    Instances(Vec<Observed>),
    Pids(Vec<u32>),
    Unknown { id: InstanceId },
    StillRunning { id: InstanceId },
}

/// Appends one frame.
pub(crate) fn put<T: Serialize>(buffer: &mut Vec<u8>, message: &T) {
    let body = serde_json::to_vec(message).expect("our messages have string keys only");
    buffer.extend_from_slice(&(body.len() as u32).to_be_bytes());
    buffer.extend_from_slice(&body);
}

/// Takes the first frame off, when it is there whole.
pub(crate) fn take<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some((head, rest)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*head) as usize;
    if length > LONGEST_FRAME {
        return Err(io::Error::other(format!(
            "a frame of {length} bytes; at most {LONGEST_FRAME} are taken"
        )));
    }
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let message = serde_json::from_slice(body)?;
    buffer.drain(..4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole_and_one_by_one() {
        let mut sent = Vec::new();
        put(&mut sent, &Request { number: 1, verb: Verb::List });
        put(&mut sent, &Request { number: 2, verb: Verb::Leave });
        let mut received = Vec::new();
        let mut numbers = Vec::new();
        for byte in sent {
            received.push(byte);
            while let Some(request) = take::<Request>(&mut received).expect("a frame of ours") {
                numbers.push(request.number);
            }
        }
        assert_eq!(numbers, [1, 2]);
        assert!(received.is_empty());
    }

    #[test]
    fn a_frame_that_is_too_long_or_no_json_is_an_error() {
        assert!(take::<Request>(&mut vec![0xff, 0, 0, 0]).is_err());
        assert!(take::<Request>(&mut vec![0, 0, 0, 1, b'x']).is_err());
    }
}
