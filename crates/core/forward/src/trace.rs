//! W3C Trace Context: <https://www.w3.org/TR/trace-context/>.
//!
//! ```text
//! 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//! version       trace id                 parent id      flags (01: sampled)
//! ```
//!
//! The parent id is renewed on the way. A trace that begins here is marked as sampled: a service that follows its
//! parent's decision would record nothing otherwise.

use bytes::Bytes;
use http::HeaderValue;

const LENGTH: usize = 55;

/// A trace that begins here.
pub(crate) struct Trace {
    pub(crate) parent: HeaderValue,
    /// Its id alone: the same bytes in memory.
    pub(crate) id: HeaderValue,
}

/// What of an incoming `traceparent` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent<'a> {
    trace: &'a [u8],
    flags: &'a [u8],
}

/// The same trace with a new parent, or none when the value is not valid.
pub(crate) fn renew(value: &HeaderValue, span: u64) -> Option<HeaderValue> {
    let parent = parse(value.as_bytes())?;
    let mut text = frame(span);
    text[3..35].copy_from_slice(parent.trace);
    text[53..].copy_from_slice(parent.flags);
    Some(value_of(Bytes::copy_from_slice(&text)))
}

pub(crate) fn begin(trace: u128, span: u64) -> Trace {
    let mut text = frame(span);
    write_hex(trace.max(1), &mut text[3..35]);
    text[53..].copy_from_slice(b"01");
    let bytes = Bytes::copy_from_slice(&text);
    Trace { id: value_of(bytes.slice(3..35)), parent: value_of(bytes) }
}

/// All but the trace id and the flags.
fn frame(span: u64) -> [u8; LENGTH] {
    let mut text = [b'-'; LENGTH];
    text[..2].copy_from_slice(b"00");
    write_hex(u128::from(span.max(1)), &mut text[36..52]);
    text
}

fn value_of(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).expect("hexadecimal digits and hyphens make a header value")
}

/// Fills `into` with the last digits of `number`, eight at a time.
fn write_hex(number: u128, into: &mut [u8]) {
    let (words, _) = into.as_chunks_mut::<8>();
    for (place, word) in words.iter_mut().rev().enumerate() {
        *word = digits((number >> (32 * place)) as u32);
    }
}

fn digits(number: u32) -> [u8; 8] {
    let all = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // Half a byte each, in bytes of their own.
    let mut word = u64::from(number);
    word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    word = (word | word << 4) & all(0x0f);
    let letters = (word + all(6)) >> 4 & all(1);
    (word + all(b'0') + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// A version that we do not know may have more after the flags; of those only the sampled bit means the same to us.
fn parse(bytes: &[u8]) -> Option<Parent<'_>> {
    let text = bytes.get(..LENGTH)?;
    let (version, trace, span, flags) = (&text[..2], &text[3..35], &text[36..52], &text[53..]);
    let hyphens = text[2] == b'-' && text[35] == b'-' && text[52] == b'-';
    let digits = [version, trace, span, flags].into_iter().flatten().all(|byte| is_digit(*byte));
    let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let length = match version {
        b"00" => bytes.len() == LENGTH,
        _ => bytes.len() == LENGTH || bytes[LENGTH] == b'-',
    };
    let valid = hyphens && digits && length && version != b"ff" && !zero(trace) && !zero(span);
    let flags = if version == b"00" { flags } else { sampled_only(flags[1]) };
    valid.then_some(Parent { trace, flags })
}

fn sampled_only(digit: u8) -> &'static [u8] {
    let odd = matches!(digit, b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f');
    if odd { b"01" } else { b"00" }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
