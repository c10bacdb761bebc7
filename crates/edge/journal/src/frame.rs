//! One checksummed piece of a file: a record of a segment, or a chunk of a snapshot. All numbers are little-endian.
//!
//! ```text
//!  0        4        12        20         24         24 + length
//!  | length | number | settled | head crc | payload  | crc |
//! ```
//!
//! - *number*: the revision of a record, or the number of a chunk. It grows.
//! - *settled*: the highest number that was known to be on disk when this frame was written, so below *number*. A frame
//!   whose settled is its number is a **mark**: it has no payload and says that everything before it is on disk.
//! - *head crc*: over the 20 bytes before it, seeded with the file's salt. It lets a length be believed before it is
//!   used, and a head be found behind a damaged place.
//! - *crc*: over these 20 bytes and the payload, seeded with the crc of the frame before (the first: with the salt). So
//!   a frame is valid in one place only: swapped, repeated, left-over and misdirected ones are noticed.
//!
//! Zeros are no frame, since no number is 0: preallocated space reads as the end.

use crate::header::{u32_at, u64_at};

/// The longest payload, in bytes.
pub(crate) const MAX_PAYLOAD: usize = 2 << 30;

/// How long a head is, its crc included.
pub(crate) const HEAD: usize = 24;

/// What a frame takes beside its payload.
pub(crate) const OVERHEAD: usize = HEAD + 4;

/// The part of the head that is summed.
const SUMMED: usize = 20;

/// A head that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) number: u64,
    pub(crate) settled: u64,
}

impl Head {
    /// Or the checksum that would be right, and the one found.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Result<Head, Mismatch> {
        Mismatch::check(crc32c::crc32c_append(salt, &bytes[..SUMMED]), u32_at(bytes, SUMMED))?;
        Ok(Head::unchecked(bytes))
    }

    /// What stands there, believable or not.
    pub(crate) fn unchecked(bytes: &[u8]) -> Head {
        Head { length: u32_at(bytes, 0) as usize, number: u64_at(bytes, 4), settled: u64_at(bytes, 12) }
    }

    pub(crate) fn is_mark(&self) -> bool {
        self.settled == self.number
    }
}

/// A checksum that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) expected: u32,
    pub(crate) found: u32,
}

impl Mismatch {
    fn check(expected: u32, found: u32) -> Result<(), Mismatch> {
        if expected == found { Ok(()) } else { Err(Mismatch { expected, found }) }
    }
}

/// A frame being built at the end of a buffer. Dropped before it is finished (its author panicked), it leaves no trace.
pub(crate) struct Draft<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    finished: bool,
}

impl<'a> Draft<'a> {
    pub(crate) fn begin(buffer: &'a mut Vec<u8>, number: u64) -> Draft<'a> {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; HEAD]);
        buffer[start + 4..start + 12].copy_from_slice(&number.to_le_bytes());
        Draft { buffer, start, finished: false }
    }

    /// Where the payload is appended.
    pub(crate) fn payload(&mut self) -> &mut Vec<u8> {
        self.buffer
    }

    /// Returns the length of the frame, which still wants to be sealed.
    pub(crate) fn finish(mut self) -> usize {
        let length = self.buffer.len() - self.start - HEAD;
        assert!(length <= MAX_PAYLOAD, "a record of {length} bytes is over the limit of {MAX_PAYLOAD}");
        let length32 = u32::try_from(length).expect("the limit fits");
        self.buffer[self.start..self.start + 4].copy_from_slice(&length32.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.finished = true;
        OVERHEAD + length
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.buffer.truncate(self.start);
        }
    }
}

/// How long the finished frame is that `bytes` begin with.
pub(crate) fn length(bytes: &[u8]) -> usize {
    OVERHEAD + u32_at(bytes, 0) as usize
}

/// The number of the finished frame that `bytes` begin with.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    u64_at(bytes, 4)
}

