//! How long the reader takes for the usual case, told and not judged: machines differ.
//!
//! `cargo test --release -p adsum-framing speed -- --nocapture`

use std::hint::black_box;
use std::time::{Duration, Instant};

use adsum_framing::{Limits, RequestReader};
use bytes::BytesMut;

const CURL: &[u8] =
    b"GET /api/items/42 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n";
const BROWSER: &[u8] = b"GET /api/items/42?page=2 HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n\
Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/131.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
image/apng,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\
Referer: https://shop.example.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

/// Another parser goes over the same bytes, for comparison; it makes neither names nor a map.
fn parse(head: &[u8]) {
    let mut fields = [std::mem::MaybeUninit::uninit(); 100];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(head, &mut fields).unwrap();
    assert_eq!(parsed, httparse::Status::Complete(head.len()));
}

/// The fastest of some rounds: others use the machine too.
fn fastest(mut once: impl FnMut()) -> Duration {
    const TIMES: u32 = 5_000;
    let round = |_| {
        let begin = Instant::now();
        (0..TIMES).for_each(|_| once());
        begin.elapsed() / TIMES
    };
    (0..20).map(round).min().unwrap()
}

#[test]
fn a_typical_head_is_one_pass() {
    for (name, head) in [("curl", CURL), ("browser", BROWSER)] {
        let (mut reader, mut bytes) =
            (RequestReader::new(Limits::default()), BytesMut::with_capacity(1 << 16));
        let read = fastest(|| {
            bytes.reserve(head.len());
            bytes.extend_from_slice(black_box(head));
            let head = reader.read(&mut bytes).unwrap().unwrap();
            reader.recycle(head.headers);
        });
        let parsed = fastest(|| parse(black_box(head)));
        println!("{name}: {} bytes, read {read:?}, parsed {parsed:?}", head.len());
        assert!(bytes.is_empty());
    }
}
