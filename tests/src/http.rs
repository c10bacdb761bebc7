//! The smallest HTTP client that a test needs: one request, one connection, no dependency on `curl`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any blocking query of a test.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// The body; panics when the status is another.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// `GET path`; an error when nobody listens or the answer breaks off.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<Response> {
    request(address, "GET", path, &[], "")
}

/// One request with these headers (`Host` and `Content-Length` are ours unless given) and this body.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer ends with the connection, and never comes in chunks.
    let mut head = format!("{method} {path} HTTP/1.0\r\n");
    let length = body.len().to_string();
    let host = address.to_string();
    for (name, value) in [("Host", host.as_str()), ("Content-Length", length.as_str())] {
        if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| std::io::Error::other("not an HTTP answer"))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string())).collect();
    Some(Response { status, headers, body: body.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    /// Answers one request with its own head, line by line.
    fn echo() -> SocketAddr {
        let listener = crate::port::taken();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            write!(stream, "HTTP/1.1 201 Created\r\nX-Index: 7\r\n\r\n{}", head.join("|")).unwrap();
        });
        address
    }

    #[test]
    fn an_answer_has_status_headers_and_body() {
        let address = echo();
        let response = request(address, "PUT", "/v1/kv/a", &[("Origin", "x")], "").unwrap();
        assert_eq!((response.status, response.header("x-index")), (201, Some("7")));
        let expect = format!("PUT /v1/kv/a HTTP/1.0|Host: {address}|Content-Length: 0|Origin: x");
        assert_eq!(response.body, expect);
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let ports = crate::port::Block::reserve();
        assert!(get(ports.address(0), "/").is_err());
    }
}
