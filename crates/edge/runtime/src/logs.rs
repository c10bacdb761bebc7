//! Reading the log of an instance, as the agent does for people.
//!
//! Nothing is parsed here: a line is what the keeper has written, time first. Text that is no UTF-8 is shown with
//! replacement characters.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::keeper::log::numbered;

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How much of a log is read at a time, in bytes.
const BLOCK: u64 = 64 * 1024;

/// The last `lines` lines of the log at `path`, oldest first, and as much of the older file (`.1`) as that takes. The
/// last may still be without its end. None are answered for a log that is not there.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
    let (whole, rest) = open_tail(path, lines).map(|(_, whole, rest)| (whole, rest)).unwrap_or_default();
    let mut found: Vec<String> = whole.into_iter().chain((!rest.is_empty()).then(|| text(&rest))).collect();
    if found.len() < lines
        && let Ok((_, older, _)) = open_tail(&numbered(path, 1), lines - found.len())
    {
        found.splice(0..0, older);
    }
    let surplus = found.len().saturating_sub(lines);
    found.split_off(surplus)
}

/// The last `lines` lines as [`tail`] finds them, and then every new one as it is written. The log may be missing as
/// yet, and may rotate; of one that rotates twice within 200 ms, what was written in between is missed.
pub fn follow(path: &Path, lines: usize) -> Follow {
    let mut follow = Follow { path: path.to_path_buf(), file: None, rest: Vec::new(), first: Vec::new() };
    if let Ok((file, mut whole, rest)) = open_tail(path, lines) {
        if whole.len() < lines
            && let Ok((_, older, _)) = open_tail(&numbered(path, 1), lines - whole.len())
        {
            whole.splice(0..0, older);
        }
        follow.first = whole;
        follow.rest = rest;
        follow.file = Some(file);
    }
    follow
}

/// A log that is being followed.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    file: Option<File>,
    /// The begun line.
    rest: Vec<u8>,
    first: Vec<String>,
}

impl Follow {
    /// The lines that have come since, at least one. Cancelling it loses nothing.
    pub async fn next(&mut self) -> io::Result<Vec<String>> {
        loop {
            let lines = self.new_lines()?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn new_lines(&mut self) -> io::Result<Vec<String>> {
        let mut lines = std::mem::take(&mut self.first);
        // Whether the file was replaced is asked before its end is read: what is in it then is all there will be.
        let replaced = self.is_replaced();
        let at_end = self.read_block(&mut lines)?;
        if replaced && at_end {
            lines.extend((!self.rest.is_empty()).then(|| text(&std::mem::take(&mut self.rest))));
            self.file = File::open(&self.path).ok();
            self.read_block(&mut lines)?;
        }
        Ok(lines)
    }

    fn is_replaced(&self) -> bool {
        let Some(own) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return true };
        fs::metadata(&self.path).is_ok_and(|there| (there.ino(), there.dev()) != (own.ino(), own.dev()))
    }

    /// Reads a bounded piece; answers whether that was all there is.
    fn read_block(&mut self, lines: &mut Vec<String>) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(true) };
        let read = file.take(BLOCK).read_to_end(&mut self.rest)?;
        lines.extend(split_whole(&mut self.rest));
        Ok(read < BLOCK as usize)
    }
}

/// The file, read to its end; its last `lines` whole lines; the begun line after them.
fn open_tail(path: &Path, lines: usize) -> io::Result<(File, Vec<String>, Vec<u8>)> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut from = end;
    let mut bytes = Vec::new();
    while from > 0 && bytes.iter().filter(|byte| **byte == b'\n').count() <= lines {
        let length = from.min(BLOCK);
        from -= length;
        let mut block = vec![0; length as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut block)?;
        bytes.splice(0..0, block);
    }
    file.seek(SeekFrom::Start(end))?;
    let mut whole = split_whole(&mut bytes);
    let surplus = whole.len().saturating_sub(lines);
    Ok((file, whole.split_off(surplus), bytes))
}

/// Takes the whole lines off.
fn split_whole(bytes: &mut Vec<u8>) -> Vec<String> {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = bytes.split_off(end + 1);
    let whole = std::mem::replace(bytes, rest);
    whole[..end].split(|byte| *byte == b'\n').map(text).collect()
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
