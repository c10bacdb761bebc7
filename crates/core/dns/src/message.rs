//! A reply as bytes, within a limit.
//!
//! Records are written whole or not at all, answers first. What is left out of the answer or of the authority makes
//! the answer a truncated one (RFC 2181 9); additional records are left out silently.
//!
//! A list begins elsewhere with each id, so that clients which take the first of it spread out; its order stays. Where not
//! all of it fits, it is the same part each time that turns: who looks at that part (HAProxy) sees nobody come and go.

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, HeaderCounts, MessageType, Metadata, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use crate::reply::{Owner, Record, Reply};
use crate::request::Request;

/// Bytes that we take in one UDP query and send in one UDP answer: what passes everywhere in one piece (DNS flag day
/// 2020).
pub(crate) const PAYLOAD: u16 = 1232;

/// Bytes that a record takes at least: a pointer to its name, type, class, TTL, length, an IPv4 address.
pub(crate) const SMALLEST_RECORD: usize = 16;

/// A pointer to the name of the question, which is the first thing after the header (RFC 1035 4.1.4).
const QUESTION: u16 = 0xc000 | 12;

/// The option of RFC 8914, and its info code "Other".
const EXTENDED_ERROR: u16 = 15;
const OTHER: [u8; 2] = [0, 0];

/// A header alone.
pub(crate) fn header(asked: &Metadata, code: ResponseCode) -> Vec<u8> {
    let header = Header { metadata: metadata(asked, code), counts: HeaderCounts::default() };
    header.to_bytes().unwrap_or_default()
}

/// A message, and whether something was left out of it that the client has to come again for.
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_cut: bool,
}

/// The whole message in at most `limit` bytes.
pub(crate) fn write(request: &Request, reply: &Reply, limit: u16) -> Written {
    let mut bytes = Vec::with_capacity(512);
    let written = Writer { encoder: BinEncoder::new(&mut bytes) }.write(request, reply, limit);
    match written {
        Ok(is_cut) => Written { bytes, is_cut },
        Err(_) => Written { bytes: header(&request.metadata, ResponseCode::ServFail), is_cut: true },
    }
}

/// From the one at `turn` on, and around.
fn turned(records: &[Record], turn: usize) -> impl Iterator<Item = &Record> {
    let (before, from) = records.split_at(turn.checked_rem(records.len()).unwrap_or(0));
    from.iter().chain(before)
}

fn metadata(asked: &Metadata, code: ResponseCode) -> Metadata {
    let mut metadata = Metadata::new(asked.id, MessageType::Response, asked.op_code);
    metadata.recursion_desired = asked.recursion_desired;
    metadata.response_code = code;
    metadata
}

fn edns(request: &Request, reply: &Reply) -> Option<Edns> {
    let asked = request.edns?;
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_dnssec_ok(asked.dnssec_ok).set_rcode_high(reply.code.high());
    if let Some(reason) = reply.reason {
        let data = [&OTHER, reason.as_bytes()].concat();
        edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, data));
    }
    Some(edns)
}

struct Writer<'a> {
    encoder: BinEncoder<'a>,
}

impl Writer<'_> {
    fn write(mut self, request: &Request, reply: &Reply, limit: u16) -> Result<bool, ProtoError> {
        let edns = edns(request, reply);
        let edns = edns.as_ref().map(Edns::to_bytes).transpose()?.unwrap_or_default();
        self.encoder.set_max_size(limit.saturating_sub(edns.len() as u16));
        let place = self.encoder.place::<Header>()?;
        self.question(&request.question)?;
        let turn = if reply.turns > 1 { usize::from(request.metadata.id) } else { 0 };
        let (answers, all_answers) = self.answers(&reply.answers, turn)?;
        let (authorities, all_authorities) = self.section(reply.authorities.iter())?;
        let (additionals, _) = self.section(reply.additionals.iter())?;

        self.encoder.set_max_size(limit);
        self.encoder.emit_vec(&edns)?;
        let additionals = additionals + u16::from(!edns.is_empty());
        let counts = HeaderCounts { queries: 1, answers, authorities, additionals };
        let mut metadata = metadata(&request.metadata, reply.code);
        metadata.authoritative = reply.authoritative;
        metadata.truncation = reply.is_cut || !(all_answers && all_authorities);
        place.replace(&mut self.encoder, Header { metadata, counts })?;
        Ok(metadata.truncation)
    }

    fn question(&mut self, question: &Query) -> Result<(), ProtoError> {
        question.emit(&mut self.encoder)
    }

    /// All of them from this one on and around; or those that fit of the first, in the same way.
    fn answers(&mut self, records: &[Record], turn: usize) -> Result<(u16, bool), ProtoError> {
        let begin = self.encoder.offset();
        let (count, is_all) = self.section(turned(records, turn))?;
        if is_all || turn == 0 {
            return Ok((count, is_all));
        }
        self.back_to(begin);
        let (fit, _) = self.section(records.iter())?;
        self.back_to(begin);
        let part = records.get(..usize::from(fit)).unwrap_or(records);
        if let (count, true) = self.section(turned(part, turn))? {
            return Ok((count, false));
        }
        // Names are shorter behind one that they end like.
        self.back_to(begin);
        Ok((self.section(records.iter())?.0, false))
    }

    fn back_to(&mut self, offset: usize) {
        self.encoder.set_offset(offset);
        self.encoder.trim();
    }

    /// Writes records until one does not fit; how many there are now, and whether that is all.
    fn section<'r>(&mut self, records: impl Iterator<Item = &'r Record>) -> Result<(u16, bool), ProtoError> {
        let mut written = 0;
        for record in records {
            let before = self.encoder.offset();
            match self.record(record) {
                Ok(()) => written += 1,
                Err(ProtoError::MaxBufferSizeExceeded(_)) => {
                    self.back_to(before);
                    return Ok((written, false));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((written, true))
    }

    fn record(&mut self, record: &Record) -> Result<(), ProtoError> {
        match &record.owner {
            Owner::Question => self.encoder.emit_u16(QUESTION)?,
            Owner::Name(name) => name.emit(&mut self.encoder)?,
        }
        record.data.record_type().emit(&mut self.encoder)?;
        self.encoder.emit_u16(INTERNET)?;
        self.encoder.emit_u32(record.ttl)?;
        let place = self.encoder.place::<u16>()?;
        record.data.emit(&mut self.encoder)?;
        let length = self.encoder.len_since_place(&place);
        place.replace(&mut self.encoder, length as u16)
    }
}

const INTERNET: u16 = 1;
