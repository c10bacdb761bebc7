//! Requests as a backend reads them: HTTP/1.1 alone, strictly as much of it as a gateway sends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Far above what any test sends; a head that is longer is a fault of the gateway.
const LONGEST_HEAD: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// It is the last one on its connection: it says so, or it is of HTTP/1.0.
    pub(super) last: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    pub(super) fn says(&self, name: &str, token: &str) -> bool {
        let value = self.header(name).unwrap_or_default().to_ascii_lowercase();
        value.split(',').any(|part| part.trim() == token)
    }

    fn parse(head: &[u8]) -> Option<Request> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(head).ok()?.is_complete().then_some(())?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = parsed.headers.iter().map(|it| (it.name.to_ascii_lowercase(), text(it.value)));
        let headers = headers.collect();
        let (method, path) = (parsed.method?.to_string(), parsed.path?.to_string());
        let old = parsed.version? == 0;
        let request = Request { method, path, last: false, headers };
        Some(Request { last: old || request.says("connection", "close"), ..request })
    }
}

/// What waiting for a request has come to.
pub(super) enum Arrival {
    Request(Request),
    /// Nothing has come for so long.
    Idle,
    /// The other side has closed, or has sent what is no request.
    Ended,
}

/// A connection and what has come on it without having been read yet.
pub(super) struct Reader {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(stream: TcpStream) -> Reader {
        Reader { stream, buffer: Vec::new() }
    }

    /// The next request, when its first byte comes within `idle`.
    pub(super) async fn request(&mut self, idle: Option<Duration>) -> Arrival {
        if self.buffer.is_empty() {
            let more = match idle {
                Some(idle) => tokio::time::timeout(idle, self.more()).await,
                None => Ok(self.more().await),
            };
            match more {
                Ok(true) => (),
                Ok(false) => return Arrival::Ended,
                Err(_) => return Arrival::Idle,
            }
        }
        self.head().await.map_or(Arrival::Ended, Arrival::Request)
    }

    async fn head(&mut self) -> Option<Request> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Request::parse(&head);
            }
            if self.buffer.len() > LONGEST_HEAD || !self.more().await {
                return None;
            }
        }
    }

    /// Reads the body away and says how long it was; nothing when it broke off.
    pub(super) async fn body(&mut self, request: &Request) -> Option<usize> {
        if request.says("expect", "100-continue") {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
        }
        if request.says("transfer-encoding", "chunked") {
            return self.chunks().await;
        }
        let length = request.header("content-length").map_or(Some(0), |text| text.parse().ok())?;
        self.skip(length).await.then_some(length)
    }

    async fn chunks(&mut self) -> Option<usize> {
        let mut total = 0;
        loop {
            let line = self.line().await?;
            let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if length == 0 {
                while !self.line().await?.is_empty() {}
                return Some(total);
            }
            self.skip(length).await.then_some(())?;
            self.line().await?.is_empty().then_some(())?;
            total += length;
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await.then_some(())?;
        }
    }

    async fn skip(&mut self, mut length: usize) -> bool {
        loop {
            let here = length.min(self.buffer.len());
            self.buffer.drain(..here);
            length -= here;
            if length == 0 {
                return true;
            }
            if !self.more().await {
                return false;
            }
        }
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
