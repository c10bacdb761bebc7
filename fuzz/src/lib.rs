//! What the fuzz targets do with their bytes, and what must hold of it: no panic, nothing made of nothing, and two ways
//! that lead to the same place.
//!
//! The tests of the workspace replay the committed corpus, and mutations of it, through the same functions.

use std::borrow::Cow;

use adsum_catalog::{Catalog, records};
use adsum_dns::{Config, Recent, Transport, answer};
use adsum_filter::{Filter, Shape};
use adsum_framing::{AnswerReader, Content, Flaw, Limits, Piece, RequestReader};
use adsum_journal::fuzzing;
use adsum_keyspace::{Database, Keyspace, Now, decode_commit, decode_rows, encode_commit, encode_row};
use adsum_model::{Route, Rule, Service, Spec};
use adsum_resp::{Parsed, Parser, Requests};
use adsum_routing::{Asked, Entrance, Table, matches, path};

/// What is done with some bytes.
pub type Target = fn(&[u8]);

/// One function for the bytes of each kind; the name is that of the target and of its folder in the corpus.
pub const TARGETS: [(&str, Target); 11] = [
    ("segment", segment),
    ("snapshot", snapshot),
    ("commit", commit),
    ("rows", rows),
    ("requests", requests),
    ("framing", framing),
    ("answers", answers),
    ("paths", paths),
    ("rules", rules),
    ("questions", questions),
    ("filters", filters),
];

/// A segment of the journal, with a search for what a torn tail leaves.
pub fn segment(bytes: &[u8]) {
    let read = fuzzing::read_segment(bytes);
    assert!(read.is_none_or(|read| read.payload <= bytes.len() as u64));
}

/// A snapshot file.
pub fn snapshot(bytes: &[u8]) {
    let read = fuzzing::read_snapshot(bytes);
    assert!(read.is_none_or(|read| read.payload <= bytes.len() as u64));
}

/// A record's payload. What was decoded is encoded in one way only.
pub fn commit(bytes: &[u8]) {
    let Ok(commit) = decode_commit(bytes) else { return };
    let mut once = Vec::new();
    encode_commit(&commit, &mut once);
    let mut twice = Vec::new();
    encode_commit(&decode_commit(&once).expect("it was encoded just now"), &mut twice);
    assert_eq!(once, twice);
}

/// A snapshot's chunk.
pub fn rows(bytes: &[u8]) {
    let Ok(rows) = decode_rows(bytes) else { return };
    assert!(rows.len() <= bytes.len());
    let mut encoded = Vec::new();
    rows.iter().for_each(|row| encode_row(row.database, &row.key, &row.entry, &mut encoded));
    assert_eq!(decode_rows(&encoded).expect("it was encoded just now"), rows);
}

/// What a Redis client sends: in one piece, or in many, it is the same requests.
pub fn requests(bytes: &[u8]) {
    let whole = parsed(bytes, bytes.len().max(1));
    assert_eq!(whole, parsed(bytes, 7));
    assert!(whole.iter().flatten().map(Vec::len).sum::<usize>() <= bytes.len());
}

/// The requests in these bytes when so many of them come at once, up to the first that is none.
fn parsed(bytes: &[u8], at_once: usize) -> Vec<Vec<Vec<u8>>> {
    let (mut parser, mut requests) = (Parser::default(), Vec::new());
    let (mut begin, mut end) = (0, 0);
    while end < bytes.len() {
        end = bytes.len().min(end + at_once);
        loop {
            let mut ahead = Requests::new();
            parser.parse_ahead(&bytes[begin..end], &mut ahead);
            for (length, request) in &ahead {
                requests.push(request.args.iter().map(|arg| arg.to_vec()).collect());
                begin += length;
            }
            match parser.parse(&bytes[begin..end]) {
                Parsed::Incomplete => break,
                Parsed::Error(_) => return requests,
                Parsed::Request { request, consumed } => {
                    assert!(consumed > 0, "a request of nothing");
                    requests.push(request.args.iter().map(|arg| arg.to_vec()).collect());
                    begin += consumed;
                }
            }
        }
    }
    requests
}

/// What an HTTP/1 client sends: in one piece, or in many, the same of it is understood, and for the same reason no more.
pub fn framing(bytes: &[u8]) {
    let whole = asked(bytes, bytes.len().max(1));
    assert_eq!(whole, asked(bytes, 7));
    assert_eq!(whole, asked(bytes, 1));
    assert!(whole.bodies.len() <= bytes.len(), "a body of nothing");
}

