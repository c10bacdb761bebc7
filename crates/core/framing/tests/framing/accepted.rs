//! What is understood: strict is not the same as narrow.

use adsum_framing::Limits;

use crate::try_out::{GOOD, Place, taken, whole};

#[test]
fn requests_of_every_common_kind() {
    taken("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    taken("GET / HTTP/1.0\r\n\r\n", 1);
    taken("get /lower HTTP/1.1\r\nhost: a\r\n\r\n", 1);
    taken("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    taken("DELETE /a/b;c=d?e=f&g=[h]|{i}^`'\\ HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    taken("GET http://a.example/path HTTP/1.1\r\nHost: A.EXAMPLE\r\n\r\n", 1);
    taken("GET https://a.example:8443?q HTTP/1.1\r\nHost: a.example\r\n\r\n", 1);
    taken("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1);
    taken("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc", 1);
    taken("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:3\r\n\r\nabc", 1);
    taken("GET / HTTP/1.1\r\nHost:\t a \t\r\nEmpty:\r\nBlank: \t \r\nText: \"ä\"\t\r\n\r\n", 1);
}

#[test]
fn hosts_of_every_common_kind() {
    for host in ["a", "a.example", "A_b-c.example.", "127.0.0.1:8080", "[::1]", "[fe80::1]:65535", "a:1"] {
        taken(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 1);
    }
}

#[test]
fn chunked_bodies_of_every_common_kind() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:\tChunked \r\n\r\n";
    let bodies = [
        "0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
        "a\r\n\r\n\r\n\r\n\r\n\r\n\r\nA\r\n0123456789\r\n000\r\n\r\n",
        "3;name\r\nabc\r\n3 ; name=\"value \" ;b\r\nabc\r\n0;last\r\n\r\n",
        "3\r\nabc\r\n0\r\nX-Sum: 1\r\nGrpc-Status:0\r\n\r\n",
    ];
    bodies.iter().for_each(|body| taken(&format!("{chunked}{body}"), 1));
}

#[test]
fn one_empty_line_before_a_request() {
    taken("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    let outcome = whole(&[GOOD, b"\r\n"].concat());
    assert_eq!((outcome.requests, outcome.place, outcome.rejection), (1, Place::Idle, None));
}

#[test]
fn ten_thousand_pipelined_requests() {
    let outcome = whole(&GOOD.repeat(10_000));
    assert_eq!((outcome.requests, outcome.released.len()), (10_000, 10_000 * GOOD.len()));
}

#[test]
fn a_body_of_any_length_is_not_held() {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", i64::MAX);
    let outcome = crate::try_out::run(Limits::default(), [head.as_bytes(), &[b'x'; 100_000]]);
    assert_eq!((outcome.released.len(), outcome.place), (head.len() + 100_000, Place::Body));
}
