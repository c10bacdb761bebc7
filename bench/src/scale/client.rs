//! One client that waits for each reply.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

use super::reply::Reply;

/// No reply of a benchmark takes longer; one that does is a finding, not a reason to hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// Requests that are on their way at a time when many are sent.
const PIPELINE: usize = 1000;
/// Enough for what one write of a server brings.
const BUFFER: usize = 256 * 1024;

pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(super) fn open(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::with_capacity(BUFFER, stream) })
    }

    pub(super) fn ask(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        let mut request = Vec::new();
        encode(&mut request, &bytes_of(words));
        self.exchange(&request)
    }

    /// A request that is already encoded.
    pub(super) fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Reply> {
        self.stream.get_mut().write_all(request)?;
        self.read()
    }

    pub(super) fn read(&mut self) -> anyhow::Result<Reply> {
        match Reply::read(&mut self.stream)? {
            Reply::Error(error) => anyhow::bail!("the server refused: {error}"),
            reply => Ok(reply),
        }
    }

    /// A request whose reply is long and not looked at. How many elements it had.
    pub(super) fn skim(&mut self, words: &[&str]) -> anyhow::Result<usize> {
        let mut request = Vec::new();
        encode(&mut request, &bytes_of(words));
        self.stream.get_mut().write_all(&request)?;
        Ok(Reply::skip(&mut self.stream)?)
    }

    /// Many requests, pipelined; none may be refused.
    pub(super) fn pour<'a, const N: usize>(
        &mut self,
        requests: impl Iterator<Item = [&'a [u8]; N]>,
    ) -> anyhow::Result<()> {
        let mut requests = requests.peekable();
        let mut batch = Vec::new();
        while requests.peek().is_some() {
            batch.clear();
            let mut count = 0;
            requests.by_ref().take(PIPELINE).for_each(|words| {
                encode(&mut batch, &words);
                count += 1;
            });
            self.stream.get_mut().write_all(&batch)?;
            for _ in 0..count {
                Reply::skip(&mut self.stream).context("one of many requests was not done")?;
            }
        }
        Ok(())
    }
}

/// Appends a request.
pub(super) fn encode(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

pub(super) fn bytes_of<'a>(words: &[&'a str]) -> Vec<&'a [u8]> {
    words.iter().map(|word| word.as_bytes()).collect()
}

/// A request of its own.
pub(super) fn request(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, &bytes_of(words));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_announces_each_of_its_words() {
        assert_eq!(request(&["GET", "ab"]), b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n");
    }
}