/// What was understood of a client.
#[derive(Debug, Default, PartialEq)]
struct AskedFor {
    heads: Vec<(http::Method, http::Uri, http::HeaderMap)>,
    trailers: Vec<http::HeaderMap>,
    /// In one piece.
    bodies: Vec<u8>,
    /// Bytes that belong to no whole head, and to no body.
    left: usize,
    end: Option<Flaw>,
}

/// So many bytes at once.
fn asked(bytes: &[u8], at_once: usize) -> AskedFor {
    let (mut reader, mut incoming) = (RequestReader::new(Limits::default()), bytes::BytesMut::new());
    let (mut asked, mut content) = (AskedFor::default(), Content::default());
    for piece in bytes.chunks(at_once) {
        incoming.extend_from_slice(piece);
        if asked.end.is_none() {
            asked.end = asked.ask(&mut reader, &mut content, &mut incoming).err();
        }
    }
    asked.left = incoming.len();
    asked
}

impl AskedFor {
    fn ask(
        &mut self,
        reader: &mut RequestReader,
        content: &mut Content,
        incoming: &mut bytes::BytesMut,
    ) -> Result<(), Flaw> {
        loop {
            match content.next(incoming)? {
                Piece::Data(data) => self.bodies.extend_from_slice(&data),
                Piece::Trailers(trailers) => self.trailers.push(trailers),
                Piece::Nothing => return Ok(()),
                Piece::End => match reader.read(incoming)? {
                    Some(head) => {
                        self.heads.push((head.method, head.uri, head.headers));
                        *content = head.content;
                    }
                    None => return Ok(()),
                },
            }
        }
    }
}

/// What an instance answers, to GET and to HEAD: in one piece, or in many, the same heads and the same bodies, and the same
/// end of them.
pub fn answers(bytes: &[u8]) {
    for method in [http::Method::GET, http::Method::HEAD] {
        let whole = heard(bytes, &method, bytes.len().max(1));
        assert_eq!(whole, heard(bytes, &method, 7));
        assert_eq!(whole, heard(bytes, &method, 1));
        assert!(whole.bodies.len() <= bytes.len(), "a body of nothing");
        assert!(method == http::Method::GET || whole.bodies.is_empty(), "a body in an answer to HEAD");
    }
}

/// What came over a connection that is used again for as long as its answers allow it.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    /// Of 1xx as well, and trailers.
    heads: Vec<http::HeaderMap>,
    /// In one piece.
    bodies: Vec<u8>,
    /// Answers that are whole, without 1xx.
    whole: usize,
    /// The connection can be used again after the last of them.
    keeps: bool,
    end: Option<End>,
}

#[derive(Debug, PartialEq)]
enum End {
    /// What follows is no answer.
    Flaw(Flaw),
    /// What follows is another protocol's.
    Switched,
    /// What follows is nobody's.
    NotKept,
}

/// So many bytes at once.
fn heard(bytes: &[u8], method: &http::Method, at_once: usize) -> Heard {
    let (mut reader, mut incoming) = (AnswerReader::default(), bytes::BytesMut::new());
    let (mut heard, mut content) = (Heard { keeps: true, ..Heard::default() }, None);
    for piece in bytes.chunks(at_once) {
        incoming.extend_from_slice(piece);
        match heard.hear(&mut reader, &mut content, &mut incoming, method) {
            Ok(None) => {}
            Ok(end) => {
                heard.end = end;
                return heard;
            }
            Err(flaw) => {
                heard.end = Some(End::Flaw(flaw));
                return heard;
            }
        }
    }
    heard
}

impl Heard {
    /// Goes as far as there is something.
    fn hear(
        &mut self,
        reader: &mut AnswerReader,
        content: &mut Option<Content>,
        incoming: &mut bytes::BytesMut,
        method: &http::Method,
    ) -> Result<Option<End>, Flaw> {
        loop {
            let Some(body) = content else {
                let Some(head) = reader.read(incoming, method)? else { return Ok(None) };
                self.heads.push(head.headers);
                self.keeps &= head.keeps;
                match head.status.as_u16() {
                    101 => return Ok(Some(End::Switched)),
                    100..200 => assert!(head.content.is_over(), "a body before the answer"),
                    _ => *content = Some(head.content),
                }
                continue;
            };
            match body.next(incoming)? {
                Piece::Data(data) => self.bodies.extend_from_slice(&data),
                Piece::Trailers(trailers) => self.heads.push(trailers),
                Piece::Nothing => return Ok(None),
                Piece::End => {
                    (self.whole, *content) = (self.whole + 1, None);
                    if !self.keeps {
                        return Ok(Some(End::NotKept));
                    }
                }
            }
        }
    }
}

