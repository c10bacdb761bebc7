//! What the parser makes of whole, split and hostile bytes.

use proptest::prelude::*;

use super::*;

/// All requests of `bytes`, given in pieces of these sizes, and how it ended.
fn requests(
    bytes: &[u8],
    mut pieces: impl Iterator<Item = usize>,
) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut parser = Parser::default();
    let mut buffer: Vec<u8> = Vec::new();
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(pieces.next().unwrap_or(1).clamp(1, rest.len()));
        buffer.extend_from_slice(piece);
        rest = behind;
        loop {
            let mut ahead = Requests::new();
            Parser::default().parse_ahead(&buffer, &mut ahead);
            let promised = parser.has_request(&buffer);
            let consumed = match parser.parse(&buffer) {
                Parsed::Incomplete => {
                    assert!(!promised && ahead.is_empty());
                    break;
                }
                Parsed::Request { consumed, request } => {
                    assert!(ahead.first().is_none_or(|first| *first == (consumed, request.clone())));
                    found.push(request.args.iter().map(|arg| arg.to_vec()).collect());
                    consumed
                }
                Parsed::Error(error) => {
                    assert!(ahead.is_empty());
                    return (found, Some(error));
                }
            };
            assert!(promised);
            drop(ahead);
            buffer.drain(..consumed);
        }
    }
    (found, None)
}

#[track_caller]
fn check(bytes: &str, expected: &[&[&str]], error: Option<ProtocolError>) {
    let expected: Vec<Vec<Vec<u8>>> =
        expected.iter().map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect()).collect();
    assert_eq!(requests(bytes.as_bytes(), std::iter::repeat(usize::MAX)), (expected.clone(), error.clone()));
    assert_eq!(requests(bytes.as_bytes(), std::iter::repeat(1)), (expected, error), "byte by byte");
}

#[test]
fn arrays_and_lines_can_follow_each_other() {
    check("*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n*1\r\n$0\r\n\r\n", &[&["GET", "a"], &["PING"], &[""]], None);
}

#[test]
fn what_is_read_ahead_is_plain_and_whole_and_in_order() {
    let mut ahead = Requests::new();
    let mut names = |parser: &Parser, bytes: &'static str| {
        parser.parse_ahead(bytes.as_bytes(), &mut ahead);
        let read = ahead.iter().map(|(length, request)| (*length, request.args[0].to_vec()));
        read.collect::<Vec<_>>()
    };
    let mut parser = Parser::default();
    let two = [(14, b"PING".to_vec()), (11, b"A".to_vec())];
    assert_eq!(names(&parser, "*1\r\n$4\r\nPING\r\n*1\r\n$1\r\nA\r\n*1\r\n$4\r\nPI"), two);
    assert_eq!(names(&parser, "*1\r\n$4\r\nPING\r\n*1\r\n$1\r\nA\r\nPING\r\n"), two);
    assert_eq!(names(&parser, "*1\r\n$4\r\nPING\r\n*1\r\n$1\r\nA\r\n*1\r\n$4\r\nPOST\r\n"), two);
    assert_eq!(names(&parser, "PING\r\n*1\r\n$4\r\nPING\r\n"), []);
    // A request that has been begun with is not read anew.
    let begun = "*1\r\n$4\r\nPING\r\n";
    assert!(!parser.has_request(&begun.as_bytes()[..7]));
    assert_eq!(names(&parser, begun), []);
    let many: &'static str = begun.repeat(100).leak();
    assert_eq!(names(&Parser::default(), many).len(), 16);
}

#[test]
fn empty_requests_are_passed_over() {
    check("*0\r\n*-1\r\n\r\n\nPING\n", &[&[], &[], &[], &[], &["PING"]], None);
}

