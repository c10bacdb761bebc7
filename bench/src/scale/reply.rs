//! Replies of the Redis protocol, read from a socket or from bytes that may have broken off.

use std::io::{self, BufRead, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::client::request;
use crate::crowd::Message;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    Number(i64),
    Error(String),
    Nil,
    List(Vec<Reply>),
}

impl Message for Reply {
    fn greet(stream: &mut TcpStream) -> anyhow::Result<()> {
        stream.write_all(&request(&["PING"]))?;
        let mut pong = [0; 7];
        stream.read_exact(&mut pong)?;
        anyhow::ensure!(&pong == b"+PONG\r\n", "refused: {}", String::from_utf8_lossy(&pong));
        Ok(())
    }

    fn cut(input: &[u8]) -> anyhow::Result<Option<(Reply, usize)>> {
        let mut rest = input;
        match Reply::read(&mut rest) {
            Ok(Reply::Error(error)) => anyhow::bail!("the server refused: {error}"),
            Ok(reply) => Ok(Some((reply, input.len() - rest.len()))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Reply {
    /// The next one; `UnexpectedEof` when it is not all there.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Reply> {
        let (kind, rest) = head(from)?;
        Ok(match kind {
            b'+' => Reply::Text(rest.into_bytes()),
            b'-' => Reply::Error(rest),
            b':' => Reply::Number(number(&rest)?),
            b'$' => match length(&rest)? {
                None => Reply::Nil,
                Some(length) => Reply::Text(bulk(from, length)?),
            },
            _ => match length(&rest)? {
                None => Reply::Nil,
                Some(length) => {
                    Reply::List((0..length).map(|_| Reply::read(from)).collect::<io::Result<_>>()?)
                }
            },
        })
    }

    /// Reads over one and keeps nothing of it. How many texts and numbers it had.
    pub(super) fn skip(from: &mut impl BufRead) -> io::Result<usize> {
        let (mut open, mut leaves) = (1usize, 0);
        while open > 0 {
            open -= 1;
            let (kind, rest) = head(from)?;
            match kind {
                b'-' => return Err(Error::other(rest)),
                b'*' | b'>' | b'%' => open += length(&rest)?.unwrap_or(0),
                b'$' => {
                    let bytes = length(&rest)?.map_or(0, |length| length + 2) as u64;
                    let skipped = io::copy(&mut from.by_ref().take(bytes), &mut io::sink())?;
                    if skipped < bytes {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    leaves += 1;
                }
                _ => leaves += 1,
            }
        }
        Ok(leaves)
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Reply::Number(number) => Some(*number),
            Reply::Text(_) | Reply::Error(_) | Reply::Nil | Reply::List(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Reply::Text(text) => Some(text),
            Reply::Number(_) | Reply::Error(_) | Reply::Nil | Reply::List(_) => None,
        }
    }

    /// Nothing for what is no list.
    pub(super) fn items(&self) -> &[Reply] {
        match self {
            Reply::List(items) => items,
            Reply::Text(_) | Reply::Number(_) | Reply::Error(_) | Reply::Nil => &[],
        }
    }
}

/// Of the first line its kind and the rest.
fn head(from: &mut impl BufRead) -> io::Result<(u8, String)> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    let whole = line.strip_suffix(b"\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let (kind, rest) = whole.split_first().ok_or_else(|| Error::other("an empty line"))?;
    match kind {
        b'+' | b'-' | b':' | b'$' | b'*' | b'>' | b'%' => {
            Ok((*kind, String::from_utf8_lossy(rest).into_owned()))
        }
        _ => Err(Error::other(format!("no reply: {}", String::from_utf8_lossy(whole)))),
    }
}

fn bulk(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(Error::other)
}

/// None for -1.
fn length(text: &str) -> io::Result<Option<usize>> {
    Ok(usize::try_from(number(text)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"*4\r\n$2\r\nab\r\n:7\r\n*1\r\n+OK\r\n$-1\r\n";

    #[test]
    fn a_reply_is_read_with_everything_in_it() {
        let mut from = BYTES;
        let text = |text: &str| Reply::Text(text.into());
        let inner = Reply::List(vec![text("OK")]);
        let expected = Reply::List(vec![text("ab"), Reply::Number(7), inner, Reply::Nil]);
        assert_eq!(Reply::read(&mut from).unwrap(), expected);
        assert_eq!(from, b"");
    }

    #[test]
    fn a_reply_that_is_not_all_there_is_none() {
        for length in 0..BYTES.len() {
            let error = Reply::read(&mut &BYTES[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{length}");
            assert_eq!(Reply::skip(&mut &BYTES[..length]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_reply_that_is_skipped_is_counted() {
        let mut from = &[BYTES, b":1\r\n"].concat()[..];
        assert_eq!(Reply::skip(&mut from).unwrap(), 4);
        assert_eq!(Reply::skip(&mut from).unwrap(), 1);
        assert!(Reply::skip(&mut &b"-ERR no\r\n"[..]).is_err());
    }
}
