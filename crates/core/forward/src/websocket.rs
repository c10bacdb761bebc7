//! Where a message ends in one direction of a WebSocket connection, and the frame that ends the connection (RFC 6455).
//!
//! ```text
//! 1 byte  FIN, three reserved bits, opcode
//! 1 byte  masked?, length (126: 2 bytes follow, 127: 8 bytes follow)
//! 4 bytes the mask, when masked
//!         the payload
//! ```

use crate::Boundaries;

/// The longest reason of a Close frame: 125 bytes less its code.
const LONGEST_REASON: usize = 123;

/// Follows the frames of one direction. Bytes that are no frames are never at a boundary.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketScanner {
    /// The head of the present frame as far as it has come.
    head: [u8; 14],
    gathered: usize,
    payload: u64,
    /// A message has begun whose last frame has not.
    in_message: bool,
    closing: bool,
    broken: bool,
}

const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const FIRST_CONTROL: u8 = 8;

impl WebSocketScanner {
    /// Whether all that was fed so far ends with a whole message.
    pub fn is_at_boundary(&self) -> bool {
        !self.broken && !self.in_message && self.gathered == 0
    }

    /// A whole Close frame has passed: this side sends nothing more.
    pub fn is_closing(&self) -> bool {
        self.closing && self.gathered == 0
    }

    /// What was fed is no WebSocket stream.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    pub fn feed(&mut self, piece: &[u8]) -> Boundaries {
        let mut boundaries = Boundaries::default();
        let mut at = 0;
        while at < piece.len() && !self.broken {
            at += if self.payload > 0 { self.skip(piece.len() - at) } else { self.gather(&piece[at..]) };
            if self.is_at_boundary() {
                boundaries.add(at);
            }
        }
        boundaries
    }

    /// Over the payload.
    fn skip(&mut self, there: usize) -> usize {
        let step = usize::try_from(self.payload).unwrap_or(usize::MAX).min(there);
        self.payload -= step as u64;
        if self.payload == 0 {
            self.gathered = 0;
        }
        step
    }

    /// Into the head.
    fn gather(&mut self, piece: &[u8]) -> usize {
        let mut taken = 0;
        for byte in piece {
            self.head[self.gathered] = *byte;
            self.gathered += 1;
            taken += 1;
            if self.gathered >= 2 && self.gathered == self.head_length() {
                self.begin_payload();
                break;
            }
        }
        taken
    }

    /// As soon as its first two bytes are there.
    fn head_length(&self) -> usize {
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        let length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + mask
    }

    fn begin_payload(&mut self) {
        let (last, opcode) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        self.payload = match self.head[1] & 0x7f {
            126 => number(&self.head[2..4]),
            127 => number(&self.head[2..10]),
            short => u64::from(short),
        };
        if opcode >= FIRST_CONTROL {
            self.broken = opcode > 10 || !last || self.payload > 125;
            self.closing |= opcode == CLOSE;
        } else {
            self.broken =
                opcode > 2 || (opcode == CONTINUATION) != self.in_message || self.payload >> 63 != 0;
            self.in_message = !last;
        }
        if self.payload == 0 {
            self.gathered = 0;
        }
    }
}

/// A Close frame; with a mask when it goes to a server, without when to a client. 1012 is "service restart". A reason
/// that is too long is cut.
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    let length = u8::try_from(payload.len()).expect("a reason is cut to 123 bytes");
    let mut frame = vec![0x80 | CLOSE, length | if mask.is_some() { 0x80 } else { 0 }];
    if let Some(mask) = mask {
        frame.extend_from_slice(&mask);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    frame.extend_from_slice(&payload);
    frame
}
