//! Where the newest segment ends, and what to do with what stands behind.
//!
//! A write that a power cut interrupts leaves any part of itself: sectors may be missing in the middle of it while later
//! ones are there. So a flaw alone says nothing. What tells damage from a torn write is what was promised: each frame
//! carries the highest revision that was on disk when it was written (*settled*).
//!
//! ```text
//!   7 (settled 6)   8 (settled 7)   ~~~~   10 (settled 8)    9 was never acknowledged: torn, cut behind 8
//!   7 (settled 6)   8 (settled 7)   ~~~~   10 (settled 9)    9 was acknowledged and is gone: damage, refused
//! ```
//!
//! The cut bytes are kept in a file beside the segment, on disk before the segment is cut.

use crate::{
    disk::{Disk, failure, publish},
    error::{IoError, OpenError},
    frame::{HEAD, Head, MAX_PAYLOAD},
    name,
    recovery::TornTail,
    scan::{Scan, Step},
};

/// A revision that is further ahead than this of the one before is taken for a chance match of a checksum.
const PLAUSIBLE_STEP: u64 = 1 << 40;

/// How many bytes are searched or copied at once.
const PIECE: u64 = 256 << 10;

/// Brings `scan` behind the last good frame of the newest segment, and cuts what is torn there. Returns whether there is
/// a last frame that is a mark, and what was cut.
pub(crate) fn settle(
    disk: &dyn Disk,
    name: &str,
    scan: &mut Scan,
) -> Result<(bool, Option<TornTail>), OpenError> {
    let mut marked = false;
    let flaw = loop {
        match scan.step()? {
            Step::Frame(head, _) => marked = head.is_mark(),
            Step::End => return Ok((marked, None)),
            Step::Flaw(damage) => break damage,
        }
    };
    if is_damage(scan)? {
        return Err(flaw.into());
    }
    Ok((false, Some(cut(disk, name, scan)?)))
}

/// Whether a frame behind the flaw says that the place of the flaw was on disk once.
pub(crate) fn is_damage(scan: &mut Scan) -> Result<bool, IoError> {
    let (salt, last, end) = (scan.salt(), scan.last(), scan.end());
    // The checksum last: this is asked of every byte up to the end, most of them preallocated zeros.
    let proves = |bytes: &[u8]| {
        let head = Head::unchecked(bytes);
        last < head.settled
            && head.settled <= head.number
            && head.number - last < PLAUSIBLE_STEP
            && head.length <= MAX_PAYLOAD
            && Head::decode(bytes, salt).is_ok()
    };
    let mut at = scan.offset() + 1;
    while at + HEAD as u64 <= end {
        let piece = scan.bytes_at(at, PIECE.min(end - at) as usize)?;
        if piece.windows(HEAD).any(proves) {
            return Ok(true);
        }
        // The last windows reach into the next piece.
        at += (piece.len() - HEAD + 1) as u64;
    }
    Ok(false)
}

/// Keeps the torn bytes aside and ends the segment before them.
fn cut(disk: &dyn Disk, name: &str, scan: &mut Scan) -> Result<TornTail, IoError> {
    let offset = scan.offset();
    let bytes = torn_bytes(scan)?;
    let kept_as = name::torn(name, offset);
    publish(disk, &kept_as, |file| file.write_at(&bytes, 0))?;
    // Opened again rather than borrowed from the scan: opening syncs, and this is the one write to a file being read.
    let cut = (|| {
        let file = disk.open(name)?;
        file.set_len(offset)?;
        file.sync()
    })();
    cut.map_err(|source| failure(disk, name, "cutting the torn tail of", source))?;
    Ok(TornTail { file: disk.path(name), offset, bytes: bytes.len() as u64, kept_as: disk.path(&kept_as) })
}

/// Everything from the flaw on, without the preallocated space behind it. At most a segment.
fn torn_bytes(scan: &mut Scan) -> Result<Vec<u8>, IoError> {
    let (mut at, end) = (scan.offset(), scan.end());
    let mut bytes = Vec::new();
    while at < end {
        let piece = scan.bytes_at(at, PIECE.min(end - at) as usize)?;
        bytes.extend_from_slice(piece);
        at += piece.len() as u64;
    }
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    Ok(bytes)
}
