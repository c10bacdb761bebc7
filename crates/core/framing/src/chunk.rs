//! What lies between the data of a chunked body: sizes and extensions.

use crate::letters::{is_token, trimmed};
use crate::offence::Offence;

/// Bytes of a line with a chunk's size and extensions. Signed uploads use about 90.
pub(crate) const LINE: usize = 1024;
/// Bytes of the extensions of one body.
const EXTENSIONS: usize = 16 * 1024 - 1;

/// A control character comes after this much of the line with a chunk's size.
pub(crate) fn bad_letter_in_size(before: &[u8]) -> Offence {
    match before.contains(&b';') {
        true => Offence::InvalidChunkExtension,
        false => Offence::InvalidChunkSize,
    }
}

/// Reads the size of a chunk, and counts the bytes of its extensions.
pub(crate) fn size(line: &[u8], extensions: &mut usize) -> Result<u64, Offence> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, rest) = line.split_at(digits);
    if !(1..=16).contains(&digits) {
        return Err(Offence::InvalidChunkSize);
    }
    *extensions += extension(rest)?;
    if *extensions > EXTENSIONS {
        return Err(Offence::ChunkLineTooLong);
    }
    Ok(size.iter().fold(0, |size, digit| size << 4 | u64::from(value_of(*digit))))
}

fn value_of(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Checks what follows a size: nothing, or `; NAME` and whatever else. We make no use of extensions, nor do we pass
/// them on.
fn extension(rest: &[u8]) -> Result<usize, Offence> {
    if rest.is_empty() {
        return Ok(0);
    }
    match trimmed(rest) {
        [b';', extension @ ..] => match trimmed(extension) {
            [first, ..] if is_token(*first) => Ok(rest.len()),
            _ => Err(Offence::InvalidChunkExtension),
        },
        _ => Err(Offence::InvalidChunkSize),
    }
}

/// What stands after a chunk's data. `None`: it has not arrived whole.
pub(crate) fn end(bytes: &[u8]) -> Result<Option<usize>, Offence> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(Offence::ChunkWithoutEnd),
    }
}
