//! One agent's connection: bytes in, requests out; answers in, bytes out. Never blocks.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::wire::{self, LONGEST_FRAME, Request, Word};

pub(crate) struct Connection {
    /// Names it among the keeper's connections, for ever.
    pub(crate) number: u64,
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    gone: bool,
}

impl Connection {
    pub(crate) fn new(number: u64, stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { number, stream, input: Vec::new(), output: Vec::new(), gone: false })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(crate) fn wants_to_write(&self) -> bool {
        !self.output.is_empty()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Reads what is there, a bounded piece of it, and answers the requests that are whole.
    pub(crate) fn read(&mut self) -> Vec<Request> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.gone = true,
            Ok(length) => self.input.extend_from_slice(&piece[..length]),
            Err(error) => self.gone |= !is_temporary(&error),
        }
        let mut requests = Vec::new();
        loop {
            match wire::take(&mut self.input) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => {
                    eprintln!("a connection is closed: {error}");
                    self.gone = true;
                    break;
                }
            }
        }
        self.input.shrink_to(64 * 1024);
        requests
    }

    /// Says something, later when the other side does not read now. One that does not read at all is given up.
    pub(crate) fn say(&mut self, word: &Word) {
        wire::put(&mut self.output, word);
        self.flush();
        self.gone |= self.output.len() > 2 * LONGEST_FRAME;
    }

    pub(crate) fn flush(&mut self) {
        while !self.output.is_empty() && !self.gone {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if is_temporary(&error) => break,
                Err(_) => self.gone = true,
            }
        }
    }

    /// Says the last of it, and waits up to a second for that.
    pub(crate) fn finish(mut self) {
        let ready = self.stream.set_nonblocking(false);
        if ready.and_then(|()| self.stream.set_write_timeout(Some(Duration::from_secs(1)))).is_ok() {
            let _ = self.stream.write_all(&self.output);
        }
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
