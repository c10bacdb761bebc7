//! How clients are spoken to over HTTP/1: what is kept, what is closed, and when a word is said before the answer.

use std::convert::Infallible;

use adsum_model::Upstream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::kit::{Backend, House};
use crate::secure::speaking;

/// Says how much it got, in chunks.
async fn counting() -> Backend {
    Backend::new(|mut peer| async move {
        loop {
            let count = peer.request().await?.body.len().to_string();
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            peer.write(format!("{head}{:x}\r\n{count}\r\n0\r\n\r\n", count.len())).await?;
        }
    })
    .await
}

#[tokio::test]
async fn client_of_http_1_0_is_kept_when_it_wants_to_and_the_length_is_known() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for _ in 0..3 {
        wire.send("GET / HTTP/1.0\r\nhost: a\r\nconnection: Keep-Alive\r\n\r\n").await;
        let answer = wire.answer().await.unwrap();
        assert!(answer.head.starts_with("HTTP/1.0 200"), "{}", answer.head);
        assert_eq!((answer.text(), answer.header("connection")), ("hello", Some("keep-alive")));
    }
    wire.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "hello");
    assert_eq!(wire.rest().await.unwrap(), b"");
}

#[tokio::test]
async fn client_of_http_1_0_gets_no_chunks() {
    let backend = counting().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.text(), answer.header("transfer-encoding")), ("0", None));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn trailers_are_kept_from_a_client_that_does_not_take_them() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
            peer.write(format!("{head}3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n")).await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    assert_eq!(wire.get("/").await.text(), "abc");
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "abc[trailer x-sum: 6]", "the control");
}

#[tokio::test]
async fn connection_whose_body_nobody_wanted_is_kept_when_all_of_it_has_come() {
    let backend = counting().await;
    let mut house = House::new();
    house.serve("web", adsum_model::Policy::default(), &[&backend]);
    house.put("web", adsum_model::Policy::default(), &["Path(/yes)"], &[]);
    house.apply();
    let mut wire = house.connect().await;
    for _ in 0..3 {
        assert_eq!(wire.ask("POST", "/no", "body").await.header("connection"), None);
        assert_eq!(wire.ask("POST", "/yes", "body").await.text(), "4");
    }
    wire.send("POST /no HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nbody").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    wire.send("GET /yes HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // What is sent behind it is part of the body, or of nothing.
    use tokio::io::AsyncWriteExt as _;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.rest().await.unwrap(), b"");
    assert_eq!(backend.seen.count(), 3);
}

#[tokio::test]
async fn body_is_asked_for_once_and_only_when_it_is_wanted() {
    let backend = counting().await;
    let mut house = House::new();
    house.serve("web", adsum_model::Policy::default(), &[&backend]);
    house.put("web", adsum_model::Policy::default(), &["Path(/yes)"], &[]);
    house.apply();
    let ask = |path| {
        format!("POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
    };
    let mut wire = house.connect().await;
    for _ in 0..2 {
        wire.send(ask("/yes")).await;
        assert_eq!(wire.answer().await.unwrap().status, 100);
        wire.send("body").await;
        assert_eq!(wire.answer().await.unwrap().text(), "4");
    }
    wire.send(ask("/no")).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
}

#[tokio::test]
async fn answers_tell_the_date_unless_the_instance_does() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            let line = peer.request().await?.line().to_owned();
            let date = if line.starts_with("GET /own") { "date: then\r\n" } else { "" };
            peer.write(format!("HTTP/1.1 200 OK\r\n{date}content-length: 0\r\n\r\n")).await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    let date = wire.get("/").await.header("date").unwrap().to_owned();
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    assert_eq!(wire.get("/own").await.header("date"), Some("then"));
}

/// Answers when the whole body has come.
async fn over_http2() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = |request: Request<Incoming>| async move {
        let body: Bytes = request.into_body().collect().await.unwrap_or_default().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    };
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let service = hyper::service::service_fn(serve);
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), service));
        }
    });
    addr
}

async fn house_over_http2() -> House {
    let mut house = House::new();
    house.put("web", speaking(Upstream::H2c), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, over_http2().await, adsum_model::Health::Passing);
    house.apply();
    house
}

/// The body is pulled by another task than the one of the client's connection.
#[tokio::test]
async fn slow_body_comes_through_to_an_instance_over_http_2() {
    let house = house_over_http2().await;
    let mut wire = house.connect().await;
    for _ in 0..3 {
        wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n").await;
        for piece in ["four", "more", "last"] {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            wire.send(piece).await;
        }
        assert_eq!(wire.answer().await.unwrap().text(), "fourmorelast");
    }
}

#[tokio::test]
async fn client_that_breaks_off_takes_its_request_over_http_2_along() {
    let house = house_over_http2().await;
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\nfour").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    drop(wire);
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    house.metric_becomes("adsum_gateway_connections", "", 0.0).await;
}

#[tokio::test]
async fn client_that_pipelines_and_goes_takes_all_of_it_along() {
    let backend = Backend::silent().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(5)).await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    while backend.seen.count() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(wire);
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    house.metric_becomes("adsum_gateway_connections", "", 0.0).await;
    assert_eq!(backend.seen.count(), 1, "none of the others was begun");
}

#[tokio::test]
async fn answer_to_head_that_the_gateway_gives_is_one() {
    let mut house = House::new();
    house.apply();
    let mut wire = house.connect().await;
    for _ in 0..2 {
        let answer = wire.ask("HEAD", "/", "").await;
        assert_eq!(answer.status, 404);
        assert!(answer.header("content-length").is_some_and(|length| length != "0"), "{}", answer.head);
    }
    assert_eq!(wire.get("/").await.status, 404);
}

#[tokio::test]
async fn refused_tunnel_takes_its_connection_along() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    // The bytes of whoever is at the far end of a tunnel that was never built.
    wire.send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 400"), "{}", answer.head);
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(wire.rest().await.unwrap(), b"", "nobody has answered them");
}

#[tokio::test]
async fn cut_answer_does_not_look_whole_to_a_client_of_http_1_0() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_string()).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    let cut = wire.rest().await;
    assert!(cut.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset), "{cut:?}");
}

#[tokio::test]
async fn answer_before_the_end_of_an_upload_says_that_it_is_the_last() {
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        peer.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch".to_string()).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send(&format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(5000)))
        .await;
    let answer = wire.answer().await.unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 413"), "{}", answer.head);
    assert_eq!((answer.text(), answer.header("connection")), ("much", Some("close")));
}
