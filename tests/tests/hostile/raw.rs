//! A client that sends any bytes, and reads all answers there are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes; whoever waits for it in vain sees a connection that nobody closed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, received: Vec::new() }
    }

    /// Sends all of it, or as much as the other side takes before it closes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        loop {
            if let Some((answer, length)) = parse(&self.received, false) {
                self.received.drain(..length);
                return answer;
            }
            assert!(self.more(), "closed after {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    /// All answers up to the end of the connection, which the other side has to bring about.
    #[track_caller]
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        while self.more() {}
        let mut answers = Vec::new();
        while let Some((answer, length)) = parse(&self.received, true) {
            self.received.drain(..length);
            answers.push(answer);
        }
        assert!(self.received.is_empty(), "no answer: {:?}", String::from_utf8_lossy(&self.received));
        answers
    }

    /// Reads some. A connection that is reset is closed too; one on which nothing happens is not, and fails the test.
    #[track_caller]
    pub(crate) fn more(&mut self) -> bool {
        let mut chunk = [0; 16384];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend_from_slice(&chunk[..length]);
                true
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {
                panic!("neither answered nor closed; so far {:?}", String::from_utf8_lossy(&self.received))
            }
            Err(_) => false,
        }
    }

    /// What has come and was not read as an answer.
    pub(crate) fn received(&self) -> &[u8] {
        &self.received
    }
}

/// One answer and its length. Without a length it reaches to the end, when that has come.
fn parse(bytes: &[u8], ended: bool) -> Option<(Answer, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> =
        response.headers.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect();
    let answer = Answer { status: response.code?, headers, body: Vec::new() };
    if answer.status < 200 {
        return Some((answer, head));
    }
    let rest = &bytes[head..];
    if answer.header("transfer-encoding").is_some() {
        let (body, length) = chunks(rest)?;
        return Some((Answer { body, ..answer }, head + length));
    }
    let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.or(ended.then_some(rest.len()))?;
    let body = rest.get(..length)?.to_vec();
    Some((Answer { body, ..answer }, head + length))
}

fn chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(&bytes[at..]).ok()? else {
            return None;
        };
        let size = usize::try_from(size).ok()?;
        at += line;
        body.extend_from_slice(bytes.get(at..at + size)?);
        at += size + 2;
        if size == 0 {
            // The gateway adds no trailers of its own.
            return (bytes.len() >= at).then_some((body, at));
        }
    }
}
