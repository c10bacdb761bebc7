//! Clients that take their time.

use std::time::Duration;

use crate::kit::{Backend, House};
use adsum_model::{Health, Policy};

fn house(change: impl FnOnce(&mut adsum_gateway::Limits)) -> House {
    let mut house = House::with(|settings| change(&mut settings.limits));
    house.put("web", Policy::default(), &["PathPrefix(/)"], &[]);
    house
}

#[tokio::test]
async fn head_that_dribbles_is_answered_with_408_and_the_connection_ends() {
    let mut house = house(|limits| limits.head_timeout = Duration::from_millis(300));
    house.apply();
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(wire.rest().await.unwrap(), b"");
    let mut silent = house.connect().await;
    assert_eq!(silent.rest().await.unwrap(), b"");
    house.metric_becomes("adsum_gateway_connections", "", 0.0).await;
}

#[tokio::test]
async fn connection_that_rests_too_long_is_closed() {
    let backend = Backend::saying("hello").await;
    // Not shorter: the request is to come before it is over, also on a busy machine.
    let mut house = house(|limits| limits.idle_timeout = Duration::from_secs(1));
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    assert_eq!(wire.get("/").await.status, 200);
    assert_eq!(wire.rest().await.unwrap(), b"");
}

#[tokio::test]
async fn answer_that_takes_long_is_waited_for_longer_than_a_connection_may_rest() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        peer.say("late").await
    })
    .await;
    let mut house = house(|limits| {
        limits.idle_timeout = Duration::from_secs(1);
        limits.head_timeout = Duration::from_secs(1);
    });
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    assert_eq!(house.connect().await.get("/").await.text(), "late");
}

#[tokio::test]
async fn client_that_falls_silent_within_its_body_ends_its_request() {
    let backend = Backend::saying("hello").await;
    let mut house = house(|limits| limits.body_timeout = Duration::from_millis(300));
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf ").await;
    let _ = wire.rest().await;
    assert_eq!(backend.seen.count(), 0, "a body that has not ended is no request");
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
}

#[tokio::test]
async fn client_that_takes_nothing_is_cut() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n").await?;
        loop {
            peer.write([0; 65536]).await?;
        }
    })
    .await;
    let mut house = house(|limits| limits.write_timeout = Duration::from_millis(300));
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // That it was in flight is no level: on a busy machine it may be cut before anybody looks.
    while backend.seen.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.metric_becomes("adsum_gateway_in_flight", "", 0.0).await;
    house.metric_becomes("adsum_gateway_connections", "", 0.0).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_and_room_comes_back() {
    let mut house = house(|limits| limits.connections = 2);
    house.apply();
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    assert_eq!((one.get("/").await.status, two.get("/").await.status), (503, 503));
    let mut third = house.connect().await;
    let refused = third.answer().await.unwrap();
    assert_eq!((refused.status, refused.header("x-gateway-error")), (503, Some("connections-full")));
    assert_eq!(third.rest().await.unwrap(), b"");
    drop(one);
    house.metric_becomes("adsum_gateway_connections", "", 1.0).await;
    assert_eq!(house.connect().await.get("/").await.header("x-gateway-error"), Some("no-instance"));
}
