//! Reads the frames of one file in order, each checked against the one before.
//!
//! Not here: what a flaw means. At the end of the newest segment it may be a torn write (`tail`), anywhere else it is
//! damage. No more is held in memory than one frame, or one window where frames are small; a length is believed only
//! after its checksum, and never beyond the end of the file.

use std::path::PathBuf;

use crate::{
    disk::{Disk, File, failure},
    error::{Damage, IoError, OpenError},
    frame::{self, HEAD, Head, MAX_PAYLOAD, Mismatch, OVERHEAD},
    header::{self, Header, Kind},
};

/// How much is read at once.
const WINDOW: u64 = 256 << 10;

/// What stands at a place.
pub(crate) enum Step<'a> {
    Frame(Head, &'a [u8]),
    /// Nothing but zeros up to the end.
    End,
    /// Something else. The scan stays there.
    Flaw(Damage),
}

pub(crate) struct Scan {
    file: Box<dyn File>,
    path: PathBuf,
    header: Header,
    /// Nothing is read from here on.
    end: u64,
    offset: u64,
    chain: u32,
    salt: u32,
    /// The number of the last good frame.
    last: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Scan {
    /// Opens a file of `kind` and reads its header.
    pub(crate) fn open(disk: &dyn Disk, name: &str, kind: Kind) -> Result<Scan, OpenError> {
        let file = disk.open(name).map_err(|error| failure(disk, name, "reading", error))?;
        Scan::over(file, disk.path(name), kind)
    }

    /// Reads the header of an open file of `kind`.
    pub(crate) fn over(file: Box<dyn File>, path: PathBuf, kind: Kind) -> Result<Scan, OpenError> {
        let read = read_header(&*file);
        let (end, bytes) = read.map_err(|source| IoError { doing: "reading", file: path.clone(), source })?;
        let header = Header::decode(&bytes, kind, &path)?;
        let salt = header.salt();
        let last = match kind {
            Kind::Segment => header.first.saturating_sub(1),
            Kind::Snapshot => 0,
        };
        let offset = header::LENGTH as u64;
        let window = Vec::new();
        Ok(Scan { file, path, header, end, offset, chain: salt, salt, last, window, window_at: offset })
    }

    /// Stops before `end`, where the good part of the file is known to end.
    pub(crate) fn until(mut self, end: u64) -> Scan {
        self.end = self.end.min(end);
        self
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Behind the last good frame.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The checksum of the last good frame.
    pub(crate) fn chain(&self) -> u32 {
        self.chain
    }

    pub(crate) fn salt(&self) -> u32 {
        self.salt
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn into_file(self) -> Box<dyn File> {
        self.file
    }

    /// Reads the next frame.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, IoError> {
        let rest = self.end - self.offset;
        if self.rest_is_zero()? {
            return Ok(Step::End);
        }
        if rest < OVERHEAD as u64 {
            return Ok(self.flaw("a frame", format!("{rest} bytes")));
        }
        let salt = self.salt;
        let head = match Head::decode(self.bytes(HEAD)?, salt) {
            Ok(head) => head,
            Err(mismatch) => return Ok(self.mismatch("head", mismatch)),
        };
        if head.length > MAX_PAYLOAD || (OVERHEAD + head.length) as u64 > rest {
            return Ok(self.flaw("a frame within the file", format!("one of {} bytes", head.length)));
        }
        if !self.follows(&head) {
            let found = format!("number {}, settled {}", head.number, head.settled);
            return Ok(self.flaw(&format!("a frame that follows number {}", self.last), found));
        }
        let chain = self.chain;
        match frame::verify(self.bytes(OVERHEAD + head.length)?, chain) {
            Ok(chain) => Ok(self.advance(head, chain)),
            Err(mismatch) => Ok(self.mismatch("frame", mismatch)),
        }
    }

    /// Whether a frame with this head may stand behind the last one.
    fn follows(&self, head: &Head) -> bool {
        let empty_if_mark = !head.is_mark() || head.length == 0;
        empty_if_mark
            && match self.header.kind {
                Kind::Segment if head.is_mark() => head.number == self.last,
                Kind::Segment => head.number > self.last,
                Kind::Snapshot => head.number == self.last + 1 && (head.is_mark() || head.settled == 0),
            }
    }

    fn advance(&mut self, head: Head, chain: u32) -> Step<'_> {
        let start = (self.offset - self.window_at) as usize + HEAD;
        self.offset += (OVERHEAD + head.length) as u64;
        self.chain = chain;
        self.last = head.number;
        Step::Frame(head, &self.window[start..start + head.length])
    }

    fn mismatch(&self, part: &str, mismatch: Mismatch) -> Step<'_> {
        self.flaw(
            &format!("{part} checksum {:#010x}", mismatch.expected),
            format!("{:#010x}", mismatch.found),
        )
    }

    fn flaw(&self, expected: &str, found: String) -> Step<'_> {
        Step::Flaw(self.damage(expected, found))
    }

    /// Damage at the present place.
    pub(crate) fn damage(&self, expected: &str, found: String) -> Damage {
        let last_good_revision = match self.header.kind {
            Kind::Segment => self.last,
            Kind::Snapshot => 0,
        };
        let expected = expected.to_owned();
        Damage { file: self.path.clone(), offset: self.offset, expected, found, last_good_revision }
    }

    /// Whether there is nothing more but preallocated space. The first bytes tell, except at the end.
    fn rest_is_zero(&mut self) -> Result<bool, IoError> {
        let mut at = self.offset;
        let mut take = HEAD as u64;
        while at < self.end {
            take = take.min(self.end - at);
            if !is_zero(self.bytes_at(at, take as usize)?) {
                return Ok(false);
            }
            at += take;
            take = WINDOW;
        }
        Ok(true)
    }

    fn bytes(&mut self, count: usize) -> Result<&[u8], IoError> {
        self.bytes_at(self.offset, count)
    }

    /// `count` bytes from `at` on, all of them before the end.
    pub(crate) fn bytes_at(&mut self, at: u64, count: usize) -> Result<&[u8], IoError> {
        let window_end = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + count as u64 > window_end {
            let wanted = (count as u64).max(WINDOW).min(self.end - at) as usize;
            // A window that a large frame has widened shrinks again.
            self.window.clear();
            self.window.shrink_to(wanted);
            self.window.resize(wanted, 0);
            self.window_at = at;
            let read = self.file.read_exact_at(&mut self.window, at);
            read.map_err(|source| IoError { doing: "reading", file: self.path.clone(), source })?;
        }
        let start = (at - self.window_at) as usize;
        Ok(&self.window[start..start + count])
    }
}

/// By blocks: in a segment that was just begun there are very many bytes of it.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|block| block == &ZEROS[..block.len()])
}

/// Returns a file's length, and as much of a header as there is.
fn read_header(file: &dyn File) -> std::io::Result<(u64, Vec<u8>)> {
    let len = file.len()?;
    let mut bytes = vec![0; header::LENGTH.min(usize::try_from(len).unwrap_or(usize::MAX))];
    file.read_exact_at(&mut bytes, 0)?;
    Ok((len, bytes))
}