/// Fills in what is only known when a frame is written. Returns the chain for the next one.
pub(crate) fn seal(frame: &mut [u8], settled: u64, salt: u32, chain: u32) -> u32 {
    frame[12..SUMMED].copy_from_slice(&settled.to_le_bytes());
    let head_crc = crc32c::crc32c_append(salt, &frame[..SUMMED]);
    frame[SUMMED..HEAD].copy_from_slice(&head_crc.to_le_bytes());
    let end = frame.len() - 4;
    let crc = crc32c::crc32c_append(reseeded(head_crc, salt, chain), &frame[HEAD..end]);
    frame[end..].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// What the sum of a head would be had it begun with another seed: sums are linear, so that both differ by what becomes of
/// the difference of the seeds when as many zeros follow it.
fn reseeded(head_crc: u32, from: u32, to: u32) -> u32 {
    let difference = (from ^ to).to_le_bytes();
    let behind_zeros = BEHIND_ZEROS.iter().zip(difference).map(|(of, byte)| of[usize::from(byte)]);
    behind_zeros.fold(head_crc, |crc, part| crc ^ part)
}

/// What becomes of each byte of a sum when as many zeros follow as a head has bytes.
static BEHIND_ZEROS: [[u32; 256]; 4] = {
    /// Of CRC-32C, reflected.
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let mut table = [[0; 256]; 4];
    let mut bit = 0;
    while bit < 32 {
        let mut sum = 1_u32 << bit;
        let mut zero = 0;
        while zero < SUMMED * 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
            zero += 1;
        }
        let mut byte = 0;
        while byte < 256 {
            if byte >> (bit % 8) & 1 == 1 {
                table[bit / 8][byte] ^= sum;
            }
            byte += 1;
        }
        bit += 1;
    }
    table
};

/// A sealed mark.
pub(crate) fn mark(number: u64, salt: u32, chain: u32) -> (Vec<u8>, u32) {
    let mut frame = Vec::with_capacity(OVERHEAD);
    Draft::begin(&mut frame, number).finish();
    let chain = seal(&mut frame, number, salt, chain);
    (frame, chain)
}

/// Checks a whole frame. Returns the chain for the next one.
pub(crate) fn verify(frame: &[u8], chain: u32) -> Result<u32, Mismatch> {
    let end = frame.len() - 4;
    let crc = sum(chain, &frame[..end]);
    Mismatch::check(crc, u32_at(frame, end)).map(|()| crc)
}

/// The head's own crc is left out: a sum taken over a message and that message's crc no longer depends on the message.
fn sum(chain: u32, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(chain, &frame[..SUMMED]), &frame[HEAD..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(number: u64, payload: &[u8], chain: u32) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut draft = Draft::begin(&mut frame, number);
        draft.payload().extend_from_slice(payload);
        draft.finish();
        seal(&mut frame, number - 1, 99, chain);
        frame
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let frame = sealed(7, b"payload", 5);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let whole = Head::decode(&flipped, 99).is_ok() && verify(&flipped, 5).is_ok();
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_is_valid_after_its_predecessor_and_in_its_file_only() {
        let frame = sealed(7, b"payload", 5);
        assert!(verify(&frame, 5).is_ok());
        assert!(verify(&frame, 6).is_err());
        assert!(Head::decode(&frame, 99).is_ok());
        assert!(Head::decode(&frame, 98).is_err());
    }

    #[test]
    fn a_head_does_not_go_with_another_payload() {
        let (first, second) = (sealed(7, b"first!!", 5), sealed(8, b"second!", 5));
        let mixed = [&first[..HEAD], &second[HEAD..]].concat();
        assert!(verify(&mixed, 5).is_err());
    }

    #[test]
    fn a_sum_with_another_seed_is_the_one_that_is_computed_with_it() {
        for n in 0..1000_u32 {
            let (from, to) = (n.wrapping_mul(0x9E37_79B9), n.wrapping_mul(0x85EB_CA6B) ^ 0x8000_0001);
            let head: [u8; SUMMED] = std::array::from_fn(|at| (n as usize * 31 + at * 7) as u8);
            let [one, other] = [from, to].map(|seed| crc32c::crc32c_append(seed, &head));
            assert_eq!(reseeded(one, from, to), other);
        }
    }

    #[test]
    fn an_abandoned_draft_leaves_no_trace() {
        let mut buffer = b"before".to_vec();
        Draft::begin(&mut buffer, 7).payload().extend_from_slice(b"half");
        assert_eq!(buffer, b"before");
    }
}
