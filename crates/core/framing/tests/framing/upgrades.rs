//! What comes after a request that asks for another protocol waits for the answer.

use adsum_framing::{Guard, Limits, Next, Place, Verdict};

use crate::try_out::GOOD;

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const CONNECT: &[u8] = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

fn asked(bytes: &[u8]) -> Guard {
    let mut guard = Guard::new(Limits::default());
    assert_eq!(guard.inspect(bytes), Verdict { released: bytes.len(), next: Next::Waiting });
    assert_eq!((guard.place(), guard.requests()), (Place::Upgrade, 1));
    guard
}

#[test]
fn bytes_after_an_upgrade_wait_for_the_answer() {
    for request in [UPGRADE, CONNECT] {
        let mut guard = Guard::new(Limits::default());
        let bytes = [request, b"\x81\x05hello"].concat();
        assert_eq!(guard.inspect(&bytes), Verdict { released: request.len(), next: Next::Waiting });
        assert_eq!(guard.inspect(b"\x81\x05hello"), Verdict { released: 0, next: Next::Waiting });
    }
}

#[test]
fn everything_passes_after_an_accepted_upgrade() {
    let mut guard = asked(UPGRADE);
    guard.upgraded();
    let frame = b"\x81\x05hello\n\n\r";
    assert_eq!(guard.inspect(frame), Verdict { released: frame.len(), next: Next::More });
    assert_eq!((guard.place(), guard.requests()), (Place::Tunnel, 1));
}

#[test]
fn a_declined_upgrade_is_followed_by_a_request_like_any_other() {
    let mut guard = asked(UPGRADE);
    guard.answered();
    assert_eq!(guard.place(), Place::Idle);
    assert_eq!(guard.inspect(GOOD), Verdict { released: GOOD.len(), next: Next::More });
    let refused = guard.inspect(b"\x81\x05hello");
    assert!(matches!(refused.next, Next::Refused(_)));
    assert_eq!((refused.released, guard.requests()), (0, 2));
}

#[test]
fn what_comes_behind_an_upgrade_that_does_not_go_on_is_the_next_request() {
    let mut guard = asked(UPGRADE);
    guard.declined();
    assert_eq!(guard.place(), Place::Idle);
    assert_eq!(guard.inspect(GOOD), Verdict { released: GOOD.len(), next: Next::More });
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(guard.inspect(head), Verdict { released: head.len(), next: Next::More });
    guard.declined();
    let rest = [b"body", GOOD].concat();
    assert_eq!(guard.inspect(&rest), Verdict { released: rest.len(), next: Next::More });
    assert_eq!(guard.requests(), 4);
}

/// The answer to an earlier request is none to the one that asked.
#[test]
fn an_upgrade_waits_for_its_own_answer() {
    let mut guard = Guard::new(Limits::default());
    let bytes = [GOOD, UPGRADE].concat();
    assert_eq!(guard.inspect(&bytes), Verdict { released: bytes.len(), next: Next::Waiting });
    guard.answered();
    assert_eq!(guard.inspect(GOOD), Verdict { released: 0, next: Next::Waiting });
    guard.answered();
    assert_eq!(guard.inspect(GOOD), Verdict { released: GOOD.len(), next: Next::More });
}

/// The body of a request that asks for an upgrade is its own; what comes after it waits.
#[test]
fn the_body_of_an_upgrade_comes_before_the_other_protocol() {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc";
    let mut guard = Guard::new(Limits::default());
    let bytes = [request.as_slice(), b"GET"].concat();
    assert_eq!(guard.inspect(&bytes), Verdict { released: request.len(), next: Next::Waiting });
}

#[test]
fn an_answer_while_the_body_still_comes_declines_the_upgrade() {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc";
    let mut guard = Guard::new(Limits::default());
    assert_eq!(guard.inspect(&request[..request.len() - 1]).next, Next::More);
    guard.answered();
    assert_eq!(guard.inspect(b"c"), Verdict { released: 1, next: Next::More });
    assert_eq!(guard.place(), Place::Idle);
}

#[test]
fn http_1_0_cannot_be_upgraded() {
    let request = b"GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n";
    let mut guard = Guard::new(Limits::default());
    assert_eq!(guard.inspect(request), Verdict { released: request.len(), next: Next::More });
}

/// Many clients ask for it with their first request, and live without it.
#[test]
fn an_upgrade_to_h2c_is_not_refused() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n";
    let mut guard = asked(request);
    guard.answered();
    assert_eq!(guard.inspect(GOOD).next, Next::More);
}
