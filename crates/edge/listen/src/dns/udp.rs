//! A datagram in, a datagram out.

use std::convert::Infallible;
use std::net::SocketAddr;

use adsum_dns::{Recent, Transport};
use tokio::net::UdpSocket;

use super::desk::Desk;
use super::pause::Pause;
use super::{Directory, LONGEST_QUERY};

pub(super) async fn serve<D: Directory>(socket: &UdpSocket, desk: &Desk<D>) -> Infallible {
    let mut buffer = vec![0; LONGEST_QUERY];
    let mut recent = Recent::new(Transport::Udp);
    let mut pause = Pause::new();
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, client)) => {
                pause.reset();
                if let Some(answer) = desk.answer_again(&buffer[..length], &mut recent) {
                    send(socket, desk, &answer, client).await;
                }
            }
            Err(error) => {
                desk.complain("cannot receive DNS queries over UDP", &error);
                tokio::time::sleep(pause.grow()).await;
            }
        }
    }
}

/// An answer that cannot be sent is lost, as any datagram may be.
async fn send<D: Directory>(socket: &UdpSocket, desk: &Desk<D>, answer: &[u8], client: SocketAddr) {
    if let Err(error) = socket.send_to(answer, client).await {
        desk.complain("cannot send a DNS answer over UDP", &format_args!("to {client}: {error}"));
    }
}
