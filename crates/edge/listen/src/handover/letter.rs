//! What is too long for a message: a file without a name, of which the descriptor is passed.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, memfd_create};

/// Bytes of the longest that is read.
const LONGEST: u64 = 256 << 20;

pub fn write_letter(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("adsum-letter", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// The place in the file is the same for all who have it, and left alone.
pub fn read_letter(letter: OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(letter);
    let length = file.metadata()?.len();
    if length > LONGEST {
        return Err(io::Error::other(format!("{length} bytes are too many: {LONGEST} are the limit")));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_can_be_read_by_several() {
        let letter = write_letter(b"hello").unwrap();
        let double = letter.try_clone().unwrap();
        assert_eq!(read_letter(letter).unwrap(), b"hello");
        assert_eq!(read_letter(double).unwrap(), b"hello");
    }
}