/// A request's path. What is normal stays so, does not grow, and has no dot segments.
pub fn paths(bytes: &[u8]) {
    let Ok(raw) = str::from_utf8(bytes) else { return };
    let Ok(normal) = path::normalise(raw) else { return };
    assert!(normal.starts_with('/') && normal.len() <= raw.len());
    assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."));
    assert_eq!(path::normalise(&normal), Ok(Cow::Borrowed(&*normal)));
}

/// A route's rule, as people write it. It is printed as it parses; and a table, which takes it apart, has the requests
/// that it matches when it is looked at whole.
pub fn rules(bytes: &[u8]) {
    let Ok(rule) = String::from_utf8_lossy(bytes).parse::<Rule>() else { return };
    assert_eq!(rule.to_string().parse().as_ref(), Ok(&rule));
    let table = table(rule);
    let rule = &table.routes().next().expect("the service has a route").rule;
    let mut headers = http::HeaderMap::new();
    headers.insert("x-beta", http::HeaderValue::from_static("yes"));
    for (host, path) in
        [("a", "/"), ("b.a", "/api"), ("c.b.a.", "/api/x"), ("shop.local", "/x//y"), ("", "/api/")]
    {
        for method in [http::Method::GET, http::Method::POST] {
            let asked = Asked { host, path, method: &method, headers: &headers };
            assert_eq!(
                table.find(Entrance::Gateway, &asked, 0).is_some(),
                matches(rule, &asked),
                "{asked:?}"
            );
        }
    }
}

/// What a DNS client sends. An answer is one to this query, within its limit, and the same when it is given again.
pub fn questions(bytes: &[u8]) {
    let catalog = Catalog::load(Keyspace::default().keys(Database::System), Keyspace::default().revision());
    let config = Config::new("dc1".parse().expect("a name"), "n1".parse().expect("a name"));
    let mut recent = Recent::new(Transport::Udp);
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, usize::from(u16::MAX))] {
        let Some(answer) = answer(bytes, transport, &catalog, &config).bytes else { continue };
        assert!((12..=limit).contains(&answer.len()) && answer[..2] == bytes[..2], "{answer:02x?}");
        assert!(answer[2] & 0x80 != 0 && bytes[2] & 0x80 == 0, "an answer to an answer");
        if transport == Transport::Udp {
            for _ in 0..2 {
                assert_eq!(recent.answer(bytes, &catalog, &config).bytes.as_ref(), Some(&answer));
            }
        }
    }
}

/// `?filter=`. What is not understood has its place in the text; and of an expression and its negation exactly one holds.
pub fn filters(bytes: &[u8]) {
    const SHAPE: Shape = Shape::Object(&[
        ("Name", Shape::Text),
        ("Port", Shape::Whole),
        ("Ready", Shape::Flag),
        ("Load", Shape::Number),
        ("Tags", Shape::List(&Shape::Text)),
        ("Meta", Shape::Map(&Shape::Text)),
        ("Checks", Shape::List(&Shape::Object(&[("Status", Shape::Text), ("Port", Shape::Whole)]))),
    ]);
    let text = String::from_utf8_lossy(bytes);
    let filter = match Filter::parse(&text, &SHAPE) {
        Ok(filter) => filter,
        Err(error) => return assert!(error.offset <= text.len() && error.line >= 1, "{error}"),
    };
    let Ok(negation) = Filter::parse(&format!("not ({text})"), &SHAPE) else { return };
    for value in values() {
        assert_ne!(filter.takes(&value), negation.takes(&value), "{text}: {value}");
    }
}

fn values() -> [serde_json::Value; 3] {
    use serde_json::json;
    [
        json!({}),
        json!({"Name": "web", "Port": 80, "Ready": true, "Load": 0.5, "Tags": ["a", "v1"], "Meta": {"v": "2"},
               "Checks": [{"Status": "passing", "Port": 1}, {"Status": "critical", "Port": 2}]}),
        json!({"Name": "", "Port": 0, "Ready": false, "Load": -1.0, "Tags": [], "Meta": {}, "Checks": []}),
    ]
}

/// Of one service with one route.
fn table(rule: Rule) -> Table {
    let mut spec = Spec::new("shop".parse().expect("a name"), vec!["shop".to_string()]);
    let (name, weight) = (None, None);
    spec.routing.routes = vec![Route {
        name,
        rule,
        priority: 0,
        weight,
        rewrite: Default::default(),
        target: Default::default(),
    }];
    let service = Service::new(spec, 1, 0);
    let mut keyspace = Keyspace::default();
    keyspace
        .transact(Now::default(), |tx| records::put_service(tx, &service))
        .expect("a record is no bigger than a value may be");
    Table::build(&Catalog::load(keyspace.keys(Database::System), keyspace.revision()), None)
}
