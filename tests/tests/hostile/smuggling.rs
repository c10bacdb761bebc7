//! Requests that two readers would cut differently: none of it reaches the instance as more requests than were answered.

use std::time::Duration;

use adsum_tests::until;

use crate::raw::Answer;
use crate::world::World;

/// What a case consists of: the head up to and without its empty line, and the rest.
struct Case {
    name: &'static str,
    head: &'static str,
    rest: &'static str,
    /// None: the fault is in the body, after the head was let through.
    status: Option<u16>,
}

const fn head(name: &'static str, status: u16, head: &'static str, rest: &'static str) -> Case {
    Case { name, head, rest, status: Some(status) }
}

const fn body(name: &'static str, rest: &'static str) -> Case {
    let head = "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked";
    Case { name, head, rest, status: None }
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// `{}` stands for a whole request that is to be smuggled.
const CASES: [Case; 45] = [
    head(
        "cl-te",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 48\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-cl",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
        "2b\r\n{}\r\n0\r\n\r\n",
    ),
    head(
        "te-te",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: cow",
        "0\r\n\r\n{}",
    ),
    head(
        "te-list",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-unknown",
        501,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked",
        "0\r\n\r\n{}",
    ),
    head("te-identity", 501, "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: identity", "{}"),
    head(
        "te-before-gzip",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, gzip",
        "0\r\n\r\n{}",
    ),
    head(
        "te-vertical-tab",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: \x0bchunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-space-before-colon",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-folded",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nX: y\r\n Transfer-Encoding: chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-underscore",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer_Encoding: chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-quoted",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: \"chunked\"",
        "0\r\n\r\n{}",
    ),
    head(
        "te-in-http-1-0",
        400,
        "POST /bad HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "te-bare-return",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nX: y\rTransfer-Encoding: chunked",
        "0\r\n\r\n{}",
    ),
    head(
        "cl-twice-different",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\nContent-Length: 43",
        "{}",
    ),
    head(
        "cl-twice-equal",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 43\r\nContent-Length: 43",
        "{}",
    ),
    head("cl-list", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0, 43", "{}"),
    head("cl-plus", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: +43", "{}"),
    head("cl-minus", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: -43", "{}"),
    head("cl-hexadecimal", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0x2b", "{}"),
    head("cl-underscore", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4_3", "{}"),
    head("cl-octal", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 053", "{}"),
    head(
        "cl-overflow",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551616",
        "{}",
    ),
    head("cl-empty", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length:", "{}"),
    head("cl-nul", 400, "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 43\0", "{}"),
    head("bare-line-feeds", 400, "GET /bad HTTP/1.1\nHost: a.example\n\n", "{}"),
    head(
        "bare-line-feed-in-fields",
        400,
        "POST /bad HTTP/1.1\r\nHost: a.example\r\nX: y\nContent-Length: 43",
        "{}",
    ),
    head("space-before-first-field", 400, "GET /bad HTTP/1.1\r\n Host: a.example\r\nX: y", "{}"),
    head("nul-in-name", 400, "GET /bad HTTP/1.1\r\nHost: a.example\r\nX\0: y", "{}"),
    head("empty-name", 400, "GET /bad HTTP/1.1\r\nHost: a.example\r\n: y", "{}"),
    head("no-host", 400, "GET /bad HTTP/1.1\r\nX: y", "{}"),
    head("two-hosts", 400, "GET /bad HTTP/1.1\r\nHost: a.example\r\nHost: b.example", "{}"),
    head("bad-host", 400, "GET /bad HTTP/1.1\r\nHost: a.example/b", "{}"),
    head("other-host-in-target", 400, "GET http://b.example/bad HTTP/1.1\r\nHost: a.example", "{}"),
    head("space-in-target", 400, "GET /bad /worse HTTP/1.1\r\nHost: a.example", "{}"),
    head("version-2", 505, "GET /bad HTTP/2.0\r\nHost: a.example", "{}"),
    head("no-version", 400, "GET /bad\r\nHost: a.example", "{}"),
    head("bad-expectation", 417, "GET /bad HTTP/1.1\r\nHost: a.example\r\nExpect: nothing", "{}"),
    body("chunk-plus", "+3\r\nabc\r\n0\r\n\r\n{}"),
    body("chunk-hexadecimal", "0x3\r\nabc\r\n0\r\n\r\n{}"),
    body("chunk-overflow", "10000000000000003\r\nabc\r\n0\r\n\r\n{}"),
    body("chunk-bare-line-feed", "3\nabc\r\n0\r\n\r\n{}"),
    body("chunk-extension-line-feed", "3;a\nabc\r\n0\r\n\r\n{}"),
    body("chunk-without-end", "3\r\nabcd\r\n0\r\n\r\n{}"),
    body("chunk-trailer-length", "0\r\nContent-Length: 43\r\n\r\n{}"),
];

impl Case {
    fn bytes(&self) -> String {
        let name = |text: &str| text.replace("/bad", &format!("/bad/{}", self.name));
        format!("{}\r\n\r\n{}", name(self.head), self.rest.replace("{}", SMUGGLED))
    }
}

fn good(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

/// Everything in one write, and all answers.
fn exchange(world: &World, bytes: &str) -> Vec<Answer> {
    let mut client = world.client();
    client.send(bytes.as_bytes());
    client.answers()
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// A fault in the body is told by 400 when nothing was answered yet; the request was under way.
fn expected(case: &Case) -> Vec<u16> {
    vec![case.status.unwrap_or(400)]
}

#[track_caller]
fn refused(world: &World, case: &Case) {
    let name = case.name;
    let alone = exchange(world, &case.bytes());
    assert_eq!(statuses(&alone), expected(case), "{name} alone");
    let code = alone[0].header("x-gateway-error").map(str::to_owned);
    assert!(code.is_some(), "{name}: {:?}", alone[0]);
    assert_eq!(alone[0].header("connection"), Some("close"), "{name}");
    let before = exchange(world, &format!("{}{}", case.bytes(), good(&format!("/late/{name}"))));
    assert_eq!(statuses(&before), expected(case), "{name} before a good one");
    let behind = exchange(world, &format!("{}{}", good(&format!("/good/{name}")), case.bytes()));
    assert_eq!(statuses(&behind), [vec![200], expected(case)].concat(), "{name} behind a good one");
}

#[test]
fn no_smuggled_request_reaches_the_instance() {
    let world = World::start();
    CASES.iter().for_each(|case| refused(&world, case));
    let entries = world.entries();
    for case in &CASES {
        assert_eq!(entries.count(&format!("request GET /good/{}", case.name)), 1, "{}", case.name);
        // The head of a body that fails later may have been sent; the request never was complete.
        assert_eq!(entries.count(&format!("request POST /bad/{}", case.name)), 0, "{}", case.name);
        let heads = entries.count(&format!("head POST /bad/{}", case.name));
        assert!(case.status.is_none() || heads == 0, "{}", case.name);
    }
    for nobody in ["head GET /smuggled", "head GET /bad", "head GET /late", "garbage"] {
        let found: Vec<&str> = entries.iter().filter(|entry| entry.starts_with(nobody)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// The control: the recorder would have told.
#[test]
fn a_request_that_is_not_smuggled_reaches_the_instance() {
    let world = World::start();
    let two = format!("{}{}", good("/good"), SMUGGLED.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    assert_eq!(statuses(&exchange(&world, &two)), [200, 200]);
    until("both are written down", Duration::from_secs(20), || {
        (world.entries().count("request GET /smuggled") == 1).then_some(())
    });
}

/// What looks like a request within a body is a body.
#[test]
fn a_request_within_a_good_body_stays_a_body() {
    let world = World::start();
    let length = SMUGGLED.len();
    let sized =
        format!("POST /sized HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
    let chunked = format!(
        "POST /chunked HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         {length:x};a=b\r\n{SMUGGLED}\r\n0\r\nX-Sum: 1\r\n\r\n"
    );
    assert_eq!(statuses(&exchange(&world, &format!("{sized}{chunked}"))), [200, 200]);
    let entries = world.entries();
    assert_eq!((entries.count("head GET /smuggled"), entries.count("request POST /sized")), (0, 1));
    assert_eq!(entries.count("request POST /chunked"), 1);
}

/// Many good requests in one go are as many answers.
#[test]
fn pipelined_requests_are_all_answered_in_order() {
    let world = World::start();
    let mut client = world.client();
    let mut sender = client.stream.try_clone().unwrap();
    let count = 2000;
    let requests: String = (0..count).map(|number| good(&format!("/pipelined/{number}"))).collect();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut sender, requests.as_bytes()));
    for number in 0..count {
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with(&format!("GET /pipelined/{number} ")), "{number}");
    }
    writer.join().unwrap().unwrap();
    assert_eq!(world.entries().count("request GET /pipelined/"), count);
}
