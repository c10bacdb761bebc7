//! The way of an instance's output into its log.
//!
//! The pipe has a name, and the instance holds it open for reading too: it lives as long as the instance does, whatever
//! becomes of the keeper. Output is copied out of the pipe (tee(2)), written, and only then taken out, so a keeper that
//! is killed in between loses nothing; the next one may write up to one turn again.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{SpliceFFlags, tee};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::home;
use super::log::Log;
use crate::clock;

/// How much is read of one instance before the others have their turn, in bytes.
const TURN: usize = 16 * 1024;

/// How much is read at most of what an instance has left in its pipe: the largest that Linux gives without privilege.
const LARGEST_PIPE: usize = 1024 * 1024;

pub(crate) struct Output {
    pipe: File,
    pub(crate) log: Log,
}

/// What copying takes; one is enough for all instances.
pub(crate) struct Copier {
    from: PipeReader,
    to: PipeWriter,
    buffer: Vec<u8>,
}

impl Output {
    /// Makes the pipe anew. Nobody may use an older one of the same name.
    pub(crate) fn create(path: &Path, log: Log) -> io::Result<Output> {
        home::remove(path)?;
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        Output::open(path, log)
    }

    pub(crate) fn open(path: &Path, log: Log) -> io::Result<Output> {
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Output { pipe, log })
    }

    /// The instance's end: an open file of its own, for ours does not block. It is open for reading as well, so a
    /// write finds a reader even when there is no keeper.
    pub(crate) fn open_for_child(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Moves one turn's worth, and answers how many bytes that was.
    pub(crate) fn turn(&mut self, copier: &mut Copier) -> usize {
        let copied = copier.copy(&self.pipe).unwrap_or_default();
        if !copied.is_empty() {
            self.log.append(copied, clock::unix_ms());
            let length = copied.len();
            if let Err(error) = self.pipe.read_exact(&mut copier.buffer[..length]) {
                eprintln!("a pipe was emptied by somebody else: {error}");
            }
            return length;
        }
        0
    }

    /// Moves what is left, and ends the last line; for an instance of which nothing runs any more.
    pub(crate) fn finish(&mut self, copier: &mut Copier) {
        let mut moved = 0;
        while moved < LARGEST_PIPE {
            match self.turn(copier) {
                0 => break,
                bytes => moved += bytes,
            }
        }
        self.log.finish();
    }
}

impl Copier {
    pub(crate) fn new() -> io::Result<Copier> {
        let (from, to) = io::pipe()?;
        Ok(Copier { from, to, buffer: vec![0; TURN] })
    }

    /// What `pipe` holds, up to one turn's worth, which stays in it.
    fn copy(&mut self, pipe: &File) -> io::Result<&[u8]> {
        let length = tee(pipe, &self.to, TURN, SpliceFFlags::SPLICE_F_NONBLOCK)?;
        let copied = &mut self.buffer[..length];
        self.from.read_exact(copied)?;
        Ok(copied)
    }
}
