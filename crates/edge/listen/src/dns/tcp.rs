//! Connections with any number of queries, each after its length (RFC 7766 8). Answers come in the order of their
//! queries, also when the client does not wait for them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::desk::Desk;
use super::pause::Pause;
use super::{Directory, LONGEST_QUERY, Limits};

/// Bytes of a header: what is shorter is no message.
const SHORTEST_QUERY: usize = 12;
/// Bytes that are read at once: some queries of a client that sends several.
const READ_AHEAD: usize = 1024;

/// Connections end with the future.
pub(super) async fn serve<D: Directory>(
    listener: &TcpListener,
    desk: &Arc<Desk<D>>,
    limits: Limits,
) -> Infallible {
    let mut clients = JoinSet::new();
    let mut pause = Pause::new();
    loop {
        let accepted = tokio::select! {
            biased;
            // First, so that nobody is turned away for one who has gone.
            Some(_) = clients.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if clients.len() < limits.connections => {
                pause.reset();
                clients.spawn(converse(stream, desk.clone(), limits));
            }
            Ok((_, client)) => {
                let detail = format_args!("{client}, {} connections", limits.connections);
                desk.complain("closed a DNS client that is one too many", &detail);
            }
            Err(error) => {
                desk.complain("cannot accept DNS clients over TCP", &error);
                tokio::time::sleep(pause.grow()).await;
            }
        }
    }
}

/// Until the client goes, is too slow, or sends what is no query. How it ends is the client's affair.
async fn converse<D: Directory>(stream: TcpStream, desk: Arc<Desk<D>>, limits: Limits) {
    if let Err(error) = answer_all(stream, &desk, limits).await {
        tracing::debug!(%error, "a DNS client over TCP has gone");
    }
}

async fn answer_all<D: Directory>(stream: TcpStream, desk: &Desk<D>, limits: Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(READ_AHEAD, stream);
    let mut query = Vec::new();
    while timeout(limits.patience, read(&mut stream, &mut query)).await?? {
        let Some(answer) = desk.answer(&query) else { return Ok(()) };
        timeout(limits.patience, write(stream.get_mut(), &answer)).await??;
    }
    Ok(())
}

/// The next query; `false` when there is none, or something that is none.
async fn read(stream: &mut BufReader<TcpStream>, query: &mut Vec<u8>) -> io::Result<bool> {
    let length = match stream.read_u16().await {
        Ok(length) => usize::from(length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    };
    if !(SHORTEST_QUERY..=LONGEST_QUERY).contains(&length) {
        return Ok(false);
    }
    query.resize(length, 0);
    stream.read_exact(query).await?;
    Ok(true)
}

/// Length and message in one piece (RFC 7766 8).
async fn write(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
    let message = [&length.to_be_bytes(), answer].concat();
    stream.write_all(&message).await
}
