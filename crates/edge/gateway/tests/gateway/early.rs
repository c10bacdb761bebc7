//! What an instance says early: before its answer, before the request has come to its end, before it was asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adsum_model::{Policy, Upstream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use crate::kit::{Backend, House, Wire};
use crate::secure::speaking;

const ANSWERED_503: &str = "status=\"5xx\"";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Sends the beginning of a body, and the rest of it when a first instance has refused it. The answer is the whole body.
async fn upload_that_is_refused_in_its_middle(house: &House) {
    let piece = "0123456789abcdef".repeat(512);
    let mut wire = house.connect().await;
    wire.send(format!("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk("first")))
        .await;
    house.metric_becomes("adsum_gateway_instance_requests_total", ANSWERED_503, 1.0).await;
    for _ in 0..20 {
        wire.send(chunk(&piece)).await;
    }
    wire.send("0\r\n\r\n").await;
    let answer = wire.answer_to("PUT").await.unwrap();
    assert_eq!((answer.status, answer.header("x-attempts")), (200, Some("2")));
    assert!(answer.text() == format!("first{}", piece.repeat(20)), "{} bytes came", answer.body.len());
}

#[tokio::test]
async fn body_that_is_on_its_way_is_sent_again_from_its_beginning() {
    // The first connection's answer is not over, and whoever sent it goes on reading.
    let backend = Backend::new(|mut peer| async move {
        if peer.number > 0 {
            let request = peer.request().await?;
            return peer.say(&String::from_utf8(request.body).unwrap()).await;
        }
        peer.head().await?;
        peer.wire.take(chunk("first").len()).await?;
        peer.write("HTTP/1.1 503 Not now\r\ncontent-length: 10\r\n\r\nhalf ").await?;
        peer.wire.stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    upload_that_is_refused_in_its_middle(&House::serving(&[&backend])).await;
}

#[tokio::test]
async fn stream_that_was_given_up_takes_nothing_of_the_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let requests = Arc::<AtomicUsize>::default();
    let serve = move |request: Request<Incoming>| {
        let (first, ended) = (requests.fetch_add(1, Ordering::SeqCst) == 0, ended.clone());
        async move {
            if first {
                tokio::spawn(async move { ended.send(request.into_body().collect().await.is_ok()) });
                let mut refused = Response::new(Full::default());
                *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok::<_, Infallible>(refused);
            }
            let body: Bytes = request.into_body().collect().await.unwrap().to_bytes();
            Ok(Response::new(Full::new(body)))
        }
    };
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let service = hyper::service::service_fn(serve.clone());
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), service));
        }
    });
    let mut house = House::new();
    house.put("web", speaking(Upstream::H2c), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, addr, adsum_model::Health::Passing);
    house.apply();
    upload_that_is_refused_in_its_middle(&house).await;
    assert_eq!(ends.recv().await, Some(false), "a body without its end is none");
}

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";

