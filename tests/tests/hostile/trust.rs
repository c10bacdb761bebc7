//! What gateways were talked into elsewhere: each of these was a vulnerability of somebody's.

use std::time::Duration;

use adsum_tests::until;

use crate::world::World;

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
const SOON: Duration = Duration::from_secs(20);

/// Bytes behind a request for an upgrade were taken for the other protocol before anybody had agreed to it
/// (CVE-2026-2833).
#[test]
fn bytes_behind_a_declined_upgrade_are_a_request_like_any_other() {
    let world = World::start();
    let mut client = world.client();
    client.send(
        b"GET /declined HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n\
          GET /next HTTP/1.1\r\nHost: nobody.example\r\nConnection: close\r\n\r\n",
    );
    let statuses: Vec<u16> = client.answers().iter().map(|answer| answer.status).collect();
    // The second was routed by its own host, and not sent where the first one went.
    assert_eq!(statuses, [200, 404]);
    assert_eq!(world.entries().count("head GET /next"), 0);
}

#[test]
fn bytes_behind_an_accepted_upgrade_belong_to_the_other_protocol() {
    let world = World::start();
    let mut client = world.client();
    client.send(
        b"GET /accept HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n\
          \x81\x05hello\n\n",
    );
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("echo")));
    while client.received().len() < 9 {
        assert!(client.more());
    }
    assert_eq!(client.received(), b"\x81\x05hello\n\n");
}

/// The rest of a body that nobody wanted was read as the next request (CVE-2025-4366).
#[test]
fn the_body_of_a_request_that_the_gateway_answered_itself_is_no_request() {
    let world = World::start();
    let mut client = world.client();
    let refused =
        format!("POST / HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: {}\r\n\r\n", SMUGGLED.len());
    let next = "GET /next HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    client.send(format!("{refused}{SMUGGLED}{next}").as_bytes());
    let statuses: Vec<u16> = client.answers().iter().map(|answer| answer.status).collect();
    // Either the body is read away, or the connection ends.
    assert!(statuses == [404, 200] || statuses == [404], "{statuses:?}");
    assert_eq!(world.entries().count("head GET /smuggled"), 0);
}

/// An instance that answers before it has the body: the connection to it is not used for somebody else's request while
/// it still waits for the rest.
#[test]
fn a_body_that_was_not_sent_to_its_end_leaves_no_connection_behind() {
    let world = World::start();
    let mut client = world.client();
    client.send(b"POST /early HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nabc");
    assert_eq!(client.answer().status, 200);
    drop(client);
    for number in 0..20 {
        assert_eq!(world.get(&format!("/after/{number}")).status, 200);
    }
    let early = world.bytes().into_iter().find(|bytes| bytes.contains("POST /early")).unwrap();
    let after = early.split_once("POST /early").and_then(|(_, rest)| rest.split_once("\r\n\r\n")).unwrap().1;
    assert!("abc".starts_with(after), "{after:?}");
}

