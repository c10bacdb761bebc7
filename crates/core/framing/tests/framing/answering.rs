//! What is said to a client: the head of an answer, and how the end of its body is told.

use adsum_framing::{Answering, Extent, Outgoing, WrongLength};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

/// An answer like most, to HTTP/1.1.
fn usual(headers: &HeaderMap) -> Answering<'_> {
    Answering {
        is_http_11: true,
        to_head: false,
        takes_trailers: true,
        status: StatusCode::OK,
        reason: None,
        headers,
        further: &[],
        date: b"now",
        keeps: true,
    }
}

fn written(outgoing: &mut Outgoing) -> String {
    let mut all = Vec::new();
    while !outgoing.is_empty() {
        let next: Vec<u8> = outgoing.parts().concat();
        let taken = next.len().min(7);
        all.extend_from_slice(&next[..taken]);
        outgoing.advance(taken);
    }
    String::from_utf8(all).unwrap()
}

#[track_caller]
fn check(answering: &Answering<'_>, extent: Extent, expected: &str) {
    let mut outgoing = Outgoing::default();
    let keeps = outgoing.answer(answering, extent);
    assert_eq!(written(&mut outgoing), expected);
    let says_close = expected.contains("connection: close");
    assert!(keeps != says_close || answering.status == StatusCode::SWITCHING_PROTOCOLS);
}

#[test]
fn the_length_of_an_answer_is_what_is_known_of_its_body() {
    let fields = headers(&[("x", "1"), ("content-length", "5"), ("transfer-encoding", "gzip"), ("x", "2")]);
    for (extent, said) in [
        (Extent::Nothing, "content-length: 0"),
        (Extent::Length(0), "content-length: 0"),
        (Extent::Length(3), "content-length: 3"),
        (Extent::Chunked, "transfer-encoding: chunked"),
    ] {
        let expected = format!("HTTP/1.1 200 OK\r\nx: 1\r\nx: 2\r\ndate: now\r\n{said}\r\n\r\n");
        check(&usual(&fields), extent, &expected);
    }
}

#[test]
fn words_and_date_of_an_instance_go_on() {
    let fields = headers(&[("date", "then")]);
    let answering = Answering { status: StatusCode::NOT_FOUND, reason: Some(b"Not here"), ..usual(&fields) };
    let expected = "HTTP/1.1 404 Not here\r\ndate: then\r\ncontent-length: 0\r\n\r\n";
    check(&answering, Extent::Nothing, expected);
}

#[test]
fn what_becomes_of_the_connection_is_said_here() {
    let fields = headers(&[("connection", "x-private")]);
    let closing = Answering { keeps: false, ..usual(&fields) };
    let end = "date: now\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    check(&closing, Extent::Nothing, &format!("HTTP/1.1 200 OK\r\n{end}"));
    check(&Answering { is_http_11: false, ..closing }, Extent::Nothing, &format!("HTTP/1.0 200 OK\r\n{end}"));
    let old = Answering { is_http_11: false, ..usual(&fields) };
    let kept = "HTTP/1.0 200 OK\r\ndate: now\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\n";
    check(&old, Extent::Length(3), kept);
}

#[test]
fn a_client_that_knows_no_chunks_is_told_the_end_by_the_end() {
    let fields = headers(&[("trailer", "x-sum")]);
    let old = Answering { is_http_11: false, ..usual(&fields) };
    let mut outgoing = Outgoing::default();
    assert!(!outgoing.answer(&old, Extent::Chunked));
    outgoing.put(Bytes::from_static(b"abc"), false).unwrap();
    let head = "HTTP/1.0 200 OK\r\ndate: now\r\nconnection: close\r\n\r\n";
    assert_eq!(written(&mut outgoing), format!("{head}abc"));
    assert!(!outgoing.is_over() && outgoing.wants_piece());
    outgoing.end_with(&headers(&[("x-sum", "6")])).unwrap();
    assert!(outgoing.is_over());
    outgoing.answer(&old, Extent::Chunked);
    outgoing.put(Bytes::from_static(b"abc"), true).unwrap();
    assert_eq!(written(&mut outgoing), format!("{head}abc"));
    assert!(outgoing.is_over());
}

#[test]
fn no_body_is_written_behind_what_has_none() {
    let fields = headers(&[("content-length", "5"), ("trailer", "x-sum")]);
    for (status, to_head, extent, said) in [
        (200, true, Extent::Nothing, "content-length: 5\r\n"),
        (200, true, Extent::Length(3), "content-length: 3\r\n"),
        (200, true, Extent::Chunked, ""),
        (204, false, Extent::Length(3), ""),
        (204, false, Extent::Chunked, ""),
        (304, false, Extent::Nothing, ""),
        (304, true, Extent::Nothing, ""),
        (304, false, Extent::Chunked, ""),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let mut outgoing = Outgoing::default();
        assert!(outgoing.answer(&Answering { status, to_head, ..usual(&fields) }, extent));
        assert!(!outgoing.wants_piece());
        assert_eq!(outgoing.put(Bytes::from_static(b"abc"), true), Err(WrongLength));
        let all = written(&mut outgoing);
        assert_eq!(all, format!("HTTP/1.1 {status}\r\ndate: now\r\n{said}\r\n"));
        assert!(outgoing.is_over());
    }
}

#[test]
fn an_upgrade_is_told_as_its_instance_has_told_it() {
    let fields = headers(&[("connection", "upgrade"), ("upgrade", "websocket")]);
    let answering = Answering { status: StatusCode::SWITCHING_PROTOCOLS, keeps: false, ..usual(&fields) };
    let expected =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\ndate: now\r\n\r\n";
    check(&answering, Extent::Nothing, expected);
}

#[test]
fn trailers_go_to_a_client_that_wants_them() {
    let fields = headers(&[("trailer", "x-sum")]);
    for (takes_trailers, behind) in [(true, "0\r\nx-sum: 6\r\n\r\n"), (false, "0\r\n\r\n")] {
        let mut outgoing = Outgoing::default();
        outgoing.answer(&Answering { takes_trailers, ..usual(&fields) }, Extent::Chunked);
        outgoing.end_with(&headers(&[("x-sum", "6"), ("x-other", "7")])).unwrap();
        let head = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(written(&mut outgoing), format!("{head}{behind}"));
    }
}

#[test]
fn what_is_said_meanwhile_comes_before_the_answer() {
    let (mut outgoing, fields) = (Outgoing::default(), HeaderMap::new());
    outgoing.say(b"HTTP/1.1 100 Continue\r\n\r\n");
    outgoing.advance(3);
    outgoing.answer(&usual(&fields), Extent::Nothing);
    let answer = "P/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(written(&mut outgoing), answer);
}
