//! What comes over the sockets, and what is closed.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::super::bind::Protocol;
use super::*;

/// A query for the A records of a name, with recursion desired.
pub(super) fn query(id: u16, name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = [id, 0x0100, 1, 0, 0, 0].iter().flat_map(|n| n.to_be_bytes()).collect();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// Id, code and number of answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said(pub(super) u16, pub(super) u8, pub(super) u16);

fn said(answer: &[u8]) -> Said {
    let number = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
    assert_eq!(answer[2] & 0x80, 0x80);
    Said(number(0), answer[3] & 0x0f, number(6))
}

pub(super) async fn ask(face: SocketAddr, query: &[u8]) -> Said {
    let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
    socket.connect(face).await.unwrap();
    socket.send(query).await.unwrap();
    received(&socket).await
}

pub(super) async fn ask_over_tcp(face: SocketAddr, query: &[u8]) -> Said {
    let mut stream = TcpStream::connect(face).await.unwrap();
    stream.write_all(&framed(query)).await.unwrap();
    read(&mut stream).await.unwrap()
}

async fn udp_client(face: &Face) -> UdpSocket {
    let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
    socket.connect(face.addr).await.unwrap();
    socket
}

async fn received(socket: &UdpSocket) -> Said {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).await.unwrap();
    said(&buffer[..length])
}

async fn tcp_client(face: &Face) -> TcpStream {
    TcpStream::connect(face.addr).await.unwrap()
}

/// The next answer, or none when the face has closed.
async fn read(stream: &mut TcpStream) -> Option<Said> {
    let length = stream.read_u16().await.ok()?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.unwrap();
    Some(said(&answer))
}

#[tokio::test]
async fn a_free_port_is_free_for_both_protocols() {
    let bound: Vec<Bound> = (0..20).map(|_| bind(ANY_PORT).unwrap()).collect();
    let ports: BTreeSet<u16> = bound.iter().map(|bound| bound.addr.port()).collect();
    assert_eq!(ports.len(), 20);
    assert!(!ports.contains(&0));
}

#[test]
fn a_taken_port_is_an_error_with_address_and_protocol() {
    let tcp = std::net::TcpListener::bind("127.0.53.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.53.2:0").unwrap();
    let takers = [(tcp.local_addr().unwrap(), Protocol::Tcp), (udp.local_addr().unwrap(), Protocol::Udp)];
    for (addr, protocol) in takers {
        let error = bind(addr).unwrap_err();
        assert_eq!((error.addr, error.protocol, error.source.kind()), (addr, protocol, ErrorKind::AddrInUse));
        assert!(error.is_taken());
        assert_eq!(error.to_string(), format!("cannot listen for DNS on {addr} over {protocol}"));
    }
}

