//! Ids of requests: taken from the caller when they are harmless, made when not.

use http::HeaderValue;

const LONGEST: usize = 128;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// 1 to 128 visible ASCII letters: nothing that could break a log or a header further on.
pub(crate) fn is_valid(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

/// 32 hexadecimal digits.
pub(crate) fn make(seed: u128) -> HeaderValue {
    let mut text = [0; 32];
    write_hex(seed, &mut text);
    HeaderValue::from_bytes(&text).expect("hexadecimal digits make a header value")
}

/// Fills `into` with the last digits of `number`.
pub(crate) fn write_hex(number: u128, into: &mut [u8]) {
    let mut rest = number;
    for digit in into.iter_mut().rev() {
        *digit = HEX[(rest & 15) as usize];
        rest >>= 4;
    }
}
