//! HTTP/2 frames written by hand (RFC 9113), so that they can be wrong.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// What the other side ended a connection with.
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

/// How the other side took it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// GOAWAY with this code.
    Away(u32),
    Closed,
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block without compression: the static table and literals.
pub(super) fn head(method: &str, path: &str) -> Vec<u8> {
    let method = match method {
        "GET" => 0x82,
        "POST" => 0x83,
        other => panic!("{other} is not written by these tests"),
    };
    [&[method, 0x86], &literal(4, path)[..], &literal(1, "a.example")].concat()
}

/// A value for a name of the static table, not remembered.
fn literal(name: u8, value: &str) -> Vec<u8> {
    [&[name, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

/// A field with its name, not remembered.
pub(super) fn named(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &length(name), name.as_bytes(), &length(value), value.as_bytes()].concat()
}

/// A length of at most 254 (RFC 7541, 5.1).
fn length(text: &str) -> Vec<u8> {
    match u8::try_from(text.len()).unwrap() {
        length @ 0..127 => vec![length],
        length => vec![127, length - 127],
    }
}

/// A connection by prior knowledge.
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Connection {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        Connection { stream, received: Vec::new() }
    }

    /// Whether the other side still takes it. What it does not take within seconds it has stopped reading.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame; none when the connection has ended.
    #[track_caller]
    pub(super) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let mut chunk = [0; 16384];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("neither a frame nor an end"),
                Err(_) => return None,
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let [a, b, c, kind, flags, rest @ ..] = self.received.get(..9)? else { return None };
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let stream = u32::from_be_bytes(rest.try_into().unwrap());
        let (kind, flags, payload) = (*kind, *flags, self.received.get(9..9 + length)?.to_vec());
        self.received.drain(..9 + length);
        Some(Frame { kind, flags, stream, payload })
    }

    /// Reads to the end, or to the GOAWAY that tells the reason.
    #[track_caller]
    pub(super) fn end(&mut self) -> End {
        while let Some(frame) = self.frame() {
            if frame.kind == GOAWAY {
                return End::Away(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        End::Closed
    }
}
