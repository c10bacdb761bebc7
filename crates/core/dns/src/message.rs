//! A reply as bytes, within a limit.
//!
//! Records are written whole or not at all, answers first. What is left out of the answer or of the authority makes
//! the answer a truncated one (RFC 2181 9); additional records are left out silently.

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

/// The whole message in at most `limit` bytes.
pub(crate) fn write(request: &Request, reply: &Reply, limit: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let written = Writer { encoder: BinEncoder::new(&mut bytes) }.write(request, reply, limit);
    match written {
        Ok(()) => bytes,
        Err(_) => header(&request.metadata, ResponseCode::ServFail),
    }
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
    fn write(mut self, request: &Request, reply: &Reply, limit: u16) -> Result<(), ProtoError> {
        let edns = edns(request, reply);
        let edns = edns.as_ref().map(Edns::to_bytes).transpose()?.unwrap_or_default();
        self.encoder.set_max_size(limit.saturating_sub(edns.len() as u16));
        let place = self.encoder.place::<Header>()?;
        self.question(&request.question)?;
        let (answers, all_answers) = self.section(&reply.answers)?;
        let (authorities, all_authorities) = self.section(&reply.authorities)?;
        let (additionals, _) = self.section(&reply.additionals)?;

        self.encoder.set_max_size(limit);
        self.encoder.emit_vec(&edns)?;
        let additionals = additionals + u16::from(!edns.is_empty());
        let counts = HeaderCounts { queries: 1, answers, authorities, additionals };
        let mut metadata = metadata(&request.metadata, reply.code);
        metadata.authoritative = reply.authoritative;
        metadata.truncation = reply.is_cut || !(all_answers && all_authorities);
        place.replace(&mut self.encoder, Header { metadata, counts })
    }

    fn question(&mut self, question: &Query) -> Result<(), ProtoError> {
        question.emit(&mut self.encoder)
    }

    /// Writes records until one does not fit; how many there are now, and whether that is all.
    fn section(&mut self, records: &[Record]) -> Result<(u16, bool), ProtoError> {
        for (count, record) in (0..).zip(records) {
            let before = self.encoder.offset();
            match self.record(record) {
                Ok(()) => {}
                Err(ProtoError::MaxBufferSizeExceeded(_)) => {
                    self.encoder.set_offset(before);
                    self.encoder.trim();
                    return Ok((count, false));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((records.len() as u16, true))
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
