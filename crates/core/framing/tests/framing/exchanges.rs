//! Any answer, cut anywhere: one result, and what the parser of others reads; and a request comes out as it was put in.

use adsum_framing::{Asking, Extent, Outgoing};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;

use crate::answers::tell;
use crate::try_out::whole;

/// Pieces that answers are made of, good ones and bad ones.
const PIECES: [&str; 30] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.0 200\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 500 \r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 10\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "X: y\r\n",
    "X:\t\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    " ",
    ":",
    "abc",
    "0123456789",
    "3\r\nabc\r\n",
    "a;b=c\r\n0123456789\r\n",
    "0\r\n\r\n",
    "0\r\nX-Sum: 1\r\n\r\n",
    "+3\r\n",
    "\0",
    "HTTP/1.1",
];

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec());
    let random = prop::collection::vec(any::<u8>(), 0..4);
    let begin = prop::sample::select(&PIECES[..6]).prop_map(|piece| piece.as_bytes().to_vec());
    let pieces = prop::collection::vec(prop_oneof![12 => piece, 1 => random], 0..10);
    (begin, pieces).prop_map(|(begin, pieces)| [begin, pieces.concat()].concat())
}

/// Names in lower case, and values.
type Fields = Vec<(String, Vec<u8>)>;

/// The first head as another parser reads it.
fn parsed(bytes: &[u8]) -> Option<(u16, Fields)> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut answer = httparse::Response::new(&mut fields);
    answer.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    let fields = answer.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()));
    Some((answer.code.unwrap(), fields.collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_cut_of_an_answer_gives_the_same_result(
        bytes in some_bytes(), cuts in prop::collection::vec(0_usize..40, 1..30), closes: bool, asks_head: bool,
    ) {
        let method = if asks_head { Method::HEAD } else { Method::GET };
        let whole = tell(&method, [bytes.as_slice()], closes);
        let (mut pieces, mut rest) = (Vec::new(), bytes.as_slice());
        for cut in &cuts {
            let (piece, other) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = other;
        }
        pieces.push(rest);
        prop_assert_eq!(&tell(&method, pieces, closes), &whole);
        prop_assert_eq!(&tell(&method, bytes.chunks(1), closes), &whole);
    }

    #[test]
    fn a_head_that_is_understood_is_what_others_read(bytes in some_bytes()) {
        let told = tell(&Method::GET, [bytes.as_slice()], false);
        if let Some(status) = told.statuses.first() {
            let (code, fields) = parsed(&bytes).expect("others understand it too");
            prop_assert_eq!(code, *status);
            if told.statuses.len() == 1 && told.flaw.is_none() {
                for (name, value) in &told.headers {
                    let known = (name.as_str().to_owned(), value.as_bytes().to_vec());
                    prop_assert!(fields.contains(&known), "{:?}", known);
                }
            }
        }
    }

    #[test]
    fn a_request_comes_out_as_it_was_put_in(
        values in prop::collection::vec("[ -~\u{80}-\u{ff}]{0,20}", 0..5),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
        in_chunks: bool, at_once in 1_usize..60,
    ) {
        let mut headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("a"))]);
        for value in &values {
            headers.append(HeaderName::from_static("x"), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let body = pieces.concat();
        let extent = if in_chunks { Extent::Chunked } else { Extent::Length(body.len() as u64) };
        let all = sent(&headers, extent, &pieces, at_once);
        let seen = whole(&all);
        prop_assert_eq!((seen.requests, seen.rejection, seen.released.len()), (1, None, all.len()));
        // An answer with the same fields and the same body says the same.
        let rest = &all[all.iter().position(|byte| *byte == b'\n').unwrap()..];
        let told = tell(&Method::GET, [&b"HTTP/1.1 200 OK\r"[..], rest], false);
        prop_assert_eq!((told.flaw, told.whole), (None, true));
        prop_assert_eq!(told.body, body);
        let trimmed = |value: &HeaderValue| value.as_bytes().trim_ascii().to_vec();
        let expected: Vec<Vec<u8>> = headers.get_all("x").iter().map(trimmed).collect();
        let found: Vec<Vec<u8>> = told.headers.get_all("x").iter().map(|value| value.as_bytes().to_vec()).collect();
        prop_assert_eq!(found, expected);
    }
}

fn sent(headers: &HeaderMap, extent: Extent, pieces: &[Vec<u8>], at_once: usize) -> Vec<u8> {
    let (mut outgoing, mut all, uri) = (Outgoing::default(), Vec::new(), Uri::from_static("/a"));
    outgoing.begin(&Asking { method: &Method::POST, uri: &uri, headers, further: [&[], &[]] }, extent);
    let mut pieces = pieces.iter();
    loop {
        if outgoing.wants_piece() {
            match pieces.next() {
                Some(piece) => outgoing.put(Bytes::copy_from_slice(piece), false).unwrap(),
                None => outgoing.end().unwrap(),
            }
        }
        if outgoing.is_over() {
            return all;
        }
        let next: Vec<u8> = outgoing.parts().concat();
        let taken = next.len().min(at_once);
        all.extend_from_slice(&next[..taken]);
        outgoing.advance(taken);
    }
}
