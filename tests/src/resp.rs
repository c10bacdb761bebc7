//! The smallest Redis client that a test needs: requests that break off with the connection say so, which
//! `redis-cli` hides, and bytes that are no request can be sent.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A simple string, a bulk string or a number, as text.
    Text(String),
    /// Nothing is there.
    Nil,
    /// A refusal: `ERR unknown command`.
    Error(String),
    List(Vec<Reply>),
}

#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Connection> {
        Connection::open_for(address, PATIENCE)
    }

    /// With an own patience for each answer.
    pub fn open_for(address: SocketAddr, patience: Duration) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// One command and its answer.
    pub fn ask(&mut self, command: &[&str]) -> Result<Reply> {
        self.send(command)?;
        self.read()
    }

    /// A command whose answer is read later, or never.
    pub fn send(&mut self, command: &[&str]) -> Result<()> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.send_bytes(request.as_bytes())
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The next answer.
    pub fn read(&mut self) -> Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| Error::other("an empty line"))?;
        match kind {
            "+" | ":" => Ok(Reply::Text(rest.to_string())),
            "-" => Ok(Reply::Error(rest.to_string())),
            "$" => self.bulk(rest),
            "*" => match count(rest)? {
                None => Ok(Reply::Nil),
                Some(length) => Ok(Reply::List((0..length).map(|_| self.read()).collect::<Result<_>>()?)),
            },
            _ => Err(Error::other(format!("not an answer: {line}"))),
        }
    }

    /// Everything until the other side closes the connection.
    pub fn read_to_end(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn bulk(&mut self, length: &str) -> Result<Reply> {
        let Some(length) = count(length)? else { return Ok(Reply::Nil) };
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let whole = line.strip_suffix("\r\n");
        whole.map(str::to_string).ok_or_else(|| Error::other("the connection was closed"))
    }
}

/// None for -1.
fn count(text: &str) -> Result<Option<usize>> {
    match text {
        "-1" => Ok(None),
        _ => text.parse().map(Some).map_err(Error::other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers whatever comes with these bytes, and closes.
    fn answering(bytes: &'static [u8]) -> Connection {
        let listener = crate::port::taken();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(bytes).unwrap();
        });
        Connection::open(address).unwrap()
    }

    #[test]
    fn answers_of_every_kind_are_read() {
        let mut connection =
            answering(b"+OK\r\n:7\r\n$-1\r\n$2\r\nab\r\n-ERR no\r\n*2\r\n$1\r\na\r\n$-1\r\n");
        let text = |text: &str| Reply::Text(text.to_string());
        assert_eq!(connection.ask(&["PING"]).unwrap(), text("OK"));
        let rest: Vec<Reply> = (0..5).map(|_| connection.read().unwrap()).collect();
        let list = Reply::List(vec![text("a"), Reply::Nil]);
        assert_eq!(rest, [text("7"), Reply::Nil, text("ab"), Reply::Error("ERR no".to_string()), list]);
    }

    #[test]
    fn an_answer_that_broke_off_is_none() {
        let mut connection = answering(b"+O");
        assert!(connection.ask(&["PING"]).is_err());
        let mut connection = answering(b"$5\r\nab");
        assert!(connection.ask(&["GET", "a"]).is_err());
    }
}
