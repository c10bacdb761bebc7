//! Connections with any number of queries, each after its length (RFC 7766 8). Answers come in the order of their
//! queries, also when the client does not wait for them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use adsum_dns::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::desk::Desk;
use super::pause::Pause;
use super::{Directory, LONGEST_QUERY};

/// Bytes of a header: what is shorter is no message.
const SHORTEST_QUERY: usize = 12;
/// Bytes that are read at once: some queries of a client that sends several.
const READ_AHEAD: usize = 1024;

/// Connections end with the future.
pub(super) async fn serve<D: Directory>(
    listener: &TcpListener,
    desk: &Arc<Desk<D>>,
    connections: usize,
    patience: Duration,
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
            Ok((stream, _)) if clients.len() < connections => {
                pause.reset();
                clients.spawn(converse(stream, desk.clone(), patience));
            }
            Ok((_, client)) => {
                let detail = format_args!("{client}, {connections} connections");
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
async fn converse<D: Directory>(stream: TcpStream, desk: Arc<Desk<D>>, patience: Duration) {
    if let Err(error) = answer_all(stream, &desk, patience).await {
        tracing::debug!(%error, "a DNS client over TCP has gone");
    }
}

async fn answer_all<D: Directory>(stream: TcpStream, desk: &Desk<D>, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(READ_AHEAD, stream);
    let mut query = Vec::new();
    while timeout(patience, read(&mut stream, &mut query)).await?? {
        let Some(answer) = answer(desk, &query).await else { return Ok(()) };
        timeout(patience, write(stream.get_mut(), &answer)).await??;
    }
    Ok(())
}

async fn answer<D: Directory>(desk: &Desk<D>, query: &[u8]) -> Option<Vec<u8>> {
    let answer = desk.answer(query);
    if desk.leaves_to_others(&answer) { desk.ask_others(query, Transport::Tcp).await } else { answer.bytes }
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
