//! Where streams can be ended: the same places, however they are cut into pieces.

use adsum_forward::{Boundaries, EventScanner, WebSocketScanner, close_frame};
use proptest::prelude::*;

/// A frame as a client (masked) or server writes it.
fn frame(last: bool, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![if last { 0x80 } else { 0 } | opcode];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => frame.push(masked | length as u8),
        length @ 126..=65_535 => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    frame.extend(payload.iter().zip(mask.unwrap_or_default().iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Feeds a stream in pieces of these sizes, in turn, and says where in the whole all boundaries are that were told.
fn told(feed: &mut dyn FnMut(&[u8]) -> Boundaries, stream: &[u8], sizes: &[usize]) -> Vec<usize> {
    let (mut at, mut told, mut sizes) = (0, Vec::new(), sizes.iter().cycle());
    while at < stream.len() {
        let end = (at + sizes.next().unwrap()).min(stream.len());
        let found = feed(&stream[at..end]);
        told.extend(found.first.iter().chain(&found.last).map(|offset| at + offset));
        at = end;
    }
    told.dedup();
    told
}

#[test]
fn a_websocket_stream_is_at_a_boundary_between_messages_only() {
    let mut scanner = WebSocketScanner::default();
    assert!(scanner.is_at_boundary());
    assert_eq!(scanner.feed(&frame(false, 1, b"he", None)), Boundaries::default());
    assert_eq!(scanner.feed(&frame(true, 9, b"ping", None)), Boundaries::default(), "within a message");
    let end = frame(true, 0, b"llo", None);
    assert_eq!(scanner.feed(&end), Boundaries { first: Some(5), last: Some(5) });
    let two =
        [frame(true, 2, &[0; 300], Some([1, 2, 3, 4])), frame(true, 10, b"", None), vec![0x81]].concat();
    assert_eq!(scanner.feed(&two), Boundaries { first: Some(308), last: Some(310) });
    assert!(!scanner.is_at_boundary(), "the next frame has begun");
}

#[test]
fn a_close_frame_is_noticed_when_it_is_whole() {
    let close = close_frame(1012, "restart", Some([9, 8, 7, 6]));
    let mut scanner = WebSocketScanner::default();
    scanner.feed(&close[..close.len() - 1]);
    assert!(!scanner.is_closing());
    scanner.feed(&close[close.len() - 1..]);
    assert!(scanner.is_closing() && scanner.is_at_boundary() && !scanner.is_broken());
}

#[test]
fn what_is_no_websocket_stream_is_never_at_a_boundary() {
    let broken = [
        frame(true, 3, b"", None),
        frame(true, 11, b"", None),
        frame(false, 9, b"", None),
        frame(true, 9, &[0; 126], None),
        frame(true, 0, b"nothing to continue", None),
        [frame(false, 1, b"a", None), frame(true, 1, b"b", None)].concat(),
        vec![0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0],
    ];
    for stream in broken {
        let mut scanner = WebSocketScanner::default();
        scanner.feed(&stream);
        scanner.feed(&frame(true, 1, b"fine again", None));
        assert!(scanner.is_broken() && !scanner.is_at_boundary(), "{stream:?}");
    }
}

#[test]
fn a_close_frame_says_why_within_125_bytes() {
    assert_eq!(close_frame(1012, "bye", None), [0x88, 5, 0x03, 0xf4, b'b', b'y', b'e']);
    let masked = close_frame(1012, "bye", Some([1, 2, 3, 4]));
    assert_eq!(masked, [0x88, 0x85, 1, 2, 3, 4, 0x03 ^ 1, 0xf4 ^ 2, b'b' ^ 3, b'y' ^ 4, b'e' ^ 1]);
    let cut = close_frame(1001, &"\u{e4}".repeat(100), None);
    assert_eq!(cut.len(), 2 + 2 + 122, "no letter is cut in half");
    assert!(std::str::from_utf8(&cut[4..]).is_ok());
}

#[test]
fn an_event_ends_with_an_empty_line_of_any_kind() {
    let ends = |stream: &str| {
        let mut scanner = EventScanner::default();
        assert!(scanner.is_at_boundary());
        told(&mut |piece| scanner.feed(piece), stream.as_bytes(), &[1])
    };
    assert_eq!(ends("data: a\n\ndata: b\n\n"), [9, 18]);
    // Between the CR and the LF of an empty line the event is whole already, and after the LF too.
    assert_eq!(ends("data: a\r\n\r\n"), [10, 11]);
    assert_eq!(ends("data: a\r\rx"), [9]);
    assert_eq!(ends("data: a\n\r\nx"), [9, 10]);
    assert_eq!(ends("data: a\r\n\nx"), [10]);
    assert_eq!(ends(": comment\ndata: a\n"), [0; 0]);
    assert_eq!(ends("data: a\n\n\nx"), [9, 10]);
}

/// Messages, some in several frames with control frames between, and where each ends.
fn websocket_stream() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 120..400),
        1 => (65_530usize..65_545).prop_map(|length| vec![7; length]),
    ];
    let message = (prop::collection::vec(payload, 1..4), any::<Option<[u8; 4]>>(), any::<bool>());
    prop::collection::vec(message, 1..6).prop_map(|messages| {
        let (mut stream, mut ends) = (Vec::new(), Vec::new());
        for (parts, mask, pinged) in messages {
            for (number, part) in parts.iter().enumerate() {
                let last = number + 1 == parts.len();
                stream.extend(frame(last, if number == 0 { 2 } else { 0 }, part, mask));
                if last {
                    ends.push(stream.len());
                }
                if pinged {
                    stream.extend(frame(true, 9, b"ping", mask));
                    if last {
                        ends.push(stream.len());
                    }
                }
            }
        }
        (stream, ends)
    })
}

