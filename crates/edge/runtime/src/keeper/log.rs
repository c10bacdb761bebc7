//! The log file of one instance: lines with the time before them, cut when they are too long, in files that rotate.
//!
//! What is given is written at once, a line without its end too, so that a killed keeper takes nothing with it. Where
//! the last line stands is read from the file when the next keeper opens it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::home;
use crate::{Rotation, clock};

/// Where a line is cut, in bytes.
const LONGEST_LINE: usize = 16 * 1024;

/// The length of `2026-08-01T09:05:03.007Z `.
const STAMP: usize = 25;

pub(crate) struct Log {
    path: PathBuf,
    rotation: Rotation,
    file: Option<File>,
    /// Bytes in the file.
    size: u64,
    /// Bytes of the line that the file ends with, its time not counted; none when it ends with a whole line.
    column: Option<usize>,
    /// Bytes that could not be written.
    dropped: u64,
    /// Of these, the ones that the log itself does not speak of yet.
    untold: u64,
}

/// Lines on their way to the file.
#[derive(Default)]
struct Draft {
    text: Vec<u8>,
    /// How many bytes of them the instance has written.
    output: u64,
}

impl Log {
    /// # Errors
    /// When the file or its directory can be neither opened nor made.
    pub(crate) fn open(path: &Path, rotation: Rotation) -> io::Result<Log> {
        let mut log = Log::closed(path, rotation);
        log.reopen()?;
        Ok(log)
    }

    /// A log that opens its file with the first line.
    pub(crate) fn closed(path: &Path, rotation: Rotation) -> Log {
        let path = path.to_path_buf();
        Log { path, rotation, file: None, size: 0, column: None, dropped: 0, untold: 0 }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes output that was read at `now` (Unix milliseconds).
    pub(crate) fn append(&mut self, output: &[u8], now: u64) {
        if self.file.is_none() {
            // When this fails, what follows is counted as dropped.
            let _ = self.reopen();
        }
        let stamp = format!("{} ", clock::rfc3339(now));
        let mut draft = Draft { text: Vec::with_capacity(output.len() + 2 * STAMP), output: 0 };
        self.tell_dropped(&mut draft, &stamp);
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            self.lay_out(&mut draft, line, &stamp);
        }
        self.write(&mut draft);
    }

    /// Ends a line that has no end.
    pub(crate) fn finish(&mut self) {
        if self.column.take().is_some() {
            self.write(&mut Draft { text: b"\n".to_vec(), output: 0 });
        }
    }

    fn tell_dropped(&mut self, draft: &mut Draft, stamp: &str) {
        if self.untold > 0 {
            let end = if self.column.take().is_some() { "\n" } else { "" };
            let told = format!("{end}{stamp}[adsum] {} bytes of output could not be written\n", self.untold);
            draft.text.extend_from_slice(told.as_bytes());
        }
    }

    /// Adds a line, or a piece of one, cut where it is too long.
    fn lay_out(&mut self, draft: &mut Draft, mut line: &[u8], stamp: &str) {
        while !line.is_empty() {
            if self.column == Some(LONGEST_LINE) && line != b"\n" {
                draft.text.push(b'\n');
                self.column = None;
            }
            if self.column.is_none() {
                self.rotate_when_full(draft);
                draft.text.extend_from_slice(stamp.as_bytes());
            }
            let column = self.column.unwrap_or(0);
            let text = line.strip_suffix(b"\n").unwrap_or(line).len();
            let fits = if text <= LONGEST_LINE - column { line.len() } else { LONGEST_LINE - column };
            let (piece, rest) = line.split_at(fits);
            draft.text.extend_from_slice(piece);
            draft.output += piece.len() as u64;
            self.column = if piece.ends_with(b"\n") { None } else { Some(column + piece.len()) };
            line = rest;
        }
    }

    /// Begins a new file when this one, with the draft in it, is full. To be called between two lines.
    fn rotate_when_full(&mut self, draft: &mut Draft) {
        let size = self.size + draft.text.len() as u64;
        if size == 0 || size < self.rotation.max_bytes || self.file.is_none() {
            return;
        }
        self.write(draft);
        if let Err(error) = rotate(&self.path, self.rotation.keep) {
            eprintln!("{}: cannot be rotated and is emptied: {error}", self.path.display());
            let _ = self.file.as_ref().map(|file| file.set_len(0));
        }
        self.file = None;
        let _ = self.reopen();
    }