#[test]
fn an_address_of_another_machine_is_an_error_at_once() {
    let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn a_question_is_answered_over_both_and_noted() {
    let face = Face::start();
    let udp = udp_client(&face).await;
    udp.send(&query(7, "web.service.adsum")).await.unwrap();
    assert_eq!(received(&udp).await, Said(7, 0, 2));
    assert_eq!(*face.asked.lock(), BTreeSet::from([name("web")]));

    let mut tcp = tcp_client(&face).await;
    tcp.write_all(&framed(&query(8, "many.service.consul"))).await.unwrap();
    assert_eq!(read(&mut tcp).await, Some(Said(8, 0, 100)));
    assert_eq!(*face.asked.lock(), BTreeSet::from([name("many"), name("web")]));
}

/// The answer to the query at the end is the first thing that comes back.
#[tokio::test]
async fn datagrams_that_are_no_queries_get_nothing_and_stop_nothing() {
    let face = Face::start();
    let udp = udp_client(&face).await;
    let mut reply = query(1, "web.service.adsum");
    reply[2] |= 0x80;
    for junk in [&b""[..], b"x", &[0xff; 11], &[0xff; 60_000], &reply] {
        udp.send(junk).await.unwrap();
    }
    udp.send(&query(2, "web.service.adsum")).await.unwrap();
    assert_eq!(received(&udp).await, Said(2, 0, 2));
}

#[tokio::test]
async fn queries_of_one_segment_are_answered_in_order() {
    let face = Face::start();
    let mut tcp = tcp_client(&face).await;
    let queries: Vec<u8> = (0..200).flat_map(|id| framed(&query(id, "web.service.adsum"))).collect();
    tcp.write_all(&queries).await.unwrap();
    for id in 0..200 {
        assert_eq!(read(&mut tcp).await, Some(Said(id, 0, 2)));
    }
}

#[tokio::test]
async fn a_query_may_come_byte_by_byte() {
    let face = Face::start();
    let mut tcp = tcp_client(&face).await;
    tcp.set_nodelay(true).unwrap();
    for byte in framed(&query(9, "down.service.adsum")) {
        tcp.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(read(&mut tcp).await, Some(Said(9, 0, 0)));
}

#[tokio::test]
async fn a_client_that_sends_no_more_still_gets_its_answer() {
    let face = Face::start();
    let mut tcp = tcp_client(&face).await;
    tcp.write_all(&framed(&query(9, "web.service.adsum"))).await.unwrap();
    tcp.shutdown().await.unwrap();
    assert_eq!(read(&mut tcp).await, Some(Said(9, 0, 2)));
    assert_eq!(read(&mut tcp).await, None);
}

#[tokio::test]
async fn a_connection_with_something_else_than_queries_is_closed() {
    let face = Face::start();
    let mut reply = query(1, "web.service.adsum");
    reply[2] |= 0x80;
    let junk =
        [vec![0, 0], framed(b"short"), vec![0xff, 0xff, 1], framed(&reply), b"GET / HTTP/1.1\r\n".to_vec()];
    for junk in junk {
        let mut tcp = tcp_client(&face).await;
        tcp.write_all(&junk).await.unwrap();
        assert_eq!(read(&mut tcp).await, None, "{junk:?}");
    }
    let mut tcp = tcp_client(&face).await;
    tcp.write_all(&framed(&query(3, "web.service.adsum"))).await.unwrap();
    assert_eq!(read(&mut tcp).await, Some(Said(3, 0, 2)));
}

#[tokio::test]
async fn a_silent_client_and_a_slow_one_are_closed() {
    let face = Face::within(Limits { patience: Duration::from_millis(100), ..Limits::default() });
    let mut silent = tcp_client(&face).await;
    assert_eq!(read(&mut silent).await, None);

    let (mut reader, mut writer) = tcp_client(&face).await.into_split();
    let drip = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while writer.write_all(&[1]).await.is_ok() {
            pace.tick().await;
        }
    };
    let mut nothing = [0; 1];
    tokio::select! {
        outcome = reader.read(&mut nothing) => assert!(outcome.map_or(true, |length| length == 0)),
        () = drip => {}
    }
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_closed() {
    let face = Face::within(Limits { patience: Duration::from_millis(100), ..Limits::default() });
    let mut tcp = tcp_client(&face).await;
    let queries = framed(&query(1, "many.service.adsum")).repeat(100);
    // Ends with an error: nothing is read here, so answers fill up every buffer and the face gives up.
    while tcp.write_all(&queries).await.is_ok() {}
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_has_its_turn_later() {
    let face =
        Face::within(Limits { connections: 2, patience: Duration::from_secs(60), ..Limits::default() });
    let ask = framed(&query(1, "web.service.adsum"));
    let mut first = tcp_client(&face).await;
    let mut second = tcp_client(&face).await;
    for client in [&mut first, &mut second] {
        client.write_all(&ask).await.unwrap();
        assert_eq!(read(client).await, Some(Said(1, 0, 2)));
    }
    let mut third = tcp_client(&face).await;
    assert_eq!(read(&mut third).await, None);
    drop(first);
    loop {
        let mut next = tcp_client(&face).await;
        let sent = next.write_all(&ask).await.is_ok();
        if sent && read(&mut next).await.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn a_face_that_is_stopped_leaves_its_port_and_its_clients() {
    let register = Register { catalog: Arc::new(catalog()), asked: Arc::default() };
    let bound = bind("127.0.53.3:0".parse().unwrap()).unwrap();
    let addr = bound.addr;
    let face = Face::serve(bound, Limits::default(), register, Arc::default());
    let mut tcp = tcp_client(&face).await;
    tcp.write_all(&framed(&query(1, "web.service.adsum"))).await.unwrap();
    assert_eq!(read(&mut tcp).await, Some(Said(1, 0, 2)));
    face.stop().await;
    assert_eq!(read(&mut tcp).await, None);
    bind(addr).unwrap();
}

/// Fails once, as a mistake of ours would make it.
#[derive(Clone)]
struct Faulty {
    failed: Arc<AtomicBool>,
    catalog: Arc<Catalog>,
}

impl Directory for Faulty {
    fn catalog(&self) -> Arc<Catalog> {
        assert!(self.failed.swap(true, Ordering::Relaxed), "the first query fails");
        self.catalog.clone()
    }

    fn asked(&self, _: &Name) {}
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let faulty = Faulty { failed: Arc::default(), catalog: Arc::new(catalog()) };
    let failed = faulty.failed.clone();
    let face = Face::serve(bind(ANY_PORT).unwrap(), Limits::default(), faulty, Arc::default());
    let udp = udp_client(&face).await;
    udp.send(&query(1, "web.service.adsum")).await.unwrap();
    udp.send(&query(2, "web.service.adsum")).await.unwrap();
    assert_eq!(received(&udp).await, Said(2, 0, 2));
    assert!(failed.load(Ordering::Relaxed));
}
