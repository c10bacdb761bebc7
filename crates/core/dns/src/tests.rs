//! Questions and answers: what each form of a name gets, and what no input can do.

mod hostile;
mod limits;
mod names;
mod protocol;
mod recent;
mod registered;

use std::sync::LazyLock;

use adsum_catalog::{Catalog, records};
use adsum_keyspace::{Database, Keyspace, Now, Transaction};
use adsum_model::{
    Berth, Health, Instance, InstanceId, Name, Node, Phase, PreparedQuery, Service, ServiceQuery, Spec,
};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record, RecordType};

use crate::{Answer, Config, Transport, Zone, answer};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn config() -> Config {
    let mut config = Config::new(name("dc1"), name("n1"));
    config.zones.push("svc.example.org".parse().unwrap());
    config.zones.push("walterdalmut.com".parse::<Zone>().unwrap().flat());
    config
}

/// A catalog of what the body writes.
fn catalog_of(body: impl Fn(&mut Transaction<'_>)) -> Catalog {
    let mut keyspace = Keyspace::default();
    keyspace.transact(Now::default(), |tx| body(tx)).unwrap();
    Catalog::load(keyspace.keys(Database::System), keyspace.revision())
}

fn put_service(tx: &mut Transaction<'_>, service: &str, tags: &[&str]) {
    let mut spec = Spec::new(name(service), vec!["true".into()]);
    spec.tags = tags.iter().map(|tag| tag.to_string()).collect();
    records::put_service(tx, &Service::new(spec, 1, 0));
}

fn put_instance(tx: &mut Transaction<'_>, seed: u64, service: &str, endpoint: &str, health: Health) {
    let berth =
        Berth { id: InstanceId::from_seed(seed), node: name("n1"), endpoint: endpoint.parse().unwrap() };
    let mut instance = Instance {
        slot: seed as u32,
        phase: Phase::Running,
        health,
        proven: health == Health::Passing,
        ..Instance::planned(name(service), berth)
    };
    records::put_instance(tx, &mut instance);
}

fn put_query(tx: &mut Transaction<'_>, query: &str, service: &str) {
    let service = ServiceQuery { service: service.to_string(), ..ServiceQuery::default() };
    let (id, name) = (format!("id-of-{query}"), query.to_string());
    records::put_query(tx, &PreparedQuery { id, name, service, ..PreparedQuery::default() });
}

fn put_node(tx: &mut Transaction<'_>, node: &str, address: &str) {
    records::put_node(tx, &Node::new(name(node), address.parse().unwrap()));
}

/// The registered world of these tests, as of revision 1.
fn world() -> Catalog {
    static WORLD: LazyLock<Catalog> = LazyLock::new(registered);
    WORLD.clone()
}

fn registered() -> Catalog {
    catalog_of(|tx| {
        put_node(tx, "n1", "10.0.0.1");
        put_query(tx, "webq", "web");
        put_query(tx, "all.webs", "web");
        put_query(tx, "none", "unknown");
        put_node(tx, "n2", "fd00::2");
        put_service(tx, "web", &["v1", "Blue"]);
        put_instance(tx, 1, "web", "10.0.0.1:8001", Health::Passing);
        put_instance(tx, 2, "web", "10.0.0.2:8002", Health::Passing);
        put_instance(tx, 3, "web", "10.0.0.3:8003", Health::Critical);
        put_service(tx, "twins", &[]);
        put_instance(tx, 4, "twins", "127.0.0.1:9004", Health::Passing);
        put_instance(tx, 5, "twins", "127.0.0.1:9005", Health::Passing);
        put_instance(tx, 6, "twins", "[fd00::6]:9006", Health::Passing);
        put_service(tx, "down", &["v1"]);
        put_instance(tx, 7, "down", "10.0.0.7:8007", Health::Starting);
        put_instance(tx, 8, "down", "10.0.0.8:8008", Health::Warning);
        put_instance(tx, 9, "down", "10.0.0.9:8009", Health::Draining);
        put_service(tx, "idle", &[]);
    })
}

/// A catalog of `count` routable instances of `many`, each with an address of its own.
fn crowd(count: u64) -> Catalog {
    catalog_of(|tx| {
        put_service(tx, "many", &[]);
        for i in 1..=count {
            put_instance(tx, i, "many", &format!("10.1.{}.{}:7000", i / 256, i % 256), Health::Passing);
        }
    })
}

/// A query to be spelled out, byte by byte.
#[derive(Clone)]
struct Query {
    id: u16,
    /// The two bytes of flags, opcode and code.
    flags: u16,
    name: Vec<u8>,
    record_type: u16,
    class: u16,
    /// Payload, and the version in the bits of the TTL.
    edns: Option<(u16, u32)>,
}

const IN: u16 = 1;
const RECURSION_DESIRED: u16 = 0x0100;

impl Query {
    /// From `web.service.adsum. SRV`.
    fn new(question: &str) -> Query {
        let (name, record_type) = question.split_once(' ').unwrap();
        let record_type = u16::from(record_type.parse::<RecordType>().unwrap());
        let labels: Vec<&[u8]> = name.split('.').filter(|l| !l.is_empty()).map(str::as_bytes).collect();
        Query { id: 0, flags: RECURSION_DESIRED, name: wire(&labels), record_type, class: IN, edns: None }
    }

    fn edns(self, payload: u16) -> Query {
        Query { edns: Some((payload, 0)), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let additional = u16::from(self.edns.is_some());
        let mut bytes: Vec<u8> =
            [self.id, self.flags, 1, 0, 0, additional].iter().flat_map(|n| n.to_be_bytes()).collect();
        bytes.extend(&self.name);
        bytes.extend(self.record_type.to_be_bytes());
        bytes.extend(self.class.to_be_bytes());
        if let Some((payload, ttl)) = self.edns {
            bytes.extend(opt(payload, ttl, &[]));
        }
        bytes
    }

    fn send(&self, transport: Transport, catalog: &Catalog) -> Answer {
        answer(&self.bytes(), transport, catalog, &config())
    }

    /// The answer, understood.
    #[track_caller]
    fn ask(&self, transport: Transport, catalog: &Catalog) -> Message {
        let bytes = self.send(transport, catalog).bytes.expect("a query is answered");
        Message::from_vec(&bytes).expect("an answer is well-formed")
    }
}

fn wire(labels: &[&[u8]]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        labels.iter().flat_map(|label| [&[label.len() as u8], *label].concat()).collect();
    bytes.push(0);
    bytes
}

fn opt(payload: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 41];
    bytes.extend(payload.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// Asks over UDP with EDNS, and compares with lines like `aa NOERROR`, `web.service.adsum. 0 A 10.0.0.1`,
/// `authority ...`, `additional ...`, `reason ...`.
#[track_caller]
fn check(question: &str, expected: &[&str]) {
    let message = Query::new(question).edns(1232).ask(Transport::Udp, &world());
    assert_eq!(said(&message), expected, "{question}");
}

fn said(message: &Message) -> Vec<String> {
    let metadata = &message.metadata;
    let flags = [
        ("aa ", metadata.authoritative),
        ("tc ", metadata.truncation),
        ("ra ", metadata.recursion_available),
    ];
    let flags: String = flags.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect();
    let mut lines = vec![format!("{flags}{}", code(message))];
    lines.extend(message.answers.iter().map(print));
    lines.extend(message.authorities.iter().map(|record| format!("authority {}", print(record))));
    lines.extend(message.additionals.iter().map(|record| format!("additional {}", print(record))));
    let options = message.edns.iter().flat_map(|edns| edns.options().as_ref());
    for (_, option) in options {
        let EdnsOption::Unknown(15, data) = option else { panic!("an option nobody asked for: {option:?}") };
        lines.push(format!("reason {} {}", u16::from_be_bytes([data[0], data[1]]), text(&data[2..])));
    }
    lines
}

/// 16 is BADSIG in a TSIG record and BADVERS everywhere else (RFC 6895 2.3).
fn code(message: &Message) -> String {
    match message.metadata.response_code {
        ResponseCode::BADSIG => "BADVERS".to_string(),
        code => format!("{code:?}").to_uppercase(),
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn print(record: &Record) -> String {
    let data = match &record.data {
        RData::HINFO(hinfo) => format!("{} {}", text(&hinfo.cpu), text(&hinfo.os)),
        data => data.to_string(),
    };
    format!("{} {} {} {data}", record.name, record.ttl, record.record_type())
}
