//! What an instance may answer, and what is no answer: each case by name, whole, in two pieces cut at every place, and byte
//! by byte.

use std::iter::once;

use adsum_framing::{AnswerReader, Content, Flaw, Offence, Piece};
use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

/// What was understood of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Of 1xx, in their order, and of the answer itself.
    pub(crate) statuses: Vec<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) reason: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
    /// The end of the body has come.
    pub(crate) whole: bool,
    /// The connection can be used again.
    pub(crate) keeps: bool,
    /// What came behind it.
    pub(crate) behind: Vec<u8>,
    pub(crate) flaw: Option<Flaw>,
}

/// Gives the pieces to a reader one after the other, and then closes the connection if `closes`.
pub(crate) fn tell<'a>(method: &Method, pieces: impl IntoIterator<Item = &'a [u8]>, closes: bool) -> Told {
    let (mut reader, mut told, mut bytes) = (AnswerReader::default(), Told::default(), BytesMut::new());
    told.keeps = true;
    let mut content = None;
    let feed = || -> Result<(), Flaw> {
        for piece in pieces {
            bytes.extend_from_slice(piece);
            while content.is_none() {
                let Some(head) = reader.read(&mut bytes, method)? else { break };
                told.statuses.push(head.status.as_u16());
                told.keeps &= head.keeps;
                if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                    told.headers = head.headers;
                    told.reason = head.reason.map(|reason| String::from_utf8_lossy(&reason).into_owned());
                    content = Some(head.content);
                }
            }
            if let Some(content) = &mut content {
                take_body(content, &mut bytes, &mut told)?;
            }
        }
        match &mut content {
            Some(content) if closes => content.closed(),
            None if closes => Err(Flaw::Early),
            Some(_) | None => Ok(()),
        }
    };
    told.flaw = feed().err();
    told.whole = content.is_some_and(|content| content.is_over());
    told.behind = if told.flaw.is_none() { bytes.to_vec() } else { Vec::new() };
    told
}

fn take_body(content: &mut Content, bytes: &mut BytesMut, told: &mut Told) -> Result<(), Flaw> {
    loop {
        match content.next(bytes)? {
            Piece::Data(data) => {
                assert!(!data.is_empty());
                told.body.extend_from_slice(&data);
            }
            Piece::Trailers(trailers) => told.trailers = trailers,
            Piece::Nothing | Piece::End => return Ok(()),
        }
    }
}

/// The same, however the bytes are cut.
#[track_caller]
fn told(method: &Method, bytes: &[u8], closes: bool) -> Told {
    let whole = tell(method, once(bytes), closes);
    for cut in 0..=bytes.len() {
        let (one, two) = bytes.split_at(cut);
        assert_eq!(tell(method, [one, two], closes), whole, "cut at {cut}");
    }
    assert_eq!(tell(method, bytes.chunks(1), closes), whole, "byte by byte");
    whole
}

#[track_caller]
fn good(bytes: &str) -> Told {
    let told = told(&Method::GET, bytes.as_bytes(), false);
    assert_eq!((told.flaw, told.whole), (None, true), "{bytes:?}");
    told
}

#[track_caller]
fn flawed(bytes: &str, flaw: impl Into<Flaw>) {
    let told = told(&Method::GET, bytes.as_bytes(), false);
    assert_eq!(told.flaw, Some(flaw.into()), "{bytes:?}");
    assert!(!told.whole);
}

/// A head with one more line.
fn with(line: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n")
}

#[test]
fn an_answer_with_a_length_ends_there() {
    let told = good("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a:2\t\r\n\r\nabc");
    assert_eq!((told.statuses, told.body, told.keeps), (vec![200], b"abc".to_vec(), true));
    assert_eq!(told.headers["content-length"], "3");
    let values: Vec<_> = told.headers.get_all("x-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    assert_eq!((told.reason, told.behind), (None, vec![]));
}

#[test]
fn chunks_are_taken_apart_and_trailers_told() {
    let told = good(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n\
         0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n",
    );
    assert_eq!((told.body, told.keeps), (b"abc0123456789".to_vec(), true));
    assert_eq!(told.trailers.len(), 1, "a length may not come after the body");
    assert_eq!(told.trailers["x-sum"], "1");
}

#[test]
fn an_answer_without_length_ends_with_its_connection() {
    let bytes = b"HTTP/1.1 200 OK\r\n\r\nall of it";
    let open = told(&Method::GET, bytes, false);
    assert_eq!((open.whole, open.keeps, open.body), (false, false, b"all of it".to_vec()));
    let closed = told(&Method::GET, bytes, true);
    assert_eq!((closed.whole, closed.flaw), (true, None));
}

#[test]
fn no_body_follows_head_204_304_and_101() {
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304), (Method::GET, 101)]
    {
        for field in ["Content-Length: 3", "Transfer-Encoding: chunked", "X: y"] {
            let bytes = format!("HTTP/1.1 {status} \r\n{field}\r\n\r\nabc");
            let told = told(&method, bytes.as_bytes(), false);
            assert_eq!((told.whole, told.flaw), (true, None), "{bytes:?}");
            assert_eq!((told.body, told.behind), (vec![], b"abc".to_vec()), "{bytes:?}");
        }
    }
}

