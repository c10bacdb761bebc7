//! What a message asks, as far as an answer depends on it.
//!
//! Records that a query carries besides its question (a TSIG, the SOA of an IXFR) are walked over and not read: the
//! names in them may be compressed, and following chains of pointers costs far more than the bytes that spell them.

use hickory_proto::op::{Header, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::Name as DomainName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

/// A well-formed query with one question.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) metadata: Metadata,
    pub(crate) question: Query,
    pub(crate) edns: Option<Edns>,
}

/// What the client says in its OPT record (RFC 6891 6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    /// Bytes that it takes in one UDP answer.
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
}

/// A message that is no such query.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// No header, or an answer itself: gets none.
    Silent,
    /// Gets a header with a code.
    Rejected(Metadata, ResponseCode),
}

/// The bytes are not what RFC 1035 4 says.
struct Malformed;

const HEADER: usize = 12;
const OPT: u16 = 41;

impl Request {
    pub(crate) fn read(bytes: &[u8]) -> Result<Request, Unreadable> {
        let mut decoder = BinDecoder::new(bytes);
        let header = Header::read(&mut decoder).map_err(|_| Unreadable::Silent)?;
        let rejected = |code| Err(Unreadable::Rejected(header.metadata, code));
        if header.message_type == MessageType::Response {
            return Err(Unreadable::Silent);
        }
        if header.op_code != OpCode::Query {
            return rejected(ResponseCode::NotImp);
        }
        // RFC 9619: a query has exactly one question.
        if header.counts.queries != 1 {
            return rejected(ResponseCode::FormErr);
        }
        read_body(&header, &mut decoder).or_else(|Malformed| rejected(ResponseCode::FormErr))
    }
}

fn read_body(header: &Header, decoder: &mut BinDecoder<'_>) -> Result<Request, Malformed> {
    let question = Query::read(decoder)?;
    // The first name of a message has nothing before it that it could point to.
    if decoder.index() != HEADER + wire_length(&question.name) + 4 {
        return Err(Malformed);
    }
    let before = u32::from(header.counts.answers) + u32::from(header.counts.authorities);
    for _ in 0..before {
        if read_record(decoder)?.is_some() {
            return Err(Malformed);
        }
    }
    let mut edns = None;
    for _ in 0..header.counts.additionals {
        let found = read_record(decoder)?;
        if found.is_some() && edns.is_some() {
            return Err(Malformed);
        }
        edns = edns.or(found);
    }
    Ok(Request { metadata: header.metadata, question, edns })
}

fn wire_length(name: &DomainName) -> usize {
    name.iter().map(|label| label.len() + 1).sum::<usize>() + 1
}

/// Walks over a record; an OPT record is understood.
fn read_record(decoder: &mut BinDecoder<'_>) -> Result<Option<Edns>, Malformed> {
    let at_root = skip_name(decoder)?;
    let record_type = decoder.read_u16()?.unverified();
    let class = decoder.read_u16()?.unverified();
    let ttl = decoder.read_u32()?.unverified();
    let length = decoder.read_u16()?.unverified();
    let data = decoder.read_slice(usize::from(length))?.unverified();
    if record_type != OPT {
        return Ok(None);
    }
    if !at_root || !are_options(data) {
        return Err(Malformed);
    }
    let [_, version, flags, _] = ttl.to_be_bytes();
    Ok(Some(Edns { payload: class, version, dnssec_ok: flags & 0x80 != 0 }))
}

/// Returns whether the name is the root. Pointers are not followed.
fn skip_name(decoder: &mut BinDecoder<'_>) -> Result<bool, Malformed> {
    let begin = decoder.index();
    loop {
        let length = decoder.pop()?.unverified();
        match length {
            0 => return Ok(decoder.index() == begin + 1),
            1..=63 => drop(decoder.read_slice(usize::from(length))?),
            64..=191 => return Err(Malformed),
            192..=255 => {
                decoder.pop()?;
                return Ok(false);
            }
        }
    }
}

/// Whether the bytes are a sequence of code, length, data.
fn are_options(mut data: &[u8]) -> bool {
    while let [_, _, high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else { return false };
        data = next;
    }
    data.is_empty()
}

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Malformed {
        Malformed
    }
}