/// `Connection: X-Forwarded-For` made gateways drop the fields that they add themselves (CVE-2024-45410), in any case.
#[test]
fn no_connection_field_removes_what_the_gateway_says() {
    let world = World::start();
    let fields =
        ["X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "forwarded", "Via", "x-request-id"];
    for named in fields {
        let mut client = world.client();
        let request = format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close, {named}\r\n\r\n");
        client.send(request.as_bytes());
        let seen = client.answer().text().to_ascii_lowercase();
        for field in fields {
            assert!(seen.contains(&format!("\r\n{}: ", field.to_ascii_lowercase())), "{named}: {seen}");
        }
    }
}

/// Nor what a request needs to be one.
#[test]
fn no_connection_field_removes_host_or_length() {
    let world = World::start();
    for named in ["Host", "content-length", "Content-Type", "x-served-by, host,Content-Length"] {
        let mut client = world.client();
        let fields = format!("Connection: close, {named}\r\nContent-Length: 43");
        client.send(
            format!("POST /named HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n\r\n{SMUGGLED}").as_bytes(),
        );
        let seen = client.answer();
        assert_eq!(seen.status, 200, "{named}");
        assert!(
            seen.text().to_ascii_lowercase().contains("\r\nhost: a.example\r\n"),
            "{named}: {}",
            seen.text()
        );
    }
    assert_eq!(world.entries().count("request POST /named"), 4);
    assert_eq!(world.entries().count("head GET /smuggled"), 0);
}

/// What a client that nobody trusts says about where it comes from is not passed on, however it is spelt.
#[test]
fn forged_origins_are_dropped() {
    let world = World::start();
    let forged = [
        "X-Forwarded-For: 6.6.6.6",
        "x-forwarded-for: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Forwarded-Host: 6.6.6.6",
        "X-Forwarded_Proto: 6.6.6.6",
        "X-Forwarded-Port: 6.6.6.6",
    ];
    for field in forged {
        let mut client = world.client();
        client.send(
            format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{field}\r\n\r\n").as_bytes(),
        );
        let seen = client.answer().text();
        assert!(!seen.contains("6.6.6.6"), "{field}: {seen}");
    }
}

/// What was matched is what is forwarded, and no spelling of a path gets around it.
#[test]
fn a_path_is_forwarded_as_it_was_matched() {
    let world = World::start();
    for path in
        ["/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a%3bb", "/a%3fb", "/a%23b", "/a%zz", "/a%2"]
    {
        let mut client = world.client();
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").as_bytes());
        assert_eq!(client.answer().status, 400, "{path}");
    }
    for (asked, seen) in [
        ("/%2e%2e/admin", "/admin"),
        ("/public/%2E%2e/admin", "/admin"),
        ("/public/../admin", "/admin"),
        ("/./%61dmin", "/admin"),
        ("//admin", "//admin"),
        ("/admin?a=%2f..", "/admin?a=%2f.."),
    ] {
        let mut client = world.client();
        client
            .send(format!("GET {asked} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").as_bytes());
        let text = client.answer().text();
        assert!(text.starts_with(&format!("GET {seen} HTTP/1.1\r\n")), "{asked}: {text}");
    }
}

/// HTTP/1.0 has no chunks and no upgrades; what it asks for is forwarded as HTTP/1.1.
#[test]
fn http_1_0_is_served_and_closed() {
    let world = World::start();
    let mut client = world.client();
    client
        .send(b"GET /old HTTP/1.0\r\nHost: a.example\r\nUpgrade: echo\r\n\r\nGET /smuggled HTTP/1.0\r\n\r\n");
    let answers = client.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].status, 200);
    until("it is written down", SOON, || (world.entries().count("request GET /old") == 1).then_some(()));
    assert_eq!(world.entries().count("head GET /smuggled"), 0);
}

/// A URL as the target is what counts, and what the instance sees is a path.
#[test]
fn a_url_as_the_target_is_forwarded_as_a_path() {
    let world = World::start();
    let mut client = world.client();
    client.send(b"GET http://a.example/url?q=1 HTTP/1.1\r\nHost: A.example\r\nConnection: close\r\n\r\n");
    let text = client.answer().text().to_ascii_lowercase();
    assert!(
        text.starts_with("get /url?q=1 http/1.1\r\n") && text.contains("\r\nhost: a.example\r\n"),
        "{text}"
    );
}

/// What an instance says without having been asked is nobody's answer.
#[test]
fn no_answer_goes_astray() {
    let world = World::start();
    for (method, path) in
        [("GET", "/twice"), ("HEAD", "/twice"), ("GET", "/no-content"), ("HEAD", "/no-content")]
    {
        let mut client = world.client();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        client.send(request.as_bytes());
        while client.more() {}
        assert!(client.received().starts_with(b"HTTP/1.1 20"), "{method} {path}");
        for number in 0..20 {
            let answer = world.get(&format!("/after/{number}"));
            let text = answer.text();
            assert!(text.starts_with(&format!("GET /after/{number} ")), "{method} {path}: {answer:?}");
        }
    }
}

/// Many clients ask for HTTP/2 with each request, and live without it.
#[test]
fn requests_that_ask_for_h2c_are_answered_one_after_the_other() {
    let world = World::start();
    let mut client = world.client();
    for number in 0..3 {
        let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
        client.send(format!("GET /h2c/{number} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n\r\n").as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with(&format!("GET /h2c/{number} ")), "{}", answer.text());
    }
}

/// A client that goes in the middle of its body: the gateway does not end the body for it.
#[test]
fn a_body_that_breaks_off_never_becomes_whole() {
    let world = World::start();
    let bodies = [
        ("content-length: 100", "Content-Length: 100\r\n\r\nabc"),
        ("transfer-encoding: chunked", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ];
    for (kind, body) in bodies {
        let mut client = world.client();
        client.send(format!("POST /broken HTTP/1.1\r\nHost: a.example\r\n{body}").as_bytes());
        until("the instance has the body so far", SOON, || {
            world
                .bytes()
                .iter()
                .any(|bytes| bytes.to_ascii_lowercase().contains(kind) && bytes.contains("abc"))
                .then_some(())
        });
        drop(client);
    }
    // Later requests are there; whatever was to become of the broken ones has become of them.
    (0..20).for_each(|number| assert_eq!(world.get(&format!("/after/{number}")).status, 200));
    let entries = world.entries();
    assert_eq!((entries.count("head POST /broken"), entries.count("request POST /broken")), (2, 0));
    assert!(world.bytes().iter().all(|bytes| !bytes.contains("\r\n0\r\n")));
}