    /// Writes the draft, which is empty then; what of its output cannot be written counts as dropped. The file is
    /// opened anew after a failure, to see how far it got.
    fn write(&mut self, draft: &mut Draft) {
        let Draft { text, output } = std::mem::take(draft);
        if text.is_empty() {
            return;
        }
        let written = self.file.as_ref().is_some_and(|mut file| file.write_all(&text).is_ok());
        if written {
            self.size += text.len() as u64;
            self.untold = 0;
        } else {
            self.file = None;
            self.dropped += output;
            self.untold += output;
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = home::private_file(&self.path)?;
        self.size = file.metadata()?.len();
        self.column = last_column(&mut file, self.size)?;
        self.file = Some(file);
        Ok(())
    }
}

/// How many bytes of text, without its time, the last line of the file has; none when it has its end.
fn last_column(file: &mut File, size: u64) -> io::Result<Option<usize>> {
    let from = size.saturating_sub((STAMP + LONGEST_LINE + 1) as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(size - from).read_to_end(&mut tail)?;
    let line = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok((!line.is_empty()).then(|| line.len().saturating_sub(STAMP).min(LONGEST_LINE)))
}

/// Moves `x.log` to `x.log.1`, that to `x.log.2`, and so on; the last is lost.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    for number in (1..keep).rev() {
        if let Err(error) = fs::rename(numbered(path, number), numbered(path, number + 1))
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    if keep == 0 { home::remove(path) } else { fs::rename(path, numbered(path, 1)) }
}

/// `x.log` and 1 make `x.log.1`.
pub(crate) fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_785_575_103_007;
    const TIME: &str = "2026-08-01T09:05:03.007Z ";

    fn texts(path: &Path) -> Vec<String> {
        let content = fs::read_to_string(path).unwrap();
        content.lines().map(|line| line.strip_prefix(TIME).expect("a time first").to_string()).collect()
    }

    #[test]
    fn lines_get_their_time_and_pieces_of_a_line_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/x.log");
        let mut log = Log::open(&path, Rotation::default()).unwrap();
        for piece in ["one\ntw", "o\n", "\n", "three"] {
            log.append(piece.as_bytes(), NOW);
        }
        assert_eq!(texts(&path), ["one", "two", "", "three"]);
        log.finish();
        assert!(fs::read(&path).unwrap().ends_with(b"three\n"));
    }

    #[test]
    fn a_reopened_log_goes_on_in_the_middle_of_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        Log::open(&path, Rotation::default()).unwrap().append(b"begun", NOW);
        Log::open(&path, Rotation::default()).unwrap().append(b" and ended\nnext\n", NOW);
        assert_eq!(texts(&path), ["begun and ended", "next"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = Log::open(&path, Rotation::default()).unwrap();
        let long = vec![b'x'; 2 * LONGEST_LINE + 5];
        log.append(&long, NOW);
        log.append(b"\n", NOW);
        log.append(&long[..LONGEST_LINE], NOW);
        log.append(b"\nlast\n", NOW);
        let lengths: Vec<usize> = texts(&path).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 5, LONGEST_LINE, 4]);
    }

    #[test]
    fn a_full_log_is_kept_as_the_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = Log::open(&path, Rotation { max_bytes: 300, keep: 2 }).unwrap();
        let lines: String = (0..40).map(|n| format!("line {n}\n")).collect();
        log.append(lines.as_bytes(), NOW);
        let kept: Vec<String> = [numbered(&path, 2), numbered(&path, 1), path.clone()]
            .iter()
            .flat_map(|path| texts(path))
            .collect();
        assert!(kept.len() < 40 && kept.len() > 15, "{kept:?}");
        let expected: Vec<String> = (40 - kept.len()..40).map(|n| format!("line {n}")).collect();
        assert_eq!(kept, expected);
        assert!(!numbered(&path, 3).exists());
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_later() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        fs::write(&place, "in the way").unwrap();
        let path = place.join("x.log");
        let mut log = Log::closed(&path, Rotation::default());
        log.append(b"lost\n", NOW);
        assert_eq!(log.dropped(), 5);
        fs::remove_file(&place).unwrap();
        log.append(b"kept\n", NOW);
        assert_eq!(texts(&path), ["[adsum] 5 bytes of output could not be written", "kept"]);
        assert_eq!(log.dropped(), 5);
    }
}
