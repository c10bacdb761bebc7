//! Bodies: long ones, cut ones, slow ones, and what comes before and after them.

use std::time::Duration;

use adsum_model::Policy;
use tokio::io::AsyncReadExt as _;

use crate::kit::{Backend, House};

#[tokio::test]
async fn answer_that_is_cut_is_cut_for_the_client_too() {
    for head in ["content-length: 1000", "transfer-encoding: chunked"] {
        let backend = Backend::new(move |mut peer| async move {
            peer.request().await?;
            let part = if head.starts_with('c') { "a part" } else { "6\r\na part\r\n" };
            peer.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}")).await
        })
        .await;
        let house = House::serving(&[&backend]);
        let mut wire = house.connect().await;
        wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let cut = wire.answer().await.unwrap_err();
        assert_eq!(cut.kind(), std::io::ErrorKind::UnexpectedEof, "{head}");
        assert_eq!(backend.seen.count(), 1);
    }
}

#[tokio::test]
async fn long_bodies_pass_in_both_directions_without_being_gathered() {
    const LENGTH: usize = 100 << 20;
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        let mut rest = LENGTH - peer.wire.read.len();
        let mut chunk = vec![0; 64 << 10];
        while rest > 0 {
            rest -= peer.wire.stream.read(&mut chunk).await?;
        }
        peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n")).await?;
        for _ in 0..LENGTH / chunk.len() {
            peer.write(&chunk).await?;
        }
        Ok(())
    })
    .await;
    let house = House::serving(&[&backend]);
    let before = resident();
    let mut wire = house.connect().await;
    wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n")).await;
    let chunk = vec![7; 64 << 10];
    for _ in 0..LENGTH / chunk.len() {
        wire.send(&chunk).await;
    }
    let head = wire.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    // A client that does not read stops the instance, too: nothing piles up between them.
    let mut rest = LENGTH - wire.read.len();
    let mut chunk = chunk;
    while rest > 0 {
        rest -= wire.stream.read(&mut chunk).await.unwrap();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "grown by {grown} bytes");
    house.metric_becomes("adsum_gateway_sent_bytes_total", "", LENGTH as f64).await;
    house.metric_becomes("adsum_gateway_received_bytes_total", "", LENGTH as f64).await;
}

/// Bytes of this process in memory, the gateway's and the test's.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn trailers_come_through() {
    let backend = Backend::new(|mut peer| async move {
        let head = peer.head().await?;
        assert!(head.contains("te: trailers"), "{head}");
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "abc[trailer x-sum: 6]");
}

#[tokio::test]
async fn instance_decides_whether_it_wants_the_body() {
    let backend = Backend::new(|mut peer| async move {
        let head = peer.head().await?;
        assert!(head.contains("expect: 100-continue"), "{head}");
        if head.starts_with("POST /no") {
            return peer
                .write("HTTP/1.1 413 Too much\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
        peer.write("HTTP/1.1 100 Continue\r\n\r\n").await?;
        let body = peer.wire.take(4).await?;
        peer.say(&String::from_utf8(body).unwrap()).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let ask = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n")
    };
    let mut wire = house.connect().await;
    wire.send(ask("/yes")).await;
    assert_eq!(wire.answer().await.unwrap().status, 100);
    wire.send("body").await;
    assert_eq!(wire.answer().await.unwrap().text(), "body");
    let mut wire = house.connect().await;
    wire.send(ask("/no")).await;
    assert_eq!(wire.answer().await.unwrap().status, 413);
}

#[tokio::test]
async fn early_hints_come_through() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        peer.say("hello").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let hints = wire.answer().await.unwrap();
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a.css>; rel=preload")));
    assert_eq!(wire.answer().await.unwrap().text(), "hello");
}

#[tokio::test]
async fn body_that_falls_silent_is_cut() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ").await?;
        std::future::pending().await
    })
    .await;
    let mut house = House::new();
    house.serve("web", Policy { idle_timeout: Duration::from_millis(200), ..Policy::default() }, &[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(wire.answer().await.is_err());
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
}

#[tokio::test]
async fn length_beside_chunks_cuts_no_answer() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
        peer.write(format!("{head}5\r\nwhole\r\n0\r\n\r\n")).await
    })
    .await;
    let house = House::serving(&[&backend]);
    assert_eq!(house.connect().await.get("/").await.text(), "whole");
}

#[tokio::test]
async fn answer_in_a_coding_that_nobody_asked_for_is_no_answer() {
    for coding in ["gzip, chunked", "gzip"] {
        let backend = Backend::new(move |mut peer| async move {
            peer.request().await?;
            let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n");
            peer.write(head + "5\r\nwhole\r\n0\r\n\r\n").await
        })
        .await;
        let house = House::serving(&[&backend]);
        let answer = house.connect().await.get("/").await;
        assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("upstream-invalid")));
        assert_eq!(backend.seen.count(), 1);
    }
}
