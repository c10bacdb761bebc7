//! Clients of HTTP/2: what they are told before an answer, what they take back, answers without a body.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::kit::{Backend, House, shared};

async fn client(house: &House) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(house.addr()).await.unwrap();
    let (sender, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

/// Sends the head of a request, whose body may follow.
async fn ask(house: &House, method: &str, expects: bool) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::builder().method(method).uri("http://web.test/");
    let request = match expects {
        true => request.header("content-length", 4).header("expect", "100-continue"),
        false => request,
    };
    let ends = !matches!(method, "POST");
    client(house).await.send_request(request.body(()).unwrap(), ends).unwrap()
}

async fn said(answer: &mut ResponseFuture) -> Option<Response<()>> {
    poll_fn(|cx| answer.poll_informational(cx)).await.transpose().unwrap()
}

async fn text(answer: Response<h2::RecvStream>) -> String {
    let (mut body, mut text) = (answer.into_body(), Vec::new());
    while let Some(piece) = body.data().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn client_of_http2_hears_what_is_said_before_its_answer() {
    let backend = Backend::new(|mut peer| async move {
        let head = peer.head().await?;
        assert!(head.contains("expect: 100-continue"), "{head}");
        peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: x-hop\r\n\r\n").await?;
        peer.write("HTTP/1.1 100 Continue\r\n\r\n").await?;
        let body = peer.wire.take(4).await?;
        peer.say(&String::from_utf8(body).unwrap()).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let (mut answer, mut body) = ask(&house, "POST", true).await;
    let hints = said(&mut answer).await.unwrap();
    assert_eq!((hints.status().as_u16(), hints.headers()["link"].to_str().unwrap()), (103, "</a.css>"));
    assert!(!hints.headers().contains_key("connection"));
    assert_eq!(said(&mut answer).await.unwrap().status(), 100);
    body.send_data(Bytes::from_static(b"body"), true).unwrap();
    assert_eq!(text(answer.await.unwrap()).await, "body");
}

/// A 103 with all that is for one hop only, and with a mark that is not the instance's to give.
async fn hinting_for_one_hop() -> Backend {
    Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: keep-alive, x-hop\r\n").await?;
        peer.write("x-hop: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: gzip\r\n")
            .await?;
        peer.write("x-served-by: somebody\r\n\r\n").await?;
        peer.say("the answer").await
    })
    .await
}

#[tokio::test]
async fn hint_for_one_hop_costs_a_client_of_http2_nothing() {
    let backend = hinting_for_one_hop().await;
    let house = House::serving(&[&backend]);
    let (mut answer, _) = ask(&house, "GET", false).await;
    let hints = said(&mut answer).await.unwrap();
    assert_eq!((hints.status().as_u16(), hints.headers().len()), (103, 1), "{hints:?}");
    assert_eq!(hints.headers()["link"], "</a.css>");
    assert_eq!(text(answer.await.unwrap()).await, "the answer");
}

#[tokio::test]
async fn hint_for_one_hop_says_no_more_to_a_client_of_http1() {
    let backend = hinting_for_one_hop().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    assert_eq!(wire.get("/").await.head, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    assert_eq!(wire.answer().await.unwrap().text(), "the answer");
}

/// How many heads come before the answer, which comes all the same.
async fn hints_of(house: &House) -> usize {
    let (mut answer, _) = ask(house, "GET", false).await;
    let mut hints = 0;
    while said(&mut answer).await.is_some() {
        hints += 1;
    }
    assert_eq!(text(answer.await.unwrap()).await, "at last");
    hints
}

#[tokio::test]
async fn instance_that_does_nothing_but_hint_is_not_passed_on_for_ever() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(100)).await?;
        peer.say("at last").await
    })
    .await;
    let house = House::serving(&[&backend]);
    assert_eq!(hints_of(&house).await, 16);
}

#[tokio::test]
async fn hints_are_as_long_as_they_may_be_in_all() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        let hint = format!("HTTP/1.1 103 Early Hints\r\nlink: {}\r\n\r\n", "x".repeat(6 << 10));
        peer.write(hint.repeat(5)).await?;
        peer.say("at last").await
    })
    .await;
    let house = House::serving(&[&backend]);
    assert_eq!(hints_of(&house).await, 2);
}

#[tokio::test]
async fn limits_of_a_head_hold_over_http2() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let ask = async |length: usize, fields: usize, expect: &str| {
        let mut request = Request::get(format!("http://web.test/{}", "a".repeat(length - 1)));
        for at in 0..fields {
            request = request.header(format!("x-{at}"), "1");
        }
        let request = request.header("expect", expect).body(()).unwrap();
        client(&house).await.send_request(request, true).unwrap().0.await.unwrap().status().as_u16()
    };
    assert_eq!(ask(8192, 99, "100-continue").await, 200, "the control");
    assert_eq!(ask(8193, 1, "100-continue").await, 414);
    assert_eq!(ask(1, 100, "100-continue").await, 431);
    assert_eq!(ask(1, 1, "a-miracle").await, 417);
    assert_eq!(backend.seen.count(), 1);
}

#[tokio::test]
async fn nothing_is_said_of_the_length_of_no_content() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let (answer, _) = ask(&house, "GET", false).await;
    let answer = answer.await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("content-length")), (204, None));
}

#[tokio::test]
async fn body_that_its_client_of_http2_takes_back_is_not_taken_for_a_whole_one() {
    let (tell, told) = oneshot::channel();
    let tell = shared(tell);
    let backend = Backend::new(move |mut peer| {
        let tell = tell.clone();
        async move {
            peer.head().await?;
            let mut got = peer.wire.take(b"4\r\npart\r\n".len()).await?;
            let _ = peer.wire.stream.writable().await;
            let tell: oneshot::Sender<Vec<u8>> = tell.take().await;
            got.extend(peer.wire.rest().await.unwrap_or_default());
            tell.send(got).unwrap();
            Ok(())
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let (_answer, mut body) = ask(&house, "POST", false).await;
    body.send_data(Bytes::from_static(b"part"), false).unwrap();
    house.metric_becomes("adsum_gateway_received_bytes_total", "", 4.0).await;
    body.send_reset(Reason::CANCEL);
    assert_eq!(told.await.unwrap(), b"4\r\npart\r\n");
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    house.metric_becomes("adsum_gateway_abandoned_total", "", 1.0).await;
    assert_eq!(house.metric("adsum_gateway_requests_total", ""), 0.0, "it has done nothing wrong");
}

#[tokio::test]
async fn client_of_http1_that_goes_within_its_body_has_done_nothing_wrong() {
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        peer.wire.rest().await.map(drop)
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\npart").await;
    house.metric_becomes("adsum_gateway_received_bytes_total", "", 4.0).await;
    drop(wire);
    house.metric_becomes("adsum_gateway_abandoned_total", "", 1.0).await;
    assert_eq!(house.metric("adsum_gateway_requests_total", ""), 0.0);
}

#[tokio::test]
async fn answer_of_the_gateway_itself_to_head_has_no_body() {
    let house = House::new();
    for (method, length) in [("HEAD", 0), ("GET", 1)] {
        let (answer, _) = ask(&house, method, false).await;
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 404);
        assert_eq!(text(answer).await.len().min(1), length, "{method}");
    }
}
