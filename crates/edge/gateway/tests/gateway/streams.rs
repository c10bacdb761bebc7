//! Streams of HTTP/2: those that nobody takes, those that an instance does not take all at once, long ones.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adsum_model::{Health, Policy, Upstream};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

use crate::kit::{Backend, House, Wire};
use crate::secure::{ask, h2_frame, http2, speaking, text};

const MS: Duration = Duration::from_millis(1);

/// An instance that takes one stream at a time on each connection, and answers when `together` of them are there.
async fn one_by_one(together: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (barrier, connections) = (Arc::new(Barrier::new(together)), Arc::<AtomicUsize>::default());
    let count = connections.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let barrier = barrier.clone();
            let service = hyper::service::service_fn(move |_: Request<Incoming>| {
                let barrier = barrier.clone();
                async move {
                    barrier.wait().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"together"))))
                }
            });
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(1);
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), service));
        }
    });
    (addr, connections)
}

async fn house(policy: Policy, addr: SocketAddr) -> House {
    let mut house = House::new();
    house.put("web", policy, &["PathPrefix(/)"], &[]);
    house.instance("web", 1, addr, Health::Passing);
    house.apply();
    house
}

#[tokio::test]
async fn instance_that_takes_few_streams_at_a_time_gets_more_connections() {
    let (addr, connections) = one_by_one(4).await;
    let house = house(speaking(Upstream::H2c), addr).await;
    for _ in 0..2 {
        let mut sender = http2(TcpStream::connect(house.addr()).await.unwrap()).await;
        let asked: Vec<_> = (0..4).map(|n| sender.send_request(ask(&format!("/{n}"), ""))).collect();
        for answer in asked {
            assert_eq!(text(answer.await.unwrap()).await, "together");
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn request_that_may_not_be_repeated_has_a_connection_of_its_own_without_a_lease() {
    let (addr, connections) = one_by_one(1).await;
    let house = house(speaking(Upstream::H2c), addr).await;
    house.control.lapse();
    let mut wire = house.connect().await;
    for (method, expect) in [("GET", 1), ("GET", 1), ("POST", 2), ("POST", 3), ("GET", 3)] {
        assert_eq!(wire.ask(method, "/", "").await.text(), "together");
        assert_eq!(connections.load(Ordering::SeqCst), expect, "after {method}");
    }
}

#[tokio::test]
async fn stream_of_a_client_may_last_longer_than_its_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(async |request: Request<Incoming>| {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(TokioIo::new(tcp), service).await
    });
    let policy = Policy { timeout: 300 * MS, try_timeout: 200 * MS, ..speaking(Upstream::H2c) };
    let house = house(policy, addr).await;
    let tcp = TcpStream::connect(house.addr()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let (pieces, body) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let body = StreamBody::new(futures_util::stream::unfold(body, |mut body| async {
        body.recv().await.map(|piece| (piece, body))
    }));
    let request = Request::post("http://web.test/").body(body.boxed()).unwrap();
    let answer = tokio::spawn(sender.send_request(request));
    for _ in 0..8 {
        pieces.send(Ok(Frame::data(Bytes::from_static(b"x")))).await.unwrap();
        tokio::time::sleep(100 * MS).await;
    }
    drop(pieces);
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "xxxxxxxx");
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 0.0);
}

#[tokio::test]
async fn long_answers_come_whole_to_a_client_whose_socket_takes_little_at_a_time() {
    const LENGTH: usize = 4 << 20;
    let pattern = |length| (0..length).map(|at: usize| (at / 7 % 251) as u8).collect::<Vec<u8>>();
    let backend = Backend::new(move |mut peer| async move {
        peer.request().await?;
        peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n")).await?;
        peer.write(pattern(LENGTH)).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let tcp = socket.connect(house.addr()).await.unwrap();
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(1 << 20).initial_connection_window_size(2 << 20);
    let (sender, connection) = client.handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let ask = |mut sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>| async move {
        let answer = sender.send_request(Request::get("http://web.test/").body(Full::default()).unwrap());
        answer.await.unwrap().into_body().collect().await.unwrap().to_bytes()
    };
    let (one, other) = tokio::join!(ask(sender.clone()), ask(sender));
    assert!(one == pattern(LENGTH) && other == pattern(LENGTH), "{} and {} bytes", one.len(), other.len());
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
/// `:scheme http`, `:path /`, `:authority a`; what comes before is the method.
const REST: [u8; 5] = [0x86, 0x84, 0x41, 1, b'a'];

/// A client by hand, whose streams may get `window` bytes.
async fn by_hand(house: &House, window: u32, method: u8, flags: u8) -> Wire {
    let mut wire = house.connect().await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let setting = [&[0, 4][..], &window.to_be_bytes()].concat();
    wire.send(h2_frame(SETTINGS, 0, 0, &setting)).await;
    wire.send(h2_frame(HEADERS, flags, 1, &[&[method][..], &REST].concat())).await;
    wire
}

/// The next frame of this kind.
async fn next(wire: &mut Wire, kind: u8) -> Vec<u8> {
    loop {
        let head = wire.take(9).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = wire.take(length).await.unwrap();
        if head[3] == kind {
            return payload;
        }
    }
}

#[tokio::test]
async fn stream_that_its_client_does_not_take_is_reset_and_its_connection_goes_on() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.say(&"nobody takes it".repeat(20_000)).await?;
        std::future::pending().await
    })
    .await;
    for window in [0, 4] {
        let mut house = House::with(|settings| settings.limits.write_timeout = 300 * MS);
        house.serve("web", Policy::default(), &[&backend]);
        // GET, the end of the stream and of its head.
        let mut wire = by_hand(&house, window, 0x82, 5).await;
        next(&mut wire, HEADERS).await;
        assert_eq!(next(&mut wire, RST_STREAM).await, 8u32.to_be_bytes(), "CANCEL");
        house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
        wire.send(h2_frame(PING, 0, 0, b"are you?")).await;
        assert_eq!(next(&mut wire, PING).await, b"are you?");
    }
}

#[tokio::test]
async fn answer_whose_last_piece_its_client_does_not_take_is_no_complete_one() {
    let backend = Backend::saying("nobody takes it").await;
    let mut house = House::with(|settings| settings.limits.write_timeout = 300 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = by_hand(&house, 1, 0x82, 5).await;
    assert_eq!(next(&mut wire, DATA).await, b"n", "what there is room for");
    assert_eq!(next(&mut wire, RST_STREAM).await, 8u32.to_be_bytes(), "CANCEL");
    house.metric_becomes("adsum_gateway_abandoned_total", "", 1.0).await;
    assert_eq!(house.metric("adsum_gateway_requests_total", "service=\"web\""), 0.0);
}

/// A piece of it takes longer than a client may take nothing at all.
#[tokio::test]
async fn client_that_takes_little_but_all_the_time_is_not_reset() {
    const LENGTH: usize = 300_000;
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.say(&"x".repeat(LENGTH)).await?;
        std::future::pending().await
    })
    .await;
    let mut house = House::with(|settings| settings.limits.write_timeout = 3000 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = by_hand(&house, 1, 0x82, 5).await;
    let mut taken = next(&mut wire, DATA).await.len();
    for _ in 0..16 {
        tokio::time::sleep(250 * MS).await;
        wire.send(h2_frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes())).await;
        taken += next(&mut wire, DATA).await.len();
    }
    assert_eq!(taken, 17);
    for stream in [0, 1] {
        wire.send(h2_frame(WINDOW_UPDATE, 0, stream, &(1u32 << 20).to_be_bytes())).await;
    }
    while taken < LENGTH {
        taken += next(&mut wire, DATA).await.len();
    }
    house.metric_becomes("adsum_gateway_requests_total", "service=\"web\"", 1.0).await;
}

#[tokio::test]
async fn client_that_answers_no_ping_is_let_go_whatever_else_it_has_said() {
    let backend = Backend::silent().await;
    let mut house = House::with(|settings| settings.limits.silence = 500 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = by_hand(&house, 65535, 0x82, 5).await;
    for _ in 0..2 {
        // One that answers is asked again.
        let ping = next(&mut wire, PING).await;
        wire.send(h2_frame(PING, 1, 0, &ping)).await;
    }
    next(&mut wire, PING).await;
    wire.send(h2_frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes())).await;
    wire.rest().await.unwrap();
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
}

#[tokio::test]
async fn stream_whose_body_falls_silent_is_ended_and_blames_nobody_else() {
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        std::future::pending().await
    })
    .await;
    let mut house = House::with(|settings| settings.limits.body_timeout = 300 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    // POST, whose body is to follow.
    let mut wire = by_hand(&house, 65535, 0x83, 4).await;
    next(&mut wire, HEADERS).await;
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 0.0);
}
