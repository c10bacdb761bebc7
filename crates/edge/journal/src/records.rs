//! The records behind the snapshot, read segment by segment when they are asked for.
//!
//! Recovery has found the end of the newest segment before; a flaw met here is damage in the middle.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    disk::Disk,
    error::{OpenError, ReadError},
    header::Kind,
    name,
    scan::{Scan, Step},
};

/// The records above the snapshot's revision, in order: revision and payload. To be read before the first
/// [`write_snapshot`](crate::Journal::write_snapshot), which lets segments go. Whoever meets an error does not have the
/// state.
pub struct RecordReader {
    pub(crate) disk: Arc<dyn Disk>,
    /// First revisions of the segments still to be opened.
    pub(crate) segments: VecDeque<u64>,
    /// Where the newest segment ends.
    pub(crate) end: u64,
    /// Records up to here are in the snapshot.
    pub(crate) after: u64,
    pub(crate) scan: Option<Scan>,
    /// The last checksum of the segment before.
    pub(crate) chain: Option<u32>,
}

impl RecordReader {
    fn record(&mut self) -> Result<Option<(u64, Vec<u8>)>, ReadError> {
        loop {
            let Some(scan) = &mut self.scan else {
                let Some(first) = self.segments.pop_front() else { return Ok(None) };
                self.scan = Some(self.open(first)?);
                continue;
            };
            match scan.step()? {
                Step::Frame(head, _) if head.is_mark() || head.number <= self.after => {}
                Step::Frame(head, payload) => return Ok(Some((head.number, payload.to_vec()))),
                Step::Flaw(damage) => return Err(damage.into()),
                Step::End => {
                    self.chain = Some(scan.chain());
                    self.scan = None;
                }
            }
        }
    }

    fn open(&self, first: u64) -> Result<Scan, ReadError> {
        let name = name::segment(first);
        let scan =
            Scan::open(&*self.disk, &name, Kind::Segment).map_err(|error| self.changed(&name, error))?;
        let chain = scan.header().chain;
        if let Some(expected) = self.chain.filter(|expected| *expected != chain) {
            let expected = format!("a segment that follows checksum {expected:#010x}");
            return Err(scan.damage(&expected, format!("one that follows {chain:#010x}")).into());
        }
        Ok(if self.segments.is_empty() { scan.until(self.end) } else { scan })
    }

    /// The header read well a moment ago.
    fn changed(&self, name: &str, error: OpenError) -> ReadError {
        match error {
            OpenError::Io(error) => error.into(),
            OpenError::Damaged(damage) => damage.into(),
            other => ReadError::Damaged(crate::Damage {
                file: self.disk.path(name),
                offset: 0,
                expected: "the header that was read at first".to_owned(),
                found: other.to_string(),
                last_good_revision: self.after,
            }),
        }
    }
}

impl Iterator for RecordReader {
    type Item = Result<(u64, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.record().transpose();
        if matches!(item, Some(Err(_))) {
            self.scan = None;
            self.segments.clear();
        }
        item
    }
}
