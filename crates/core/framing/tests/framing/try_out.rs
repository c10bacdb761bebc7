//! Runs bytes through a guard as a connection would.

use adsum_framing::{Guard, Limits, Next, Offence, Place, Rejection};

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) released: Vec<u8>,
    pub(crate) requests: u64,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) place: Place,
}

/// Gives the pieces to a guard one after the other, holding what it holds.
pub(crate) fn run<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut guard, mut held, mut released) = (Guard::new(limits), Vec::new(), Vec::new());
    let mut rejection = None;
    for piece in pieces {
        held.extend_from_slice(piece);
        let verdict = guard.inspect(&held);
        released.extend(held.drain(..verdict.released));
        match verdict.next {
            Next::More => assert!(held.is_empty(), "bytes are held, and it was not said"),
            Next::Held(place) => assert!(!held.is_empty() && place == guard.place()),
            Next::Waiting => assert_eq!(guard.place(), Place::Upgrade),
            Next::Refused(offence) => rejection = Some(offence),
        }
    }
    Outcome { released, requests: guard.requests(), rejection, place: guard.place() }
}

pub(crate) fn whole(bytes: &[u8]) -> Outcome {
    run(Limits::default(), [bytes])
}

/// A request that nobody has anything against.
pub(crate) const GOOD: &[u8] =
    b"POST /good?a=b HTTP/1.1\r\nHost: a.example:8080\r\nContent-Length: 3\r\n\r\nabc";

/// The same, however the bytes are cut.
#[track_caller]
pub(crate) fn whole_or_cut(limits: Limits, bytes: &[u8]) -> Outcome {
    let outcome = run(limits, [bytes]);
    for cut in 0..=bytes.len() {
        let (one, two) = bytes.split_at(cut);
        assert_eq!(run(limits, [one, two]), outcome, "cut at {cut}");
    }
    assert_eq!(run(limits, bytes.chunks(1)), outcome, "byte by byte");
    outcome
}

/// A head that is refused: none of it reaches the parser, and what stands before it does.
#[track_caller]
pub(crate) fn refused(head: &str, offence: Offence) {
    refused_bytes(head.as_bytes(), offence);
}

#[track_caller]
pub(crate) fn refused_bytes(head: &[u8], offence: Offence) {
    let expected = |released: &[u8], requests| Outcome {
        released: released.to_vec(),
        requests,
        rejection: Some(Rejection { offence, place: Place::Head }),
        place: Place::Head,
    };
    assert_eq!(whole_or_cut(Limits::default(), head), expected(b"", 0), "alone");
    assert_eq!(
        whole_or_cut(Limits::default(), &[head, GOOD].concat()),
        expected(b"", 0),
        "before a good one"
    );
    assert_eq!(
        whole_or_cut(Limits::default(), &[GOOD, head].concat()),
        expected(GOOD, 1),
        "behind a good one"
    );
}

/// A body that is refused at `bad`, after `good` was released.
#[track_caller]
pub(crate) fn refused_body(good: &str, bad: &str, offence: Offence) {
    let expected = |released: Vec<u8>, requests| Outcome {
        released,
        requests,
        rejection: Some(Rejection { offence, place: Place::Body }),
        place: Place::Body,
    };
    let (good, body) = (good.as_bytes(), [good, bad].concat().into_bytes());
    assert_eq!(whole_or_cut(Limits::default(), &body), expected(good.to_vec(), 1), "alone");
    let behind = [GOOD, body.as_slice()].concat();
    assert_eq!(
        whole_or_cut(Limits::default(), &behind),
        expected([GOOD, good].concat(), 2),
        "behind a good one"
    );
    let before = [body.as_slice(), GOOD].concat();
    assert_eq!(whole_or_cut(Limits::default(), &before), expected(good.to_vec(), 1), "before a good one");
}

/// Requests that are let through, all of them.
#[track_caller]
pub(crate) fn taken(bytes: &str, requests: u64) {
    let outcome = whole_or_cut(Limits::default(), bytes.as_bytes());
    let released = bytes.as_bytes().to_vec();
    assert_eq!(outcome, Outcome { released, requests, rejection: None, place: Place::Idle });
    let twice = [bytes, bytes].concat();
    assert_eq!(whole(twice.as_bytes()).requests, 2 * requests);
}

/// Whether the parser behind the guard would have taken this head.
pub(crate) fn parser_takes(head: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).is_ok_and(|status| status.is_complete())
}

/// Refused here, and taken by the parser behind: the reason why there is a guard.
#[track_caller]
pub(crate) fn only_refused_here(head: &str, offence: Offence) {
    assert!(parser_takes(head.as_bytes()), "the parser refuses it by now");
    refused(head, offence);
}
