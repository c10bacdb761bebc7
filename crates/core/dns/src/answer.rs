//! From the bytes of a query to the bytes of its answer.

use adsum_catalog::Catalog;
use adsum_model::Name;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, RecordType};

use crate::message::Written;
use crate::reply::{Authority, Reply, Wish};
use crate::request::{Edns, Request, Unreadable};
use crate::subject::Subject;
use crate::{Config, message, reverse};

/// How a query came; its answer goes back the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// An answer has at most 512 bytes, with EDNS as many as the client takes up to 1232; what does not fit is left
    /// out, and the TC bit tells the client to come again over TCP.
    Udp,
    /// An answer has at most 65,535 bytes.
    Tcp,
}

/// What becomes of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message to send back; none to what is no DNS message, or an answer itself.
    pub bytes: Option<Vec<u8>>,
    /// The service of which addresses or ports are given away in the answer: who draws an instance back has to
    /// reckon with a client that comes a moment later.
    pub asked: Option<Name>,
    /// To so many queries that differ in their ids alone there are different answers: by the id, modulo this. 0 where
    /// that is nothing to build on.
    pub turns: usize,
    /// There is no end of such questions: clients may think them up.
    pub(crate) endless: bool,
    /// The client wants a name looked up that is in none of our zones: whoever knows a resolver may ask it instead.
    pub foreign: bool,
}

impl Answer {
    /// None at all.
    pub fn nothing() -> Answer {
        Answer { bytes: None, asked: None, turns: 0, endless: false, foreign: false }
    }
}

/// Answers one message. Every input has an outcome; errors of the client are codes in the answer.
pub fn answer(query: &[u8], transport: Transport, catalog: &Catalog, config: &Config) -> Answer {
    match Request::read(query) {
        Ok(request) => answer_request(&request, transport, catalog, config),
        Err(Unreadable::Silent) => Answer::nothing(),
        Err(Unreadable::Rejected(metadata, code)) => {
            Answer { bytes: Some(message::header(&metadata, code)), ..Answer::nothing() }
        }
    }
}

fn answer_request(request: &Request, transport: Transport, catalog: &Catalog, config: &Config) -> Answer {
    let limit = limit(transport, request.edns);
    let reply = decide(request, limit, catalog, config);
    let foreign = reply.foreign && request.metadata.recursion_desired;
    let Written { bytes, is_cut } = message::write(request, &reply, limit);
    // How much of it fits may depend on where it begins.
    let turns = if is_cut { 0 } else { reply.turns };
    Answer { bytes: Some(bytes), asked: reply.given, turns, endless: reply.endless, foreign }
}

/// An answer with nothing in it but that the client is to come again over TCP.
pub fn truncated(query: &[u8]) -> Option<Vec<u8>> {
    instead(query, Reply { is_cut: true, ..Reply::failure(ResponseCode::NoError) })
}

/// An answer that there is none to be had now.
pub fn unreachable(query: &[u8]) -> Option<Vec<u8>> {
    let reason = Some("no resolver that this server asks has answered");
    instead(query, Reply { reason, ..Reply::failure(ResponseCode::ServFail) })
}

fn instead(query: &[u8], reply: Reply) -> Option<Vec<u8>> {
    let request = Request::read(query).ok()?;
    Some(message::write(&request, &reply, limit(Transport::Udp, request.edns)).bytes)
}

/// RFC 1035 4.2.1 and 4.2.2, RFC 6891 6.2.3 and 6.2.5.
fn limit(transport: Transport, edns: Option<Edns>) -> u16 {
    match (transport, edns) {
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(edns)) => edns.payload.clamp(512, message::PAYLOAD),
        (Transport::Tcp, _) => u16::MAX,
    }
}

fn decide(request: &Request, limit: u16, catalog: &Catalog, config: &Config) -> Reply {
    let question = &request.question;
    if request.edns.is_some_and(|edns| edns.version > 0) {
        return Reply::failure(ResponseCode::BADVERS);
    }
    if !matches!(question.query_class, DNSClass::IN | DNSClass::ANY) || is_meta(question.query_type) {
        return Reply::failure(ResponseCode::Refused);
    }
    let name = question.name.to_lowercase();
    let labels: Vec<&[u8]> = name.iter().collect();
    let most = usize::from(limit) / message::SMALLEST_RECORD;
    let Some(zone) = config.zone_of(&labels) else {
        let address = reverse::address(&labels).filter(|_| question.query_type == RecordType::PTR);
        let names = address.map(|address| reverse::names(address, most, catalog, config));
        return Reply::pointers(names.unwrap_or_default(), config.ttl);
    };
    let subject = Subject::find(&labels[..labels.len() - zone.depth()], zone, catalog, config);
    let wish = Wish { record_type: question.query_type, most };
    Authority { zone, catalog, config }.reply(subject, wish)
}

/// Types that no record of a zone has, transfers among them (RFC 6895 3.1).
fn is_meta(record_type: RecordType) -> bool {
    let code = u16::from(record_type);
    record_type != RecordType::ANY && (record_type == RecordType::OPT || (128..=255).contains(&code))
}
