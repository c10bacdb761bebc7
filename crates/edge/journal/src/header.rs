//! The first 60 bytes of a segment or a snapshot. All numbers are little-endian.
//!
//! ```text
//!  0        8        12        28         36      44         52      56     60
//!  | magic  | format | cluster | sequence | first | snapshot | chain | crc  |
//! ```
//!
//! The crc covers everything before it and seeds all checksums of the frames that follow, so that a frame is valid in
//! one file only. The magic and the format stay where they are in every format to come, or newer files could not be
//! named as such.

use std::path::Path;

use crate::{
    error::{Damage, OpenError},
    options::ClusterId,
};

/// The newest format that this version reads, and the one that it writes. 1 has no records of hashes, sets, sorted sets
/// and streams, and is otherwise the same.
pub(crate) const FORMAT: u32 = 2;

/// How long a header is.
pub(crate) const LENGTH: usize = 60;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Snapshot,
}

impl Kind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Kind::Segment => b"ADSUMJRN",
            Kind::Snapshot => b"ADSUMSNP",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The format of the whole file.
    pub(crate) format: u32,
    pub(crate) cluster: ClusterId,
    /// Segments count from 1 without a gap. 0 in a snapshot.
    pub(crate) sequence: u64,
    /// No record is below it: one more than the last revision before the segment. In a snapshot: its revision.
    pub(crate) first: u64,
    /// The snapshot that stood when the segment was begun: records from here on mean nothing without it, or a newer one.
    pub(crate) snapshot: u64,
    /// The checksum of the last frame of the segment before.
    pub(crate) chain: u32,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(self.kind.magic());
        bytes[8..12].copy_from_slice(&self.format.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.cluster.0);
        bytes[28..36].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.first.to_le_bytes());
        bytes[44..52].copy_from_slice(&self.snapshot.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.chain.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..56]);
        bytes[56..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the beginning of `file`, which may be too short.
    pub(crate) fn decode(bytes: &[u8], kind: Kind, file: &Path) -> Result<Header, OpenError> {
        let damage = |offset, expected: &str, found: String| {
            let expected = expected.to_owned();
            OpenError::Damaged(Damage {
                file: file.to_owned(),
                offset,
                expected,
                found,
                last_good_revision: 0,
            })
        };
        let Ok(bytes) = <&[u8; LENGTH]>::try_from(bytes) else {
            return Err(damage(0, "a header of 60 bytes", format!("{} bytes", bytes.len())));
        };
        if &bytes[..8] != kind.magic() {
            return Err(damage(0, "the beginning of a journal file", format!("{:02x?}", &bytes[..8])));
        }
        let found = u32_at(bytes, 8);
        if found > FORMAT {
            return Err(OpenError::NewerFormat { file: file.to_owned(), found, known: FORMAT });
        }
        let crc = crc32c::crc32c(&bytes[..56]);
        if crc != u32_at(bytes, 56) || found == 0 {
            let expected = format!("header checksum {crc:#010x}");
            return Err(damage(56, &expected, format!("{:#010x}", u32_at(bytes, 56))));
        }
        Ok(Header {
            kind,
            format: found,
            cluster: ClusterId(bytes[12..28].try_into().expect("16 bytes")),
            sequence: u64_at(bytes, 28),
            first: u64_at(bytes, 36),
            snapshot: u64_at(bytes, 44),
            chain: u32_at(bytes, 52),
        })
    }

    /// Seeds the checksums of the file's frames.
    pub(crate) fn salt(&self) -> u32 {
        u32_at(&self.encode(), 56)
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let cluster = ClusterId(*b"0123456789abcdef");
        Header {
            kind: Kind::Segment,
            format: FORMAT,
            cluster,
            sequence: 3,
            first: 17,
            snapshot: 9,
            chain: 0xfeed,
        }
    }

    fn decode(bytes: &[u8]) -> Result<Header, OpenError> {
        Header::decode(bytes, Kind::Segment, Path::new("d/journal"))
    }

    #[test]
    fn a_header_reads_back() {
        assert_eq!(decode(&sample().encode()).expect("whole"), sample());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..LENGTH * 8 {
            let mut bytes = sample().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_format_before_is_read_and_stays_what_it_is() {
        let before = Header { format: 1, ..sample() };
        assert_eq!(decode(&before.encode()).expect("known"), before);
    }

    #[test]
    fn a_newer_format_is_refused_naming_both() {
        let mut bytes = sample().encode();
        bytes[8] = 3;
        let message = decode(&bytes).expect_err("newer").to_string();
        assert!(
            message.starts_with("d/journal has format 3, this version reads up to format 2"),
            "{message}"
        );
    }

    #[test]
    fn a_short_file_is_damaged() {
        assert!(matches!(decode(&sample().encode()[..59]), Err(OpenError::Damaged(_))));
    }
}
