//! What comes after a request that asks for another protocol is not looked at before the answer.

use adsum_framing::{Limits, Offence, RequestHead, RequestReader};
use bytes::BytesMut;

use crate::try_out::GOOD;

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const CONNECT: &[u8] = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

/// Reads the first request. What comes behind it is left.
fn asked(bytes: &[u8]) -> (RequestReader, RequestHead, BytesMut) {
    let (mut reader, mut bytes) = (RequestReader::new(Limits::default()), BytesMut::from(bytes));
    let head = reader.read(&mut bytes).unwrap().unwrap();
    (reader, head, bytes)
}

#[test]
fn bytes_after_an_upgrade_wait_for_the_answer() {
    for request in [UPGRADE, CONNECT] {
        let (_, head, rest) = asked(&[request, b"\x81\x05hello\n\r"].concat());
        assert!(head.offers_upgrade && head.content.is_over());
        assert_eq!(&rest[..], b"\x81\x05hello\n\r");
    }
}

#[test]
fn a_declined_upgrade_is_followed_by_a_request_like_any_other() {
    let (mut reader, _, mut rest) = asked(&[UPGRADE, GOOD].concat());
    assert_eq!(reader.read(&mut rest).unwrap().unwrap().method, "POST");
    let (mut reader, _, mut rest) = asked(&[UPGRADE, b"\x81\x05hello"].concat());
    assert_eq!(reader.read(&mut rest).unwrap_err(), Offence::NotHttp);
}

/// The body of a request that asks for an upgrade is its own; what comes after it waits.
#[test]
fn the_body_of_an_upgrade_comes_before_the_other_protocol() {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n";
    let (_, mut head, mut rest) = asked(&[request.as_slice(), b"abcGET"].concat());
    assert!(head.offers_upgrade && !head.content.is_over());
    head.content.next(&mut rest).unwrap();
    assert!(head.content.is_over());
    assert_eq!(&rest[..], b"GET");
}

#[test]
fn http_1_0_cannot_be_upgraded() {
    let (_, head, _) = asked(b"GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n");
    assert!(!head.offers_upgrade);
}

/// Many clients ask for it with their first request, and live without it.
#[test]
fn an_upgrade_to_h2c_is_not_refused() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n";
    let (mut reader, _, mut rest) = asked(&[request, GOOD].concat());
    assert_eq!(reader.read(&mut rest).unwrap().unwrap().method, "POST");
}

#[test]
fn a_head_tells_what_its_client_wants() {
    let wishes = |fields: &str| {
        let version = if fields.contains("1.0") { "1.0" } else { "1.1" };
        let (_, head, _) = asked(format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        (head.keeps, head.expects_continue, head.takes_trailers)
    };
    assert_eq!(wishes(""), (true, false, false));
    assert_eq!(wishes("Connection: te, Close\r\n"), (false, false, false));
    assert_eq!(wishes("X: 1.0\r\n"), (false, false, false));
    assert_eq!(wishes("X: 1.0\r\nConnection: Keep-Alive\r\n"), (true, false, false));
    assert_eq!(wishes("Expect: 100-Continue\r\n"), (true, false, false), "there is no body");
    assert_eq!(wishes("Expect: 100-Continue\r\nContent-Length: 3\r\n"), (true, true, false));
    assert_eq!(wishes("X: 1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"), (false, false, false));
    assert_eq!(wishes("TE: gzip, Trailers\r\n"), (true, false, true));
}