#[test]
fn a_body_that_was_announced_and_must_not_be_costs_the_connection() {
    for (method, status, field, keeps) in [
        (Method::GET, 204, "Content-Length: 3", false),
        (Method::GET, 204, "Content-Length: 0", true),
        (Method::GET, 204, "Transfer-Encoding: chunked", false),
        (Method::GET, 304, "Content-Length: 3", true),
        (Method::GET, 304, "Transfer-Encoding: chunked", false),
        (Method::HEAD, 200, "Content-Length: 3", true),
        (Method::HEAD, 200, "Transfer-Encoding: chunked", false),
        (Method::HEAD, 204, "Content-Length: 3", false),
    ] {
        let bytes = format!("HTTP/1.1 {status} \r\n{field}\r\n\r\n");
        let told = told(&method, bytes.as_bytes(), false);
        assert_eq!((told.whole, told.keeps), (true, keeps), "{method} {bytes:?}");
    }
}

#[test]
fn a_body_that_was_announced_before_the_answer_costs_the_connection() {
    for (field, keeps) in [
        ("Content-Length: 3", false),
        ("Transfer-Encoding: chunked", false),
        ("Content-Length: 0", true),
        ("X: y", true),
    ] {
        let bytes = format!("HTTP/1.1 103 \r\n{field}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(good(&bytes).keeps, keeps, "{bytes:?}");
    }
}

#[test]
fn what_comes_before_the_answer_is_told_first() {
    let told = good(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(told.statuses, [100, 103, 200]);
    assert!(!told.headers.contains_key("link"));
}

#[test]
fn what_comes_behind_an_answer_is_left() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ] {
        let told = good(&format!("{answer}HTTP/1.1 200 OK\r\n"));
        assert_eq!((told.body, told.behind), (b"a".to_vec(), b"HTTP/1.1 200 OK\r\n".to_vec()));
    }
}

#[test]
fn unusual_words_behind_the_status_are_kept() {
    assert_eq!(good("HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n").reason.as_deref(), Some("Fine"));
    assert_eq!(good("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n").reason.as_deref(), Some(""));
    assert_eq!(good("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").reason.as_deref(), Some(""));
    assert_eq!(good("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").reason, None);
}