/// An independent reading of an event stream: line by line, as the standard says.
fn event_ends(stream: &[u8]) -> Vec<usize> {
    let (mut ends, mut at, mut empty) = (Vec::new(), 0, true);
    while at < stream.len() {
        match stream[at] {
            b'\r' if stream.get(at + 1) == Some(&b'\n') => {
                if empty {
                    ends.extend([at + 1, at + 2]);
                }
                (at, empty) = (at + 2, true);
            }
            b'\r' | b'\n' => {
                if empty {
                    ends.push(at + 1);
                }
                (at, empty) = (at + 1, true);
            }
            _ => (at, empty) = (at + 1, false),
        }
    }
    ends
}

/// Of the true boundaries those that pieces of these sizes tell: the first and the last within each piece.
fn visible(ends: &[usize], length: usize, sizes: &[usize]) -> Vec<usize> {
    let (mut at, mut visible, mut sizes) = (0, Vec::new(), sizes.iter().cycle());
    while at < length {
        let end = (at + sizes.next().unwrap()).min(length);
        let within: Vec<usize> =
            ends.iter().copied().filter(|offset| (at + 1..=end).contains(offset)).collect();
        visible.extend(within.first().into_iter().chain(within.last()));
        at = end;
    }
    visible.dedup();
    visible
}

proptest! {
    #[test]
    fn messages_end_at_the_same_places_however_the_stream_is_cut(
        (stream, ends) in websocket_stream(),
        sizes in prop::collection::vec(1usize..5_000, 1..12),
    ) {
        let mut scanner = WebSocketScanner::default();
        let told = told(&mut |piece| scanner.feed(piece), &stream, &sizes);
        prop_assert_eq!(told, visible(&ends, stream.len(), &sizes));
        prop_assert!(scanner.is_at_boundary() && !scanner.is_closing());
    }

    #[test]
    fn no_bytes_at_all_make_the_scanner_stumble(
        stream in prop::collection::vec(any::<u8>(), 0..200),
        size in 1usize..20,
    ) {
        let (mut whole, mut pieces) = (WebSocketScanner::default(), WebSocketScanner::default());
        let all = whole.feed(&stream);
        let told = told(&mut |piece| pieces.feed(piece), &stream, &[size]);
        prop_assert_eq!(all.first, told.first().copied());
        prop_assert_eq!(all.last, told.last().copied());
        prop_assert_eq!(whole.is_broken(), pieces.is_broken());
        prop_assert_eq!(whole.is_at_boundary(), pieces.is_at_boundary());
    }

    #[test]
    fn events_end_at_the_same_places_however_the_stream_is_cut(
        stream in prop::collection::vec(prop::sample::select(&b"\r\n\r\n\nd:"[..]), 0..60),
        sizes in prop::collection::vec(1usize..9, 1..6),
    ) {
        let mut scanner = EventScanner::default();
        let told = told(&mut |piece| scanner.feed(piece), &stream, &sizes);
        prop_assert_eq!(told, visible(&event_ends(&stream), stream.len(), &sizes));
    }
}
