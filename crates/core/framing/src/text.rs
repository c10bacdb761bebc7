//! Fields and numbers as they are written.

use http::{HeaderName, header};

/// Most heads are no longer. Room for it is made at once, and kept for the next head; to count each head's bytes before would
/// cost more.
pub(crate) const ROOM: usize = 1024;

pub(crate) fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn write_length(out: &mut Vec<u8>, length: u64) {
    write_field(out, &header::CONTENT_LENGTH, itoa::Buffer::new().format(length).as_bytes());
}

/// A number in hexadecimal digits, without zeros before it.
pub(crate) fn write_hex(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[number >> (digit * 4) & 0xf]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_others_write_them() {
        for number in [0, 1, 9, 10, 15, 16, 255, 256, 4095, 65_536, usize::MAX] {
            let (mut hex, mut length) = (Vec::new(), Vec::new());
            write_hex(&mut hex, number);
            write_length(&mut length, number as u64);
            assert_eq!(String::from_utf8(hex).unwrap(), format!("{number:x}"));
            assert_eq!(String::from_utf8(length).unwrap(), format!("content-length: {number}\r\n"));
        }
    }
}
