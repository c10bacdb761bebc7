//! Any bytes, cut anywhere: one result; and what is understood is what other parsers read.

use adsum_framing::Limits;
use proptest::prelude::*;

use crate::try_out::{GOOD, Heard, Outcome, Place, run, whole};

/// Small enough that random bytes reach the limits.
const LIMITS: Limits = Limits { head: 120, target: 30, fields: 4 };

/// Pieces that requests are made of, good ones and bad ones.
const PIECES: [&str; 36] = [
    "GET / HTTP/1.1\r\n",
    "POST /a HTTP/1.1\r\n",
    "POST /a HTTP/1.0\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "Host: a\r\n",
    "Host: a\r\n\r\n",
    "Host: b\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 10\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Upgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    "\r\n",
    "\r",
    "\n",
    " ",
    ":",
    "abc",
    "3\r\nabc\r\n",
    "a;b=c\r\n0123456789\r\n",
    "0\r\n\r\n",
    "0\r\n",
    "X-Sum: 1\r\n\r\n",
    "+3\r\n",
    "0123456789",
    "\0",
    "GET",
    "HTTP/1.1",
    ";",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec());
    let random = prop::collection::vec(any::<u8>(), 0..4);
    let request = Just(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec());
    let piece = prop_oneof![12 => piece, 1 => random, 3 => Just(GOOD.to_vec()), 3 => request];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// The requests that the parser reads: of each the whole length. `heard` are the same ones, as they were understood.
fn parsed(mut bytes: &[u8], heard: &[Heard]) -> Vec<usize> {
    let mut lengths: Vec<usize> = Vec::new();
    while !bytes.is_empty() && bytes != b"\r\n" {
        let Some((head, rest)) = parsed_head(bytes, heard.get(lengths.len())) else { break };
        let length = head + rest.unwrap_or(bytes.len() - head);
        lengths.push(length);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    lengths
}

/// Lengths of the head and of the body; of the body `None` when it has not arrived whole.
fn parsed_head(bytes: &[u8], heard: Option<&Heard>) -> Option<(usize, Option<usize>)> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let head = match request.parse(bytes).expect("what is released can be parsed") {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return None,
    };
    let target = request.path.unwrap().parse::<http::Uri>().expect("what is released has a good target");
    assert!(target.path().starts_with('/') || target.path() == "*" || request.method == Some("CONNECT"));
    if let Some(heard) = heard {
        says_the_same(&request, heard);
    }
    let value = |name: &str| {
        let mut found = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let value = found.next().map(|field| std::str::from_utf8(field.value).unwrap());
        assert!(found.next().is_none(), "several {name}");
        value
    };
    let length = value("content-length").map_or(0, |length| length.parse().unwrap());
    if value("transfer-encoding").is_some() {
        return Some((head, parsed_chunks(&bytes[head..])));
    }
    Some((head, (bytes.len() - head >= length).then_some(length)))
}

fn says_the_same(request: &httparse::Request<'_, '_>, heard: &Heard) {
    assert_eq!(request.method, Some(heard.method.as_str()));
    let target: http::Uri = request.path.unwrap().parse().unwrap();
    assert_eq!(target.to_string(), heard.target);
    let fields = request.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()));
    let (mut fields, mut known): (Vec<_>, _) = (fields.collect(), heard.fields.clone());
    fields.sort();
    known.sort();
    assert_eq!(fields, known);
}

/// The length of a chunked body.
fn parsed_chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let (line, size) = match httparse::parse_chunk_size(rest).expect("what is released has good chunks") {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return None,
        };
        at += line;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let trailers = httparse::parse_headers(bytes.get(at..)?, &mut fields).expect("good trailers");
            return match trailers {
                httparse::Status::Complete((length, _)) => Some(at + length),
                httparse::Status::Partial => None,
            };
        }
        at += usize::try_from(size).unwrap() + 2;
    }
}

/// That the parser sees what was understood.
fn agrees(outcome: &Outcome) {
    let lengths = parsed(&outcome.released, &outcome.heard);
    assert_eq!(lengths.len() as u64, outcome.requests, "{:?}", String::from_utf8_lossy(&outcome.released));
    let blank = lengths.iter().sum::<usize>() + 2;
    if outcome.place == Place::Idle && outcome.rejection.is_none() {
        let all = outcome.released.len();
        assert!(all == blank - 2 || all == blank, "{all} bytes, {lengths:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_cut_gives_the_same_result(bytes in some_bytes(), cuts in prop::collection::vec(0_usize..40, 1..30)) {
        for limits in [LIMITS, Limits::default()] {
            let whole = run(limits, [bytes.as_slice()]);
            let (mut pieces, mut rest) = (Vec::new(), bytes.as_slice());
            for cut in &cuts {
                let (piece, other) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = other;
            }
            pieces.push(rest);
            prop_assert_eq!(&run(limits, pieces), &whole);
            prop_assert_eq!(&run(limits, bytes.chunks(1)), &whole);
        }
    }

    #[test]
    fn what_is_released_is_what_the_parser_reads(bytes in some_bytes()) {
        agrees(&whole(&bytes));
    }
}

/// The control: the other parser reads what is refused here.
#[test]
fn the_other_parser_reads_more() {
    let smuggled = b"POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc";
    assert_eq!(parsed(smuggled, &[]).len(), 1);
    assert_eq!(whole(smuggled).requests, 0);
}
