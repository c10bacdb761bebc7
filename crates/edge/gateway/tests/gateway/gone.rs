//! Clients that go, fall silent, or still send when they have their answer already.

use std::time::Duration;

use adsum_model::{Health, Policy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::{Backend, House};

const MS: Duration = Duration::from_millis(1);

/// Reads heads and answers nothing.
async fn silent() -> Backend {
    Backend::new(|mut peer| async move {
        peer.head().await?;
        std::future::pending().await
    })
    .await
}

/// Reads what comes and answers in the end.
async fn patient() -> Backend {
    Backend::new(|mut peer| async move {
        loop {
            let request = peer.request().await?;
            peer.say(&request.body.len().to_string()).await?;
        }
    })
    .await
}

#[tokio::test]
async fn client_that_offered_another_protocol_takes_its_request_along_when_it_goes() {
    let h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let websocket = "connection: Upgrade\r\nupgrade: websocket\r\n";
    for (offer, behind) in [(h2c, ""), (websocket, ""), (websocket, "\x01\x02"), (h2c, "GET /part")] {
        let backend = silent().await;
        let house = House::serving(&[&backend]);
        let mut wire = house.connect().await;
        wire.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{offer}\r\n{behind}")).await;
        house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
        drop(wire);
        house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
        house.metric_becomes("adsum_gateway_connections", "", 0.0).await;
    }
}

#[tokio::test]
async fn request_behind_an_offer_that_does_not_go_on_is_served() {
    let backend = patient().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    let offer =
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 4\r\n\r\n";
    wire.send(format!("{offer}bodyGET /next HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    assert_eq!(wire.answer().await.unwrap().text(), "4");
    assert_eq!(wire.answer().await.unwrap().text(), "0");
}

#[tokio::test]
async fn instance_cannot_make_an_upgrade_of_what_was_none() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: Upgrade\r\n\r\n").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("upstream-invalid")));
}

#[tokio::test]
async fn client_that_sent_nonsense_behind_its_request_takes_that_along_when_it_goes() {
    let backend = silent().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    wire.send("\0nonsense\r\n\r\n").await;
    drop(wire);
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
}

#[tokio::test]
async fn beginning_of_the_next_head_has_no_hurry_before_the_answer() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            tokio::time::sleep(1500 * MS).await;
            peer.say("late").await?;
        }
    })
    .await;
    let mut house = House::with(|settings| settings.limits.head_timeout = 1000 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /next HTTP/1.1\r\nho").await;
    assert_eq!(wire.answer().await.unwrap().text(), "late");
    wire.send("st: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "late");
    wire.send("GET /part").await;
    assert_eq!(wire.answer().await.unwrap().status, 408, "its time begins with it");
}

#[tokio::test]
async fn answer_before_the_body_reaches_whoever_sends_all_of_it_first() {
    const LENGTH: usize = 5 << 20;
    let backend = Backend::new(|mut peer| async move {
        peer.head().await?;
        peer.write("HTTP/1.1 413 Too much\r\ncontent-length: 3\r\n\r\nbig").await?;
        let _ = peer.wire.stream.read_to_end(&mut Vec::new()).await;
        Ok(())
    })
    .await;
    for (backends, status) in [(vec![], 503), (vec![&backend], 413)] {
        let house = House::serving(&backends);
        let mut wire = house.connect().await;
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n")).await;
        for _ in 0..LENGTH / 65536 {
            wire.send([0; 65536]).await;
        }
        assert_eq!(wire.answer().await.unwrap().status, status);
    }
}

#[tokio::test]
async fn upload_may_take_longer_than_an_answer_may_take_afterwards() {
    let backend = patient().await;
    let mut house = House::new();
    // Together the pauses are longer than both; none of what a busy machine adds to the answer is.
    let policy = Policy { timeout: 1500 * MS, try_timeout: 1200 * MS, ..Policy::default() };
    house.serve("web", policy, &[&backend]);
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n").await;
    for _ in 0..10 {
        tokio::time::sleep(200 * MS).await;
        wire.send("x").await;
    }
    assert_eq!(wire.answer().await.unwrap().text(), "10");
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 0.0);
}

#[tokio::test]
async fn answer_is_late_when_its_time_after_the_body_is_over() {
    let backend = Backend::silent().await;
    let mut house = House::new();
    house.serve("web", Policy { timeout: 300 * MS, ..Policy::default() }, &[&backend]);
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n").await;
    for _ in 0..6 {
        tokio::time::sleep(100 * MS).await;
        wire.send("x").await;
    }
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("x-gateway-error")), (504, Some("upstream-timeout")));
    assert_eq!(backend.seen.requests()[0].body, b"xxxxxx");
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 1.0);
}

#[tokio::test]
async fn instance_that_takes_no_body_is_given_up() {
    let backend = silent().await;
    let mut house = House::with(|settings| settings.limits.body_timeout = 400 * MS);
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await;
    let (mut reading, mut writing) = wire.stream.split();
    let mut head = [0; 12];
    tokio::select! {
        _ = async { while writing.write_all(&[0; 65536]).await.is_ok() {} } => panic!("it was let go unanswered"),
        read = reading.read_exact(&mut head) => drop(read.unwrap()),
    }
    assert_eq!(&head, b"HTTP/1.1 504");
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 1.0);
}

#[tokio::test]
async fn client_that_breaks_off_its_upload_is_no_failure_of_the_instance() {
    let backend = silent().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf ").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    drop(wire);
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 0.0);
}

#[tokio::test]
async fn callers_own_deadline_is_no_failure_of_the_instance() {
    let backend = silent().await;
    let mut house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for body in ["", "content-length: 5\r\n"] {
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\ngrpc-timeout: 200m\r\n{body}\r\n")).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("x-gateway-error")), (504, Some("deadline")));
    }
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 0.0);
    // The control: the same by the policy's time.
    house.put("web", Policy { timeout: 200 * MS, ..Policy::default() }, &["PathPrefix(/)"], &[]);
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    assert_eq!(house.connect().await.ask("POST", "/", "").await.status, 504);
    assert_eq!(house.metric("adsum_gateway_instance_failures_total", ""), 1.0);
}
