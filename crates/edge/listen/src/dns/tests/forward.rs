//! Names that are not ours, asked of somebody else.

use tokio::net::UdpSocket;

use super::sockets::{Said, ask, ask_over_tcp, query};
use super::*;

/// Who answers `Refused` himself, and what he is asked is noted. With what comes before each answer over UDP.
async fn resolver(before: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    // One port for both, as the face itself has.
    let (socket, listener) = bind(ANY_PORT).unwrap().into_tokio().unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 600];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(forged) = before(&buffer[..length]) {
                socket.send_to(&forged, client).await.unwrap();
            }
            socket.send_to(&found(&buffer[..length]), client).await.unwrap();
        }
    });
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.unwrap();
            stream.write_all(&super::sockets::framed(&found(&query))).await.unwrap();
        }
    });
    address
}

/// The query as an answer with the code that only he gives: YXDomain.
fn found(query: &[u8]) -> Vec<u8> {
    let mut answer = query.to_vec();
    (answer[2], answer[3]) = (0x81, 0x86);
    answer
}

fn forwarding(to: &[SocketAddr]) -> Face {
    Face::within(Limits { forward: to.to_vec(), ..Limits::default() })
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_asked_of_the_resolver_and_ours_is_not() {
    let face = forwarding(&[resolver(|_| None).await]);
    assert_eq!(ask(face.addr, &query(7, "example.com")).await, Said(7, 6, 0));
    assert_eq!(ask_over_tcp(face.addr, &query(8, "example.com")).await, Said(8, 6, 0));
    assert_eq!(ask(face.addr, &query(9, "web.service.adsum")).await, Said(9, 0, 2));
    face.stop().await;
}

#[tokio::test]
async fn without_a_resolver_it_is_refused() {
    let face = Face::start();
    assert_eq!(ask(face.addr, &query(7, "example.com")).await, Said(7, 5, 0));
    face.stop().await;
}

#[tokio::test]
async fn an_answer_to_something_else_does_not_count() {
    let forge = |query: &[u8]| {
        let mut other = found(query);
        other[0] ^= 1;
        other[3] = 0x80;
        Some(other)
    };
    let face = forwarding(&[resolver(forge).await]);
    assert_eq!(ask(face.addr, &query(7, "example.com")).await, Said(7, 6, 0));
    face.stop().await;
}

#[tokio::test]
async fn the_next_resolver_is_asked_when_one_is_not_there_and_when_none_is_that_is_said() {
    // It is somebody's, who talks to himself alone: others' queries are refused.
    let taken = UdpSocket::bind(ANY_PORT).await.unwrap();
    let nobody = taken.local_addr().unwrap();
    taken.connect(nobody).await.unwrap();
    let face = forwarding(&[nobody, resolver(|_| None).await]);
    assert_eq!(ask(face.addr, &query(7, "example.com")).await, Said(7, 6, 0));
    face.stop().await;
    let face = forwarding(&[nobody]);
    assert_eq!(ask(face.addr, &query(8, "example.com")).await, Said(8, 2, 0));
    assert_eq!(ask(face.addr, &query(9, "web.service.adsum")).await, Said(9, 0, 2));
    face.stop().await;
}
