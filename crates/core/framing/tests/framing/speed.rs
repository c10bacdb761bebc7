//! How long the guard takes for the usual case, told and not judged: machines differ.
//!
//! `cargo test --release -p adsum-framing speed -- --nocapture`

use std::time::Instant;

use adsum_framing::{Guard, Limits};

const CURL: &[u8] =
    b"GET /api/items/42 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n";
const BROWSER: &[u8] = b"GET /api/items/42?page=2 HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n\
Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/131.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
image/apng,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\
Referer: https://shop.example.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

#[test]
fn a_typical_head_is_one_pass() {
    for (name, head) in [("curl", CURL), ("browser", BROWSER)] {
        let mut guard = Guard::new(Limits::default());
        let (rounds, begin) = (200_000_u32, Instant::now());
        (0..rounds).for_each(|_| assert_eq!(guard.inspect(std::hint::black_box(head)).released, head.len()));
        println!("{name}: {} bytes, {:?} each", head.len(), begin.elapsed() / rounds);
        assert_eq!(guard.requests(), u64::from(rounds));
    }
}
