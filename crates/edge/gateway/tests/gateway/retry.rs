//! What is sent again, and what never.

use std::time::Duration;

use adsum_model::{Health, Policy};
use tokio::io::AsyncReadExt as _;

use crate::kit::{Backend, House};

/// Its connections end as soon as a request has come.
async fn closing() -> Backend {
    Backend::new(|mut peer| async move {
        peer.request().await?;
        Ok(())
    })
    .await
}

/// As [`closing`], by a reset.
async fn resetting() -> Backend {
    Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.reset();
        Ok(())
    })
    .await
}

#[tokio::test]
async fn request_goes_to_another_instance_when_one_is_not_there() {
    let nobody = Backend::nobody();
    let backend = Backend::saying("hello").await;
    let mut house = House::serving(&[&backend]);
    house.instance("web", 2, nobody, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    for _ in 0..20 {
        assert_eq!(wire.ask("POST", "/", "once").await.status, 200);
    }
    assert_eq!(backend.seen.count(), 20);
    assert!(house.metric("adsum_gateway_instance_failures_total", "") >= 1.0, "the fault fired");
}

#[tokio::test]
async fn get_that_got_no_answer_is_sent_again_and_post_is_not() {
    for bad in [closing().await, resetting().await] {
        let mut house = House::new();
        let policy = Policy { retries: 1, ..Policy::default() };
        house.serve("web", policy, &[&bad]);
        let mut wire = house.connect().await;
        let answer = wire.get("/").await;
        assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("upstream-closed")));
        assert_eq!(answer.header("x-attempts"), Some("2"));
        assert_eq!(bad.seen.count(), 2);
        let answer = wire.ask("POST", "/", "once").await;
        assert_eq!((answer.status, answer.header("x-attempts")), (502, Some("1")));
        assert_eq!(bad.seen.count(), 3);
    }
}

#[tokio::test]
async fn retry_with_a_body_sends_all_of_it_and_is_marked() {
    let backend = Backend::new(|mut peer| async move {
        let request = peer.request().await?;
        if peer.number > 0 {
            peer.say(&String::from_utf8(request.body).unwrap()).await?;
        }
        Ok(())
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    let body = "kept ".repeat(2000);
    let answer = wire.ask("PUT", "/", &body).await;
    assert_eq!((answer.status, answer.text()), (200, body.as_str()));
    let requests = backend.seen.requests();
    assert_eq!(requests[0].header("x-attempts"), None);
    assert_eq!(requests[1].header("x-attempts"), Some("2"));
    house.metric_becomes("adsum_gateway_retries_total", "", 1.0).await;
}

#[tokio::test]
async fn body_larger_than_what_is_kept_is_sent_once() {
    let bad = closing().await;
    let house = House::serving(&[&bad]);
    let mut wire = house.connect().await;
    let answer = wire.ask("PUT", "/", &"x".repeat(100_000)).await;
    assert_eq!(answer.status, 502);
    assert_eq!(bad.seen.count(), 1);
}

#[tokio::test]
async fn answer_503_is_sent_to_another_instance_once_the_budget_allows_it() {
    let bad = Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write("HTTP/1.1 503 Not now\r\ncontent-length: 3\r\n\r\nnot").await?;
        }
    })
    .await;
    let good = Backend::saying("hello").await;
    let mut house = House::new();
    house.serve("web", Policy { retry_floor: 1000, ..Policy::default() }, &[&bad, &good]);
    let mut wire = house.connect().await;
    for _ in 0..20 {
        assert_eq!(wire.get("/").await.status, 200);
    }
    assert!(bad.seen.count() > 0, "the fault fired");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(wire.ask("POST", "/", "once").await.status);
    }
    assert_eq!(
        bad.seen.count() + good.seen.count(),
        60 + house.metric("adsum_gateway_retries_total", "") as usize
    );
    assert!(statuses.contains(&200));
}

#[tokio::test]
async fn retries_of_a_service_that_is_down_stay_within_their_budget() {
    let bad = Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write("HTTP/1.1 503 Not now\r\ncontent-length: 0\r\n\r\n").await?;
        }
    })
    .await;
    let mut house = House::new();
    house.serve("web", Policy { retry_floor: 0, retry_budget: 20, ..Policy::default() }, &[&bad]);
    let mut wire = house.connect().await;
    for _ in 0..50 {
        assert_eq!(wire.get("/").await.status, 503);
    }
    let sent = bad.seen.count();
    assert!((51..=60).contains(&sent), "{sent} requests for 50");
}

#[tokio::test]
async fn connection_closed_while_it_rested_costs_no_request() {
    // Closes each connection after its first answer, without saying so beforehand.
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.say("hello").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for n in 0..50 {
        let answer = if n % 2 == 0 { wire.get("/").await } else { wire.ask("POST", "/", "once").await };
        assert_eq!((answer.status, answer.header("x-attempts")), (200, Some("1")));
    }
    assert_eq!((backend.seen.connections(), backend.seen.count()), (50, 50));
}

#[tokio::test]
async fn post_without_a_lease_goes_over_a_fresh_connection() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.ask("POST", "/", "once").await;
    wire.ask("POST", "/", "once").await;
    assert_eq!(backend.seen.connections(), 1);
    house.control.lapse();
    wire.ask("POST", "/", "once").await;
    assert_eq!(backend.seen.connections(), 2);
    wire.get("/").await;
    assert_eq!(backend.seen.connections(), 2);
}

#[tokio::test]
async fn instance_that_is_silent_is_given_up_in_time() {
    let silent = Backend::silent().await;
    let mut house = House::new();
    let policy = Policy { timeout: Duration::from_millis(300), ..Policy::default() };
    house.serve("web", policy, &[&silent]);
    let mut wire = house.connect().await;
    let answer = wire.get("/").await;
    assert_eq!((answer.status, answer.header("x-gateway-error")), (504, Some("upstream-timeout")));
    wire.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx-request-deadline: {}\r\n\r\n", 1)).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("x-gateway-error")), (504, Some("deadline")));
    assert_eq!(silent.seen.count(), 1);
}

#[tokio::test]
async fn answer_that_is_no_http_is_told_as_such() {
    let odd = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HELLO THERE, THIS IS NO HTTP\r\n\r\n").await
    })
    .await;
    let house = House::serving(&[&odd]);
    let answer = house.connect().await.get("/").await;
    assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("upstream-invalid")));
    assert_eq!(odd.seen.count(), 1);
}

#[tokio::test]
async fn caller_that_goes_takes_its_request_along() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        // Ends when the gateway closes.
        let ended = peer.wire.stream.read_u8().await.is_err();
        assert!(ended);
        peer.request().await.map(drop).or(Ok(()))
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while backend.seen.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.metric("adsum_gateway_in_flight", ""), 1.0);
    drop(wire);
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    house.metric_becomes("adsum_gateway_abandoned_total", "", 1.0).await;
    assert_eq!(backend.seen.count(), 1);
}
