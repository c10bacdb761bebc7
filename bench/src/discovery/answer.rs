//! An answer over HTTP/1.1 on a connection that is kept.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Context;

use crate::crowd::Message;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `X-Consul-Index`, 0 where there is none.
    pub(super) index: u64,
    pub(super) body: String,
}

/// A `GET` as it is sent.
pub(super) fn get(path: &str) -> Vec<u8> {
    request("GET", path, "")
}

pub(super) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// What a service's clients ask again and again: who passes, after this index.
pub(super) fn passing(service: &str, index: u64) -> Vec<u8> {
    get(&format!("/v1/health/service/{service}?passing&index={index}&wait=600s"))
}

impl Answer {
    /// How many entries a list of health has.
    pub(super) fn entries(&self) -> usize {
        self.body.matches("\"Service\":{").count()
    }

    /// The one answer to what has been sent.
    pub(super) fn read(stream: &mut TcpStream) -> anyhow::Result<Answer> {
        let (mut input, mut chunk) = (Vec::new(), [0; 16 * 1024]);
        loop {
            if let Some((answer, _)) = Answer::cut(&input)? {
                return Ok(answer);
            }
            let count = stream.read(&mut chunk)?;
            anyhow::ensure!(count > 0, "the server has closed the connection");
            input.extend_from_slice(&chunk[..count]);
        }
    }
}

impl Message for Answer {
    fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
        stream.write_all(&get("/v1/status/leader"))?;
        Answer::read(stream).map(drop)
    }

    fn cut(input: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = input.windows(END.len()).position(|window| window == END) else { return Ok(None) };
        let head = str::from_utf8(&input[..end]).context("a head is text")?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "refused: {}", String::from_utf8_lossy(input));
        let length: usize = header(head, "content-length").context("an answer tells its length")?.parse()?;
        let begin = end + END.len();
        let Some(body) = input.get(begin..begin + length) else { return Ok(None) };
        let index = header(head, "x-consul-index").map_or(Ok(0), str::parse)?;
        let body = String::from_utf8_lossy(body).into_owned();
        Ok(Some((Answer { index, body }, begin + length)))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_cut_out_when_it_is_all_there() {
        let text = b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 2\r\n\r\n[]HTTP";
        let answer = Answer { index: 7, body: "[]".to_string() };
        assert_eq!(Answer::cut(text).unwrap(), Some((answer, text.len() - 4)));
        for length in 0..text.len() - 4 {
            assert_eq!(Answer::cut(&text[..length]).unwrap(), None);
        }
        assert!(Answer::cut(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").is_err());
    }

    #[test]
    fn entries_are_counted() {
        let body = r#"[{"Node":{},"Service":{"Service":"a"}},{"Node":{},"Service":{"Service":"a"}}]"#;
        assert_eq!(Answer { index: 1, body: body.to_string() }.entries(), 2);
    }
}
