//! Names that are not ours are asked of a resolver, for those who have pointed all of their questions at us.
//!
//! A query goes on as it is, but for its id; the answer comes back as it is, but for its id. From a socket of its own
//! with a port that the system chooses, connected: what anybody else sends to it does not arrive, and what arrives counts
//! only with the id and the question that were sent (RFC 5452).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use adsum_dns::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Queries that are under way at a time.
const PLACES: usize = 500;
/// How long one resolver may take, before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a header, before the question.
const HEADER: usize = 12;

pub(super) struct Forwarder {
    resolvers: Vec<SocketAddr>,
    places: Semaphore,
}

impl Forwarder {
    /// None where there is nobody to ask.
    pub(super) fn new(resolvers: Vec<SocketAddr>) -> Option<Forwarder> {
        (!resolvers.is_empty()).then(|| Forwarder { resolvers, places: Semaphore::new(PLACES) })
    }

    /// The first answer that one of the resolvers gives, in their order.
    pub(super) async fn ask(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let _place = self.places.try_acquire().ok()?;
        for resolver in &self.resolvers {
            match timeout(PATIENCE, ask(*resolver, query, transport)).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%resolver, %error, "a resolver cannot be asked"),
                Err(_) => tracing::debug!(%resolver, "a resolver has not answered"),
            }
        }
        None
    }
}

async fn ask(resolver: SocketAddr, query: &[u8], transport: Transport) -> io::Result<Vec<u8>> {
    let (Some(id), Some(question)) = (query.first_chunk::<2>(), query.get(2..)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let other = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?.to_be_bytes();
    let sent = [&other[..2], question].concat();
    let mut answer = match transport {
        Transport::Udp => over_udp(resolver, &sent).await?,
        Transport::Tcp => over_tcp(resolver, &sent).await?,
    };
    answer[..2].copy_from_slice(id);
    Ok(answer)
}

async fn over_udp(resolver: SocketAddr, sent: &[u8]) -> io::Result<Vec<u8>> {
    let own: IpAddr = match resolver {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(sent).await?;
    let mut answer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answers(&answer[..length], sent) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn over_tcp(resolver: SocketAddr, sent: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(sent.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), sent].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if answers(&answer, sent) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Whether this is an answer to what was sent: its id, and the name, type and class of its question.
fn answers(answer: &[u8], sent: &[u8]) -> bool {
    let (Some(asked), Some(said)) = (question(sent), question(answer)) else { return false };
    answer[..2] == sent[..2] && answer[2] & 0x80 != 0 && said.eq_ignore_ascii_case(asked)
}

/// The bytes of the one question. Its name has no pointers, since there is nothing that it could point to.
fn question(message: &[u8]) -> Option<&[u8]> {
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1 + length;
        match length {
            0 => return message.get(HEADER..at + 4),
            1..=63 => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u8, flags: u8, name: &[u8]) -> Vec<u8> {
        [&[0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &[0, 1, 0, 1]].concat()
    }

    #[test]
    fn an_answer_has_the_id_and_the_question_that_were_sent() {
        let sent = message(7, 1, b"\x03web\0");
        assert!(answers(&message(7, 0x81, b"\x03web\0"), &sent));
        assert!(answers(&message(7, 0x81, b"\x03WEB\0"), &sent));
        for other in [message(8, 0x81, b"\x03web\0"), message(7, 0x81, b"\x03wep\0"), sent.clone()] {
            assert!(!answers(&other, &sent), "{other:x?}");
        }
        assert!(!answers(&[], &sent) && !answers(&[0; 12], &sent) && !answers(&[0xc0; 40], &sent));
    }
}
