//! What is too much, at its exact bounds, and that no more than that is ever held.

use adsum_framing::{Limits, Offence, RequestReader};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName};

use crate::try_out::{Place, run, whole, whole_or_cut};

const LIMITS: Limits = Limits { head: 200, target: 50, fields: 5 };

/// The offence in these bytes, or none when they are one request.
#[track_caller]
fn offence(bytes: &str) -> Option<Offence> {
    let outcome = whole_or_cut(LIMITS, bytes.as_bytes());
    assert_eq!(outcome.requests, u64::from(outcome.rejection.is_none()));
    outcome.rejection.map(|rejection| rejection.offence)
}

#[test]
fn a_target_that_is_too_long() {
    let get = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length - 1));
    assert_eq!(offence(&get(50)), None);
    assert_eq!(offence(&get(51)), Some(Offence::TargetTooLong));
    assert_eq!(offence(&get(5000)), Some(Offence::TargetTooLong));
    assert_eq!(whole(&[b'A'; 9000]).rejection.unwrap().status(), 414);
}

#[test]
fn what_is_too_much_in_a_head_of_http_2() {
    let check = |length: usize, fields: &[(&str, &str)], expect| {
        let uri = format!("http://a/{}", "a".repeat(length - 1)).parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        assert_eq!(LIMITS.excess(&uri, &headers), expect, "{length} {fields:?}");
    };
    check(50, &[], None);
    check(51, &[], Some(Offence::TargetTooLong));
    check(1, &[("x", "1"); 5], None);
    check(1, &[("x", "1"); 6], Some(Offence::TooManyFields));
    check(1, &[("cookie", "a=1"); 20], None);
    check(1, &[("expect", "100-Continue")], None);
    check(1, &[("expect", "a-miracle")], Some(Offence::UnknownExpectation));
}

#[test]
fn a_head_that_is_too_large() {
    let get = |length| {
        let around = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(length - around))
    };
    assert_eq!(offence(&get(200)), None);
    assert_eq!(offence(&get(201)), Some(Offence::HeadTooLarge));
    assert_eq!(offence(&get(5000)), Some(Offence::HeadTooLarge));
    let bomb = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(1024 * 1024));
    assert_eq!(whole(bomb.as_bytes()).rejection.unwrap().status(), 431);
}

#[test]
fn too_many_fields() {
    let get = |fields: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(fields - 1));
    assert_eq!(offence(&get(5)), None);
    assert_eq!(offence(&get(6)), Some(Offence::TooManyFields));
    let bomb = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(10_000));
    assert_eq!(whole(bomb.as_bytes()).rejection.unwrap().status(), 431);
}

/// Nothing is held but what is not complete, and that has a bound.
#[test]
fn what_is_held_is_bounded_whatever_comes() {
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ];
    for beginning in beginnings {
        let mut bytes = beginning.to_vec();
        // What is understood no later than this is not held.
        let most = (1..=1100).find(|_| {
            bytes.push(b'a');
            run(LIMITS, [bytes.as_slice()]).rejection.is_some()
        });
        assert!(most.is_some(), "{} bytes are held", bytes.len());
    }
}

/// After a refusal nothing gets through, however good it is.
#[test]
fn a_refusal_is_the_end() {
    let (mut reader, mut bytes) = (RequestReader::new(LIMITS), BytesMut::from("\n"));
    let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let first = reader.read(&mut bytes).unwrap_err();
    assert_eq!(first, Offence::BareLineFeed);
    assert_eq!(reader.read(&mut BytesMut::from(&good[..])).unwrap_err(), first);
    assert_eq!(run(LIMITS, [&b"\n"[..], good]).rejection.unwrap().place, Place::Head);
    assert_eq!(run(LIMITS, [&b"\n"[..], good, good]).released, b"");
}
