//! Gives bytes to a reader as a connection would.

use adsum_framing::{Content, Flaw, Limits, Offence, Piece, RequestHead, RequestReader};
use bytes::BytesMut;

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Those that were understood.
    pub(crate) released: Vec<u8>,
    pub(crate) requests: u64,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) place: Place,
    /// What the requests said.
    pub(crate) heard: Vec<Heard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) offence: Offence,
    /// Whether it is in a head, or in the body behind one.
    pub(crate) place: Place,
}

/// Where in the stream of requests a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between two requests.
    Idle,
    Head,
    Body,
}

/// What one request said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: usize,
    /// Keeps, expects, takes trailers, offers an upgrade.
    pub(crate) wishes: [bool; 4],
}

/// Reads as much as there is.
struct Listener {
    reader: RequestReader,
    held: BytesMut,
    content: Content,
    heard: Vec<Heard>,
}

/// Gives the pieces to a reader one after the other.
pub(crate) fn run<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (reader, held) = (RequestReader::new(limits), BytesMut::new());
    let mut listener = Listener { reader, held, content: Content::default(), heard: Vec::new() };
    let (mut all, mut rejection) = (Vec::new(), None);
    for piece in pieces {
        all.extend_from_slice(piece);
        if rejection.is_none() {
            listener.held.extend_from_slice(piece);
            rejection = listener.listen().err();
        } else {
            // What comes behind is never looked at.
            assert_eq!(listener.listen().err(), rejection);
            listener.held.extend_from_slice(piece);
        }
    }
    all.truncate(all.len() - listener.held.len());
    let place = match rejection {
        Some(rejection) => rejection.place,
        None if !listener.content.is_over() => Place::Body,
        None if listener.held.is_empty() => Place::Idle,
        None => Place::Head,
    };
    let requests = listener.heard.len() as u64;
    Outcome { released: all, requests, rejection, place, heard: listener.heard }
}

impl Listener {
    fn listen(&mut self) -> Result<(), Rejection> {
        let rejection = |place| move |offence| Rejection { offence, place };
        loop {
            self.take_body().map_err(rejection(Place::Body))?;
            if !self.content.is_over() {
                return Ok(());
            }
            let read = self.reader.read(&mut self.held).map_err(rejection(Place::Head))?;
            let Some(head) = read else { return Ok(()) };
            self.heard.push(Heard::of(&head));
            self.content = head.content;
            self.reader.recycle(head.headers);
        }
    }

    fn take_body(&mut self) -> Result<(), Offence> {
        loop {
            let next = self.content.next(&mut self.held).map_err(|flaw| match flaw {
                Flaw::Framing(offence) => offence,
                Flaw::StatusLine | Flaw::Early => panic!("{flaw}"),
            });
            match (next?, self.heard.last_mut()) {
                (Piece::Data(data), Some(heard)) => heard.body.extend_from_slice(&data),
                (Piece::Trailers(trailers), Some(heard)) => heard.trailers = trailers.len(),
                (Piece::Nothing | Piece::End, _) => return Ok(()),
                (_, None) => panic!("a body before the first head"),
            }
        }
    }
}

impl Heard {
    fn of(head: &RequestHead) -> Heard {
        let fields = head.headers.iter();
        Heard {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            fields: fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            body: Vec::new(),
            trailers: 0,
            wishes: [head.keeps, head.expects_continue, head.takes_trailers, head.offers_upgrade],
        }
    }
}

impl Rejection {
    pub(crate) fn status(&self) -> u16 {
        self.offence.status()
    }
}

impl Outcome {
    /// All but what the requests said.
    fn summary(&self) -> (&[u8], u64, Option<Rejection>, Place) {
        (&self.released, self.requests, self.rejection, self.place)
    }
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

/// A head that is refused: none of it is understood, and what stands before it is.
#[track_caller]
pub(crate) fn refused(head: &str, offence: Offence) {
    refused_bytes(head.as_bytes(), offence);
}

#[track_caller]
pub(crate) fn refused_bytes(head: &[u8], offence: Offence) {
    let check = |bytes: &[u8], released: &[u8], requests, case| {
        let rejection = Rejection { offence, place: Place::Head };
        let outcome = whole_or_cut(Limits::default(), bytes);
        assert_eq!(outcome.summary(), (released, requests, Some(rejection), Place::Head), "{case}");
    };
    check(head, b"", 0, "alone");
    check(&[head, GOOD].concat(), b"", 0, "before a good one");
    check(&[GOOD, head].concat(), GOOD, 1, "behind a good one");
}

/// A body that is refused at `bad`, after `good` was understood.
#[track_caller]
pub(crate) fn refused_body(good: &str, bad: &str, offence: Offence) {
    let check = |bytes: &[u8], released: &[u8], requests, case| {
        let rejection = Rejection { offence, place: Place::Body };
        let outcome = whole_or_cut(Limits::default(), bytes);
        assert_eq!(outcome.summary(), (released, requests, Some(rejection), Place::Body), "{case}");
    };
    let (good, body) = (good.as_bytes(), [good, bad].concat().into_bytes());
    check(&body, good, 1, "alone");
    check(&[GOOD, &body].concat(), &[GOOD, good].concat(), 2, "behind a good one");
    check(&[&body, GOOD].concat(), good, 1, "before a good one");
}

/// Requests that are understood, all of them.
#[track_caller]
pub(crate) fn taken(bytes: &str, requests: u64) {
    let outcome = whole_or_cut(Limits::default(), bytes.as_bytes());
    assert_eq!(outcome.summary(), (bytes.as_bytes(), requests, None, Place::Idle));
    let twice = [bytes, bytes].concat();
    assert_eq!(whole(twice.as_bytes()).requests, 2 * requests);
}

/// Whether a parser that many use would have taken this head.
pub(crate) fn parser_takes(head: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).is_ok_and(|status| status.is_complete())
}

/// Refused here, and taken by another parser: where two could be played against each other.
#[track_caller]
pub(crate) fn only_refused_here(head: &str, offence: Offence) {
    assert!(parser_takes(head.as_bytes()), "the parser refuses it by now");
    refused(head, offence);
}