/// Says the pieces, each further one when it is told to.
async fn hinting(pieces: &'static [&'static str], go: Arc<Notify>) -> Backend {
    Backend::new(move |mut peer| {
        let go = go.clone();
        async move {
            loop {
                peer.request().await?;
                peer.write(format!("{HINTS}{}", pieces[0])).await?;
                for piece in &pieces[1..] {
                    go.notified().await;
                    peer.write(piece).await?;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn hints_come_before_the_answer_however_they_arrive() {
    const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const PART: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe";
    const CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n";
    let cases: [&'static [&'static str]; 5] =
        [&[WHOLE], &["", WHOLE], &[LENGTH, "hello"], &[PART, "llo"], &[CHUNK, "3\r\nllo\r\n0\r\n\r\n"]];
    for pieces in cases {
        let go = Arc::<Notify>::default();
        let backend = hinting(pieces, go.clone()).await;
        let house = House::serving(&[&backend]);
        let mut wire = house.connect().await;
        for _ in 0..3 {
            wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
            let hints = wire.answer().await.unwrap();
            assert_eq!(
                (hints.status, hints.header("link")),
                (103, Some("</a.css>; rel=preload")),
                "{pieces:?}"
            );
            if pieces.len() > 1 {
                go.notify_one();
            }
            assert_eq!(wire.answer().await.unwrap().text(), "hello", "{pieces:?}");
        }
        assert!(wire.read.is_empty(), "{:?}", wire.read);
    }
}

#[tokio::test]
async fn http_1_0_gets_no_hints() {
    let backend = hinting(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"], Arc::default()).await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    let all = String::from_utf8(wire.rest().await.unwrap()).unwrap();
    assert!(all.contains(" 200 OK\r\n") && all.ends_with("\r\n\r\nhello") && !all.contains(" 103 "), "{all}");
}

#[tokio::test]
async fn answer_that_is_followed_by_the_end_reaches_a_client_that_still_sends() {
    for taken in [0, 300_000] {
        let backend = Backend::new(move |mut peer| async move {
            peer.head().await?;
            peer.wire.take(taken).await?;
            // What has come and is not read makes a reset of the end.
            peer.write("HTTP/1.1 413 Too much\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig").await
        })
        .await;
        let house = House::serving(&[&backend]);
        for _ in 0..30 {
            let (read, mut write) = house.connect().await.stream.into_split();
            let upload = tokio::spawn(async move {
                let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n";
                // Whether all of it is taken is not asked; that the client has not ended its side is.
                let _ = write.write_all(format!("{head}{}", "z".repeat(2_000_000)).as_bytes()).await;
                write
            });
            let answer = Wire::over(tokio::io::join(read, tokio::io::sink())).answer().await.unwrap();
            assert_eq!((answer.status, answer.text()), (413, "big"), "{taken}: {answer:?}");
            drop(upload.await.unwrap());
        }
    }
}

#[tokio::test]
async fn connection_with_an_announced_body_that_must_not_be_is_not_used_again() {
    for (head, connections) in [
        ("204 No Content\r\ncontent-length: 5", 3),
        ("204 No Content\r\ntransfer-encoding: chunked", 3),
        ("304 Not Modified\r\ntransfer-encoding: chunked", 3),
        ("103 Early Hints\r\ncontent-length: 5\r\n\r\nHTTP/1.1 204 No Content", 3),
        // The controls.
        ("204 No Content\r\ncontent-length: 0", 1),
        ("304 Not Modified\r\ncontent-length: 5", 1),
    ] {
        let backend = Backend::new(move |mut peer| async move {
            loop {
                peer.request().await?;
                peer.write(format!("HTTP/1.1 {head}\r\n\r\n")).await?;
            }
        })
        .await;
        let house = House::serving(&[&backend]);
        for _ in 0..3 {
            let mut wire = house.connect().await;
            let mut answer = wire.get("/").await;
            if answer.status == 103 {
                answer = wire.answer().await.unwrap();
            }
            assert!(matches!(answer.status, 204 | 304), "{answer:?}");
        }
        assert_eq!(backend.seen.connections(), connections, "{head:?}");
    }
}

#[tokio::test]
async fn late_bytes_of_another_answer_cost_a_request_that_can_be_repeated_nothing() {
    for (method, expect) in [("GET", (200, None)), ("POST", (502, Some("upstream-closed")))] {
        let backend = Backend::new(|mut peer| async move {
            peer.request().await?;
            peer.say("good").await?;
            peer.request().await?;
            peer.write("late\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad").await?;
            peer.request().await.map(drop)
        })
        .await;
        let house = House::serving(&[&backend]);
        let mut wire = house.connect().await;
        assert_eq!(wire.get("/").await.text(), "good");
        let answer = wire.ask(method, "/", "").await;
        assert_eq!((answer.status, answer.header("x-gateway-error")), expect, "{method}");
        assert!(answer.text() != "bad");
        assert_eq!(backend.seen.connections(), if method == "GET" { 2 } else { 1 });
    }
}

#[tokio::test]
async fn instance_that_speaks_another_protocol_first_is_invalid() {
    let backend = Backend::new(|mut peer| async move {
        peer.write("SSH-2.0-other\r\n").await?;
        peer.wire.stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    let house = House::serving(&[&backend]);
    for _ in 0..10 {
        let answer = house.connect().await.get("/").await;
        assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("upstream-invalid")));
    }
}

#[tokio::test]
async fn upgrade_before_the_end_of_its_request_is_refused() {
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        peer.wire.take(4).await?;
        peer.write("HTTP/1.1 101 Now\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\n").await?;
        peer.wire.stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    let house = House::serving(&[&backend]);
    for (body, expect) in [("half", 502), ("half and half", 502), ("whole", 101)] {
        let mut wire = house.connect().await;
        let length = if body == "whole" { body.len() } else { 13 };
        let fields = format!("connection: upgrade\r\nupgrade: foo\r\ncontent-length: {length}");
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{}", &body[..body.len().min(5)]))
            .await;
        assert_eq!(wire.answer().await.unwrap().status, expect, "{body}");
    }
}

#[tokio::test]
async fn answer_that_waits_for_an_upload_that_moves_is_not_silent() {
    const PIECES: usize = 12;
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await?;
        peer.wire.take(PIECES).await?;
        peer.write("done").await
    })
    .await;
    let mut house = House::new();
    let idle_timeout = Duration::from_secs(2);
    house.serve("web", Policy { idle_timeout, ..Policy::default() }, &[&backend]);
    let mut wire = house.connect().await;
    wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {PIECES}\r\n\r\n")).await;
    for _ in 0..PIECES {
        // The pace of a slow client: longer than the silence that is allowed, in all.
        tokio::time::sleep(Duration::from_millis(200)).await;
        wire.send("x").await;
    }
    assert_eq!(wire.answer().await.unwrap().text(), "done");
}
