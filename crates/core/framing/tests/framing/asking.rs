//! What is sent to an instance: one request, whatever is put in, and never one that looks whole when it is not.

use adsum_framing::{Asking, Extent, Outgoing, WrongLength};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::try_out::{GOOD, whole};

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn begun(fields: &[(&'static str, &'static str)], extent: Extent) -> Outgoing {
    let (mut outgoing, headers) = (Outgoing::default(), headers(fields));
    let uri = Uri::from_static("http://ignored/a/b?c=d");
    outgoing
        .begin(&Asking { method: &Method::POST, uri: &uri, headers: &headers, further: [&[], &[]] }, extent);
    outgoing
}

/// Writes what there is, so many bytes at a time.
fn written(outgoing: &mut Outgoing, at_once: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while !outgoing.is_empty() {
        let next: Vec<u8> = outgoing.parts().concat();
        let taken = next.len().min(at_once);
        all.extend_from_slice(&next[..taken]);
        outgoing.advance(taken);
    }
    all
}

#[track_caller]
fn check(outgoing: &mut Outgoing, expected: &str) {
    assert_eq!(String::from_utf8(written(outgoing, 7)).unwrap(), expected);
}

#[test]
fn a_head_is_written_in_the_order_of_its_fields() {
    let mut outgoing = begun(&[("host", "a"), ("x-b", "1"), ("x-a", ""), ("x-b", "2")], Extent::Nothing);
    check(&mut outgoing, "POST /a/b?c=d HTTP/1.1\r\nhost: a\r\nx-b: 1\r\nx-b: 2\r\nx-a: \r\n\r\n");
    assert!(outgoing.is_over());
}

#[test]
fn further_fields_come_behind_the_headers_and_say_nothing_of_the_length() {
    let field = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let (way, names) = ([field("via", "1.1 a"), field("content-length", "5")], [field("x-request-id", "b")]);
    let (uri, headers) = (Uri::from_static("/"), headers(&[("host", "a")]));
    let mut outgoing = Outgoing::default();
    let asking = Asking { method: &Method::GET, uri: &uri, headers: &headers, further: [&way, &names] };
    outgoing.begin(&asking, Extent::Nothing);
    check(&mut outgoing, "GET / HTTP/1.1\r\nhost: a\r\nvia: 1.1 a\r\nx-request-id: b\r\n\r\n");
}

#[test]
fn the_length_is_what_is_known_of_the_body_whatever_the_fields_say() {
    let fields = [("host", "a"), ("content-length", "5"), ("transfer-encoding", "gzip")];
    for (extent, said) in [
        (Extent::Nothing, "content-length: 0"),
        (Extent::Length(0), "content-length: 0"),
        (Extent::Length(3), "content-length: 3"),
        (Extent::Chunked, "transfer-encoding: chunked"),
    ] {
        check(&mut begun(&fields, extent), &format!("POST /a/b?c=d HTTP/1.1\r\nhost: a\r\n{said}\r\n\r\n"));
    }
    check(&mut begun(&[("host", "a")], Extent::Nothing), "POST /a/b?c=d HTTP/1.1\r\nhost: a\r\n\r\n");
}

#[test]
fn head_and_first_piece_are_there_together() {
    let mut outgoing = begun(&[("host", "a")], Extent::Length(3));
    assert!(outgoing.wants_piece());
    outgoing.put(Bytes::from_static(b"abc"), true).unwrap();
    assert!(!outgoing.wants_piece() && !outgoing.is_over());
    check(&mut outgoing, "POST /a/b?c=d HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert!(outgoing.is_over());
}

#[test]
fn what_is_put_in_and_not_written_is_bounded() {
    for piece in [10, 1000, 100_000] {
        let (mut outgoing, piece) =
            (begun(&[("host", "a")], Extent::Chunked), Bytes::from(vec![b'x'; piece]));
        let pieces = (0..1000).take_while(|_| {
            let wants = outgoing.wants_piece();
            if wants {
                outgoing.put(piece.clone(), false).unwrap();
            }
            wants
        });
        let pieces = pieces.count();
        assert!(outgoing.has_more() && pieces * piece.len() <= 5 * 1024 + piece.len(), "{pieces} pieces");
        let written = written(&mut outgoing, 1 << 20);
        assert_eq!(written.iter().filter(|byte| **byte == b'x').count(), pieces * piece.len());
    }
}

#[test]
fn a_body_longer_or_shorter_than_its_length_is_refused() {
    let mut outgoing = begun(&[], Extent::Length(3));
    assert_eq!(outgoing.put(Bytes::from_static(b"abcd"), true), Err(WrongLength));
    let mut outgoing = begun(&[], Extent::Length(3));
    assert_eq!(outgoing.put(Bytes::from_static(b"ab"), true), Err(WrongLength));
    let mut outgoing = begun(&[], Extent::Length(3));
    outgoing.put(Bytes::from_static(b"ab"), false).unwrap();
    assert_eq!(outgoing.end(), Err(WrongLength));
    let mut outgoing = begun(&[], Extent::Nothing);
    assert_eq!(outgoing.put(Bytes::from_static(b"a"), true), Err(WrongLength));
}

#[test]
fn chunks_end_with_an_empty_one_and_no_piece_is_one() {
    const HEAD: &str = "POST /a/b?c=d HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut outgoing = begun(&[("host", "a")], Extent::Chunked);
    outgoing.put(Bytes::new(), false).unwrap();
    outgoing.put(Bytes::from_static(b"0123456789"), false).unwrap();
    check(&mut outgoing, &format!("{HEAD}a\r\n0123456789\r\n"));
    assert!(!outgoing.is_over());
    outgoing.end().unwrap();
    check(&mut outgoing, "0\r\n\r\n");
    assert!(outgoing.is_over());
    let mut outgoing = begun(&[("host", "a")], Extent::Chunked);
    outgoing.put(Bytes::from_static(b"abc"), true).unwrap();
    check(&mut outgoing, &format!("{HEAD}3\r\nabc\r\n0\r\n\r\n"));
    assert!(outgoing.is_over());
}

#[test]
fn trailers_go_on_when_they_were_announced_and_may_come_there() {
    let fields = [("trailer", "X-Sum, host"), ("trailer", "x-other")];
    let mut outgoing = begun(&fields, Extent::Chunked);
    written(&mut outgoing, 100);
    let trailers = headers(&[("x-sum", "1"), ("host", "b"), ("x-forwarded-host", "c"), ("x-other", "2")]);
    outgoing.end_with(&trailers).unwrap();
    check(&mut outgoing, "0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n");
    assert!(outgoing.is_over());
}

#[test]
fn a_connection_says_one_request_after_the_other() {
    let (mut outgoing, fields) = (Outgoing::default(), headers(&[("host", "a")]));
    let uri = Uri::from_static("/");
    let asking = Asking { method: &Method::PUT, uri: &uri, headers: &fields, further: [&[], &[]] };
    let mut all = Vec::new();
    for (extent, pieces) in [(Extent::Chunked, 3), (Extent::Length(6), 2), (Extent::Nothing, 0)] {
        outgoing.begin(&asking, extent);
        (0..pieces).for_each(|piece| {
            outgoing.put(Bytes::from_static(b"abc"), piece + 1 == pieces).unwrap();
            all.extend(written(&mut outgoing, 11));
        });
        all.extend(written(&mut outgoing, 11));
        assert!(outgoing.is_over());
    }
    let seen = whole(&all);
    assert_eq!((seen.requests, seen.rejection), (3, None));
    assert_eq!(seen.released, all);
    assert_eq!(whole(&[&all, GOOD].concat()).requests, 4, "the next one begins where it should");
}
