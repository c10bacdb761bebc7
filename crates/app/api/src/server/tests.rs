//! Connections on real sockets.

use axum::routing::get;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

struct Served {
    address: std::net::SocketAddr,
    close: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

async fn served(connections: usize) -> Served {
    let (header_time, patience) = (limits::HEADER_TIME, limits::PATIENCE);
    served_within(Bounds { connections, header_time, patience }).await
}

async fn served_within(bounds: Bounds) -> Served {
    let router = Router::new().route("/", get(async || "here")).route(
        "/wait",
        get(async |mut closing: Closing| {
            closing.closed().await;
            "closed"
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closed) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_within(bounds, listener, router, async {
        let _ = closed.await;
    }));
    Served { address, close, serving }
}

async fn send(served: &Served, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Reads until `end` has come, or the connection has ended.
async fn read(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
        }
    }
    text
}

#[tokio::test]
async fn a_connection_is_kept_for_more_than_one_request() {
    let served = served(10).await;
    let mut stream = send(&served, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(read(&mut stream, "here").await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read(&mut stream, "here").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let served = served(1).await;
    let mut first = send(&served, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    read(&mut first, "here").await;
    let mut second = TcpStream::connect(served.address).await.unwrap();
    let answer = read(&mut second, "try again").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("there are 1 connections"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_one_within_the_bound_is_not() {
    let served = served(10).await;
    for (length, status) in [(limits::HEADER - 100, "HTTP/1.1 200"), (limits::HEADER + 1, "HTTP/1.1 431")] {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(length));
        let mut stream = send(&served, &head).await;
        let answer = read(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with(status), "{length}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let served = served(10).await;
    let mut stream = send(&served, "*1\r\n$4\r\nPING\r\n").await;
    assert!(read(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_dropped() {
    let header_time = Duration::from_millis(50);
    let served = served_within(Bounds { connections: 10, header_time, patience: limits::PATIENCE }).await;
    let begun = std::time::Instant::now();
    let mut stream = send(&served, "GET / HTTP/1.1\r\nHost:").await;
    let answer = read(&mut stream, "never").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() >= header_time);
}

#[tokio::test]
async fn closing_answers_those_who_wait_and_takes_nobody_else() {
    let served = served(10).await;
    let mut idle = send(&served, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    read(&mut idle, "here").await;
    let mut waiting =
        send(&served, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    read(&mut waiting, "here").await;
    served.close.send(()).unwrap();
    assert!(read(&mut waiting, "closed").await.contains("closed"));
    served.serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    assert_eq!(read(&mut idle, "never").await, "");
}