#[test]
fn what_is_not_the_protocol_is_told_in_redis_words() {
    use ProtocolError::*;
    for (bytes, error, text) in [
        ("*x\r\n", Count, "ERR Protocol error: invalid multibulk length"),
        ("*2147483648\r\n", Count, "ERR Protocol error: invalid multibulk length"),
        ("*99999999999999999999\r\n", Count, "ERR Protocol error: invalid multibulk length"),
        ("*1\r\n$-1\r\n", Length, "ERR Protocol error: invalid bulk length"),
        ("*1\r\n$-5\r\n", Length, "ERR Protocol error: invalid bulk length"),
        ("*1\r\n$x\r\n", Length, "ERR Protocol error: invalid bulk length"),
        ("*1\r\n:1\r\n", NoBulk(b':'), "ERR Protocol error: expected '$', got ':'"),
        ("*1\r\n*1\r\n", NoBulk(b'*'), "ERR Protocol error: expected '$', got '*'"),
        ("*1\r\n\r\n\r\n", NoBulk(b'\r'), "ERR Protocol error: expected '$', got '\r'"),
        (
            "*1\r\n$2\r\nabc\r\n",
            NoLineEnd(2),
            "ERR Protocol error: expected a line end after 2 bytes of bulk",
        ),
        ("set \"a\r\n", UnbalancedQuotes, "ERR Protocol error: unbalanced quotes in request"),
        (
            "*1\r\n$536870913\r\n",
            BulkTooLong(536_870_913, limits::BULK),
            "ERR Protocol error: invalid bulk length: 536870913 is over the limit of 16777216 bytes (proto-max-bulk-len)",
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\n", Http, "this is HTTP"),
        ("Host: localhost\r\n", Http, "this is HTTP"),
        ("*1\r\n$4\r\nPOST\r\n", Http, "this is HTTP"),
    ] {
        assert_eq!(error.to_string(), text);
        check(bytes, &[], Some(error));
    }
}

#[test]
fn lines_without_an_end_are_bounded() {
    let long = "x".repeat(limits::LINE + 1);
    check(&long, &[], Some(ProtocolError::InlineTooLong));
    check(&format!("*{long}"), &[], Some(ProtocolError::CountTooLong));
    check(&format!("*1\r\n${long}"), &[], Some(ProtocolError::LengthTooLong));
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut parser = Parser::default();
    assert_eq!(parser.parse(b"*1000000\r\n$16000000\r\nabc"), Parsed::Incomplete);
    assert!(!parser.arguments.spilled());
}

#[test]
fn a_request_of_many_large_arguments_is_bounded() {
    let mut bytes = b"*5\r\n".to_vec();
    for _ in 0..4 {
        bytes.extend_from_slice(format!("${}\r\n", limits::BULK - 100).as_bytes());
        bytes.resize(bytes.len() + limits::BULK - 100, b'x');
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"$1000\r\n");
    let error = ProtocolError::RequestTooLong(limits::REQUEST);
    assert_eq!(requests(&bytes, std::iter::repeat(1 << 20)), (vec![], Some(error)));
}

fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let argument = prop::collection::vec(any::<u8>(), 0..20);
    let array = prop::collection::vec(argument, 0..5).prop_map(|args| {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
            bytes.extend(arg);
            bytes.extend(b"\r\n");
        }
        bytes
    });
    let line = "[a-z \"'\\\\]{0,12}\r?\n".prop_map(String::into_bytes);
    let garbage = prop::collection::vec(
        prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'-'), b'0'..=b'9', any::<u8>()],
        0..20,
    );
    prop::collection::vec(prop_oneof![4 => array, 2 => line, 1 => garbage], 0..6)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn requests_do_not_depend_on_how_the_bytes_arrive(
        bytes in traffic(),
        pieces in prop::collection::vec(1..9usize, 1..40),
    ) {
        let whole = requests(&bytes, std::iter::repeat(usize::MAX));
        prop_assert_eq!(&requests(&bytes, pieces.into_iter().cycle()), &whole);
        prop_assert_eq!(&requests(&bytes, std::iter::repeat(1)), &whole);
    }
}
