//! What can be written in HTTP/2 and would mean something else in the HTTP/1 that instances are spoken to with.

use super::frames::{Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame, named};
use crate::world::World;

/// How a stream was answered.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Refused,
}

/// One request: its fields in this order, then a body unless it is empty.
fn asked(world: &World, fields: &[(&str, &str)], body: &[u8]) -> Outcome {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| named(name, value)).collect();
    let mut connection = Connection::open(world.gateway());
    let end = if body.is_empty() { END_STREAM } else { 0 };
    connection.send(&frame(HEADERS, END_HEADERS | end, 1, &block));
    if !body.is_empty() {
        connection.send(&frame(DATA, END_STREAM, 1, body));
    }
    while let Some(frame) = connection.frame() {
        match frame.kind {
            // The status comes first, and 0x88 is 200 in the static table.
            HEADERS if frame.payload.first() == Some(&0x88) => return Outcome::Answered,
            HEADERS | RST_STREAM | GOAWAY => return Outcome::Refused,
            _ => {}
        }
    }
    Outcome::Refused
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// The pseudo fields of a request, of which one is given.
fn request<'a>(changed: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    let usual = [(":method", "POST"), (":scheme", "http"), (":path", "/bad"), (":authority", "a.example")];
    let usual = usual.into_iter().map(|field| if field.0 == changed.0 { changed } else { field });
    let fields: Vec<_> = usual.collect();
    if changed.0.starts_with(':') { fields } else { [fields, vec![changed]].concat() }
}

#[test]
fn fields_that_would_end_a_line_or_frame_a_body_are_refused() {
    let world = World::start();
    let with_line = |before: &str| format!("{before}\r\nX: y\r\n\r\n{SMUGGLED}");
    let (value, path) = (with_line("a"), with_line("/ HTTP/1.1"));
    let (authority, method) = (with_line("a.example"), with_line("GET / HTTP/1.1"));
    let name = format!("x: y\r\n\r\n{SMUGGLED}x").to_ascii_lowercase();
    let cases = [
        ("x", value.as_str()),
        (name.as_str(), "a"),
        (":path", path.as_str()),
        (":path", "/a b"),
        (":path", "smuggled"),
        (":authority", authority.as_str()),
        (":method", method.as_str()),
        ("x", "a\rb"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("X-Upper", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive"),
        ("upgrade", "h2c"),
        ("content-length", "+43"),
        ("content-length", "48"),
    ];
    for case in cases {
        assert_eq!(asked(&world, &request(case), SMUGGLED.as_bytes()), Outcome::Refused, "{case:?}");
    }
    let entries = world.entries();
    assert_eq!((entries.count("head GET /smuggled"), entries.count("garbage")), (0, 0), "{entries:?}");
    assert_eq!(entries.count("request POST /bad"), 0);
    assert!(world.bytes().iter().all(|bytes| !bytes.contains("X: y")));
}

/// A body where none was announced: whoever answers before it comes has answered the request that was announced.
#[test]
fn a_body_beyond_its_length_does_not_reach_the_instance() {
    let world = World::start();
    for _ in 0..10 {
        asked(&world, &request(("content-length", "0")), SMUGGLED.as_bytes());
    }
    assert_eq!(world.get("/after").status, 200);
    let entries = world.entries();
    assert_eq!((entries.count("head GET /smuggled"), entries.count("garbage")), (0, 0), "{entries:?}");
    assert!(world.bytes().iter().all(|bytes| !bytes.contains("/smuggled")));
}

/// The control: the same request with nothing wrong.
#[test]
fn a_good_request_with_a_body_arrives_whole() {
    let world = World::start();
    let length = SMUGGLED.len().to_string();
    let good = request(("content-length", &length));
    assert_eq!(asked(&world, &good, SMUGGLED.as_bytes()), Outcome::Answered);
    let entries = world.entries();
    assert_eq!((entries.count("request POST /bad"), entries.count("head GET /smuggled")), (1, 0));
}

/// Two names for the host are refused, whichever of them would be routed.
#[test]
fn a_second_host_is_refused() {
    let world = World::start();
    for (authority, host) in [("a.example", "other.example"), ("other.example", "a.example")] {
        let both = [request((":authority", authority)), vec![("host", host)]].concat();
        assert_eq!(asked(&world, &both, b""), Outcome::Refused, "{authority}, {host}");
    }
    assert_eq!(world.entries().count("head POST /bad"), 0);
    let same = [request((":authority", "a.example")), vec![("host", "a.example")]].concat();
    assert_eq!(asked(&world, &same, b""), Outcome::Answered);
}
