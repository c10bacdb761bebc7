//! A client that sends bytes and reads answers, and knows where they end.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// One connection.
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// The first value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(had, _)| had.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl Wire {
    pub(crate) async fn connect(addr: SocketAddr) -> Wire {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Wire::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn over(stream: S) -> Wire<S> {
        Wire { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let length =
            if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: web.test\r\n{length}\r\n{body}")).await;
        self.answer_to(method).await.unwrap()
    }

    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        self.answer_to("GET").await
    }

    /// Reads one answer to its end. An error is one that has not ended.
    pub(crate) async fn answer_to(&mut self, method: &str) -> io::Result<Answer> {
        timeout(PATIENCE, self.read_answer(method)).await.expect("an answer within the time of the test")
    }

    async fn read_answer(&mut self, method: &str) -> io::Result<Answer> {
        let head = self.head().await?;
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let bodiless = method == "HEAD" || status == 204 || status == 304 || status / 100 == 1;
        let body = match (bodiless, header(&head, "content-length"), header(&head, "transfer-encoding")) {
            (true, _, _) => Vec::new(),
            (_, Some(length), None) => self.take(length.parse().unwrap()).await?,
            (_, None, Some("chunked")) => self.chunks().await?,
            (_, None, None) => self.rest().await?,
            (_, length, encoding) => panic!("length {length:?} and encoding {encoding:?}"),
        };
        Ok(Answer { status, head, body })
    }

    pub(crate) async fn head(&mut self) -> io::Result<String> {
        let end = self.find(b"\r\n\r\n").await?;
        Ok(String::from_utf8(self.read.drain(..end + 4).collect()).unwrap())
    }

    pub(crate) async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.find(b"\r\n").await?;
            let line: Vec<u8> = self.read.drain(..end + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
            if size == 0 {
                // Trailers, and the empty line.
                while self.find(b"\r\n").await? > 0 {
                    let end = self.find(b"\r\n").await?;
                    let trailer: Vec<u8> = self.read.drain(..end + 2).collect();
                    body.extend_from_slice(b"[trailer ");
                    body.extend_from_slice(&trailer[..end]);
                    body.push(b']');
                }
                self.read.drain(..2);
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            self.take(2).await?;
        }
    }

    async fn find(&mut self, pattern: &[u8]) -> io::Result<usize> {
        loop {
            if let Some(at) = self.read.windows(pattern.len()).position(|window| window == pattern) {
                return Ok(at);
            }
            self.more().await?;
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Ok(self.read.drain(..count).collect())
    }

    /// Until the other side has closed.
    pub(crate) async fn rest(&mut self) -> io::Result<Vec<u8>> {
        timeout(PATIENCE, self.stream.read_to_end(&mut self.read))
            .await
            .expect("an end within the time of the test")?;
        Ok(std::mem::take(&mut self.read))
    }

    async fn more(&mut self) -> io::Result<()> {
        match timeout(PATIENCE, self.stream.read_buf(&mut self.read))
            .await
            .expect("bytes within the time of the test")?
        {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