#[test]
fn a_connection_is_kept_as_version_and_fields_say() {
    for (version, field, keeps) in [
        ("1.1", "X: y", true),
        ("1.1", "Connection: close", false),
        ("1.1", "Connection: x, Close", false),
        ("1.0", "X: y", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let bytes = format!("HTTP/{version} 200 OK\r\n{field}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(good(&bytes).keeps, keeps, "{bytes:?}");
    }
}

#[test]
fn a_connection_field_is_passed_on_where_it_says_more_than_whether_that_is_kept() {
    for (field, passes) in
        [("close", false), ("Keep-Alive", false), ("keep-alive, x-own", true), ("upgrade", true)]
    {
        let told = good(&format!("HTTP/1.1 200 OK\r\nConnection: {field}\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(told.headers.contains_key("connection"), passes, "{field}");
    }
}

#[test]
fn length_beside_chunks_goes_and_so_does_the_connection() {
    for fields in
        ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3"]
    {
        let told = good(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"));
        assert_eq!((told.body, told.keeps), (b"whole".to_vec(), false));
        assert!(!told.headers.contains_key("content-length"));
    }
}

#[test]
fn lengths_of_an_answer_that_differ() {
    flawed(&with("Content-Length: 3\r\nContent-Length: 4"), Offence::SeveralLengths);
    flawed(&with("Content-Length: 3, 4"), Offence::SeveralLengths);
    // The control: the same one twice is one.
    let told = good("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(told.headers.get_all("content-length").iter().count(), 1);
}

#[test]
fn a_length_of_an_answer_that_is_no_number() {
    for length in ["", "+3", "-1", "0x3", "3 3", "9223372036854775808", "03"] {
        flawed(&with(&format!("Content-Length: {length}")), Offence::InvalidLength);
    }
}

#[test]
fn a_coding_of_an_answer_other_than_chunked() {
    flawed(&with("Transfer-Encoding: gzip"), Offence::UnknownEncoding);
    flawed(&with("Transfer-Encoding: gzip, chunked"), Offence::UnknownEncoding);
    flawed(&with("Transfer-Encoding: chunked, gzip"), Offence::InvalidEncoding);
    flawed(&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Offence::SeveralEncodings);
    flawed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Offence::EncodingInHttp10);
}

#[test]
fn a_status_line_that_is_none() {
    for line in [
        "hello",
        "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 OK",
        "HTTP/1.1\t200 OK",
        " HTTP/1.1 200 OK",
    ] {
        flawed(&format!("{line}\r\nContent-Length: 0\r\n\r\n"), Flaw::StatusLine);
    }
    // At once, and not when a line of it has come.
    assert_eq!(tell(&Method::GET, once(&b"SSH-2.0"[..]), false).flaw, Some(Flaw::StatusLine));
}

#[test]
fn a_line_of_an_answer_that_could_be_read_otherwise() {
    flawed("HTTP/1.1 200 OK\nContent-Length: 0\n\n", Offence::BareLineFeed);
    flawed("HTTP/1.1 200 OK\r\nX: y\nContent-Length: 0\r\n\r\n", Offence::BareLineFeed);
    flawed("HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n", Offence::BareCarriageReturn);
    flawed(&with("X: y\r\n z"), Offence::FoldedLine);
    flawed(&with("X : y"), Offence::SpaceBeforeColon);
    flawed(&with(": y"), Offence::InvalidFieldName);
    flawed(&with("X(: y"), Offence::InvalidFieldName);
    flawed(&with("X"), Offence::InvalidFieldName);
    flawed(&with("X: \0"), Offence::InvalidFieldValue);
    flawed(&with("X: \x7f"), Offence::InvalidFieldValue);
}

#[test]
fn a_head_of_an_answer_without_end() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(64 * 1024));
    assert_eq!(tell(&Method::GET, once(long.as_bytes()), false).flaw, Some(Offence::HeadTooLarge.into()));
    let many = with(&"X: y\r\n".repeat(101));
    assert_eq!(tell(&Method::GET, once(many.as_bytes()), false).flaw, Some(Offence::TooManyFields.into()));
    let line = format!("HTTP/1.1 200 {}", "x".repeat(64 * 1024));
    assert_eq!(tell(&Method::GET, once(line.as_bytes()), false).flaw, Some(Offence::HeadTooLarge.into()));
}

#[test]
fn a_chunk_of_an_answer_that_could_be_read_otherwise() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for size in ["", "+3", "-1", "0x3", "3 3", "11111111111111111", " 3"] {
        flawed(&chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n")), Offence::InvalidChunkSize);
    }
    flawed(&chunked("3\nabc\r\n0\r\n\r\n"), Offence::BareLineFeed);
    flawed(&chunked("3\r\nabcd\r\n0\r\n\r\n"), Offence::ChunkWithoutEnd);
    flawed(&chunked("3\r\nabc0\r\n\r\n"), Offence::ChunkWithoutEnd);
    flawed(&chunked("3;\r\nabc\r\n"), Offence::InvalidChunkExtension);
    flawed(&chunked(&format!("3;a={}\r\nabc\r\n", "b".repeat(1024))), Offence::ChunkLineTooLong);
    flawed(&chunked("0\r\nX : y\r\n\r\n"), Offence::SpaceBeforeColon);
    let many = chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(101)));
    assert_eq!(tell(&Method::GET, once(many.as_bytes()), false).flaw, Some(Offence::TooManyFields.into()));
}

#[test]
fn an_answer_that_breaks_off_never_becomes_whole() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        "HTTP/1.1 200 OK\r\nX: y\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "",
    ] {
        let told = told(&Method::GET, bytes.as_bytes(), true);
        assert_eq!((told.flaw, told.whole), (Some(Flaw::Early), false), "{bytes:?}");
    }
}

#[test]
fn the_end_of_chunks_is_known_with_the_last_of_the_data() {
    let mut bytes =
        BytesMut::from(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"[..]);
    let head = AnswerReader::default().read(&mut bytes, &Method::GET).unwrap().unwrap();
    let mut content = head.content;
    assert_eq!((content.is_over(), content.left()), (false, None));
    assert_eq!(content.next(&mut bytes), Ok(Piece::Data("a".into())));
    assert!(content.is_over() && bytes.is_empty());
}
