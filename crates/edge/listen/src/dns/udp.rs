//! A datagram in, a datagram out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use adsum_dns::{Limiter, Recent, Transport, Verdict, truncated};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::desk::Desk;
use super::pause::Pause;
use super::{Directory, LONGEST_QUERY};

pub(super) async fn serve<D: Directory>(
    socket: &Arc<UdpSocket>,
    desk: &Arc<Desk<D>>,
    limiter: Option<Limiter>,
) -> Infallible {
    let mut buffer = vec![0; LONGEST_QUERY];
    let mut window = Window {
        socket: socket.clone(),
        desk: desk.clone(),
        recent: Recent::new(Transport::Udp),
        limiter,
        elsewhere: JoinSet::new(),
    };
    let mut pause = Pause::new();
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, client)) => {
                pause.reset();
                window.serve(&buffer[..length], client).await;
            }
            Err(error) => {
                desk.complain("cannot receive DNS queries over UDP", &error);
                tokio::time::sleep(pause.grow()).await;
            }
        }
    }
}

struct Window<D> {
    socket: Arc<UdpSocket>,
    desk: Arc<Desk<D>>,
    recent: Recent,
    limiter: Option<Limiter>,
    /// Queries that wait for a resolver.
    elsewhere: JoinSet<()>,
}

impl<D: Directory> Window<D> {
    async fn serve(&mut self, query: &[u8], client: SocketAddr) {
        let answer = match self.judge(client) {
            Verdict::Drop => return,
            Verdict::Truncate => truncated(query),
            Verdict::Answer => {
                let answer = self.desk.answer_again(query, &mut self.recent);
                if self.desk.leaves_to_others(&answer) {
                    return self.ask_others(query, client);
                }
                answer.bytes
            }
        };
        if let Some(answer) = answer {
            send(&self.socket, &self.desk, &answer, client).await;
        }
    }

    fn judge(&mut self, client: SocketAddr) -> Verdict {
        match &mut self.limiter {
            Some(limiter) => limiter.judge(client.ip(), Instant::now()),
            None => Verdict::Answer,
        }
    }

    /// Beside the others, which do not wait for it.
    fn ask_others(&mut self, query: &[u8], client: SocketAddr) {
        while self.elsewhere.try_join_next().is_some() {}
        let (socket, desk, query) = (self.socket.clone(), self.desk.clone(), query.to_vec());
        self.elsewhere.spawn(async move {
            if let Some(answer) = desk.ask_others(&query, Transport::Udp).await {
                send(&socket, &desk, &answer, client).await;
            }
        });
    }
}

/// An answer that cannot be sent is lost, as any datagram may be.
async fn send<D: Directory>(socket: &UdpSocket, desk: &Desk<D>, answer: &[u8], client: SocketAddr) {
    if let Err(error) = socket.send_to(answer, client).await {
        desk.complain("cannot send a DNS answer over UDP", &format_args!("to {client}: {error}"));
    }
}
