//! The little of the Redis protocol (RESP2) that a lock needs: a command and its reply.

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No reply to a lock is near this size.
const LARGEST: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Null,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) address: String,
}

pub(super) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Server {
    pub(super) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(&self.address)).await;
        let stream = stream.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.with_context(|| {
            format!("no agent serves Redis clients at {}: check --resp-addr or ADSUM_RESP_ADDR", self.address)
        })?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, unread: Vec::new() })
    }
}

/// The agent understood, and said no.
#[derive(Debug, thiserror::Error)]
#[error("{command} is refused: {error}")]
pub(super) struct Refused {
    command: String,
    error: String,
}

impl Reply {
    /// An error reply is an error.
    fn checked(self, command: &str) -> Result<Reply, Refused> {
        match self {
            Reply::Error(error) => Err(Refused { command: command.to_string(), error }),
            reply => Ok(reply),
        }
    }

    /// Of a command that is answered with OK.
    pub(super) fn granted(self, command: &str) -> anyhow::Result<()> {
        match self.checked(command)? {
            Reply::Simple(_) => Ok(()),
            reply => bail!("the agent answers {command} with {reply:?}"),
        }
    }
}

impl Connection {
    /// Sends a command and waits for its reply. An error reply is an error.
    pub(super) async fn call(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        Ok(self.ask(words).await?.checked(words[0])?)
    }

    /// The same, with error replies as they are.
    pub(super) async fn ask(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        let reply = tokio::time::timeout(PATIENCE, self.exchange(words)).await;
        reply.with_context(|| format!("no reply to {} within 5s", words[0]))?
    }

    /// A command that the agent answers when it is time to, for ever when there is no patience.
    pub(super) async fn wait(&mut self, words: &[&str], patience: Option<Duration>) -> anyhow::Result<Reply> {
        let reply = match patience {
            None => self.exchange(words).await?,
            Some(patience) => {
                let reply = tokio::time::timeout(patience, self.exchange(words)).await;
                reply.with_context(|| format!("no reply to {} in time", words[0]))??
            }
        };
        Ok(reply.checked(words[0])?)
    }

    async fn exchange(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        self.stream.write_all(&request(words)).await?;
        self.receive().await
    }

    async fn receive(&mut self) -> anyhow::Result<Reply> {
        loop {
            if let Some((reply, length)) = parse(&self.unread)? {
                self.unread.drain(..length);
                return Ok(reply);
            }
            anyhow::ensure!(self.unread.len() < LARGEST, "a reply is larger than {LARGEST} bytes");
            let read = self.stream.read_buf(&mut self.unread).await?;
            if read == 0 {
                let gone =
                    io::Error::new(io::ErrorKind::UnexpectedEof, "the agent has closed the connection");
                return Err(gone.into());
            }
        }
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// The reply at the beginning of the bytes and its length; None until all of it is there.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<(Reply, usize)>> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (line, begin) = (std::str::from_utf8(&bytes[..end]).context("the reply is garbled")?, end + 2);
    let (kind, rest) = line.split_at_checked(1).context("the reply is garbled")?;
    let number = || rest.parse::<i64>().with_context(|| format!("the reply is garbled: '{line}'"));
    let reply = match kind {
        "+" => Reply::Simple(rest.to_string()),
        "-" => Reply::Error(rest.to_string()),
        ":" => Reply::Integer(number()?),
        "$" => return sized(number()?, |length| bulk(bytes, begin, length), begin),
        "*" => return sized(number()?, |length| array(bytes, begin, length), begin),
        _ => bail!("the reply is garbled: '{line}': is it an adsum agent that answers there?"),
    };
    Ok(Some((reply, begin)))
}

type Parsed = anyhow::Result<Option<(Reply, usize)>>;

/// A length of -1 is a null.
fn sized(length: i64, read: impl FnOnce(usize) -> Parsed, begin: usize) -> Parsed {
    match usize::try_from(length) {
        Err(_) => Ok(Some((Reply::Null, begin))),
        Ok(length) if length > LARGEST => bail!("a reply is larger than {LARGEST} bytes"),
        Ok(length) => read(length),
    }
}

fn bulk(bytes: &[u8], begin: usize, length: usize) -> Parsed {
    let end = begin + length;
    Ok((bytes.len() >= end + 2).then(|| (Reply::Bulk(bytes[begin..end].to_vec()), end + 2)))
}

/// Flat: what a lock is answered has no array within an array.
fn array(bytes: &[u8], mut begin: usize, length: usize) -> Parsed {
    let mut parts = Vec::new();
    for _ in 0..length {
        anyhow::ensure!(bytes.get(begin) != Some(&b'*'), "the reply is deeper than any that was asked for");
        let Some((part, length)) = parse(&bytes[begin..])? else { return Ok(None) };
        parts.push(part);
        begin += length;
    }
    Ok(Some((Reply::Array(parts), begin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Reply) {
        assert_eq!(parse(text.as_bytes()).unwrap(), Some((expect, text.len())));
        for cut in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..cut]).unwrap(), None, "cut at {cut}");
        }
    }

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        check("+OK\r\n", Reply::Simple("OK".into()));
        check("-ERR no\r\n", Reply::Error("ERR no".into()));
        check(":-2\r\n", Reply::Integer(-2));
        check("$-1\r\n", Reply::Null);
        check("$4\r\na\r\nb\r\n", Reply::Bulk(b"a\r\nb".to_vec()));
        check("*2\r\n$1\r\na\r\n:1\r\n", Reply::Array(vec![Reply::Bulk(b"a".to_vec()), Reply::Integer(1)]));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bad in ["HTTP/1.1 400\r\n", ":x\r\n", "\r\n", "$99999999999\r\n", "*1\r\n*1\r\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_command_is_an_array_of_its_words() {
        assert_eq!(request(&["GET", "ä"]), "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes());
    }
}
