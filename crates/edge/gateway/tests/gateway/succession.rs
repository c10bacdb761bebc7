//! A gateway that goes on with the sockets of another.

use std::sync::Arc;
use std::time::Duration;

use adsum_gateway::{Gateway, Settings};
use adsum_model::Health;
use adsum_routing::Table;
use tokio::sync::oneshot;

use crate::kit::{Backend, House, Recorder, Wire, shared};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway that has a house's sockets and table, and accepts nothing yet.
fn successor(house: &House, table: Arc<Table>, workers: usize) -> Gateway {
    // Not its address: what counts is what it is given.
    let settings = Settings { workers, ..Settings::new("127.0.0.1:1".parse().unwrap()) };
    Gateway::prepare(settings, Arc::<Recorder>::default(), table, house.gateway.sockets().unwrap()).unwrap()
}

#[tokio::test]
async fn no_client_is_refused_while_one_gateway_follows_another() {
    let backend = Backend::saying("hello").await;
    let mut house = House::serving(&[&backend]);
    let (addr, table) = (house.addr(), house.table());
    let next = successor(&house, table, 2);
    assert_eq!(next.addresses().plain, addr);
    // It is only prepared: the first one serves.
    assert_eq!(house.connect().await.get("/").await.text(), "hello");
    assert_eq!(next.status().iter().map(|worker| worker.connections).sum::<u64>(), 0);
    let retired = house.gateway.retire(Duration::from_secs(20), Duration::from_secs(10));
    tokio::task::spawn_blocking(|| retired.wait()).await.unwrap();
    // Now nobody accepts, and who comes waits.
    let mut early = Wire::connect(addr).await;
    early.send(GET).await;
    next.open();
    assert_eq!(early.answer().await.unwrap().text(), "hello");
    for _ in 0..20 {
        assert_eq!(Wire::connect(addr).await.get("/").await.text(), "hello");
    }
    tokio::task::spawn_blocking(move || next.stop(Duration::ZERO)).await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "nobody has the sockets any more");
}

#[tokio::test]
async fn a_gateway_that_was_only_prepared_takes_nobody_along_when_it_goes() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let next = successor(&house, house.table(), 1);
    let mut wire = house.connect().await;
    tokio::task::spawn_blocking(move || drop(next)).await.unwrap();
    assert_eq!(wire.get("/").await.text(), "hello");
    for _ in 0..20 {
        assert_eq!(house.connect().await.get("/").await.text(), "hello");
    }
}

#[tokio::test]
async fn a_retired_gateway_says_what_it_has_in_flight_as_of_the_last_table() {
    let (release, released) = oneshot::channel::<()>();
    let released = shared(released);
    let slow = Backend::new(move |mut peer| {
        let released = released.clone();
        async move {
            peer.request().await?;
            let _ = released.take().await.await;
            peer.say("late").await
        }
    })
    .await;
    let mut house = House::serving(&[&slow]);
    let mut wire = house.connect().await;
    wire.send(GET).await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    let retired = house.gateway.retire(Duration::from_secs(20), Duration::from_secs(10));
    let waiting = tokio::task::spawn_blocking(|| retired.wait());
    house.instance("web", 1, slow.addr, Health::Draining);
    let revision = house.apply();
    house.control.wait("the drain is told", |seen| {
        seen.reports[&0].applied == revision && seen.in_flight(1).is_some_and(|had| had.requests == 1)
    });
    release.send(()).unwrap();
    assert_eq!(wire.answer().await.unwrap().text(), "late");
    waiting.await.unwrap();
    house.control.wait("nothing is left", |seen| seen.in_flight(1).is_none_or(|had| had.is_empty()));
}

#[tokio::test]
async fn a_client_that_rests_has_one_more_request_of_a_retired_gateway() {
    let backend = Backend::saying("hello").await;
    let mut house = House::serving(&[&backend]);
    let mut resting = house.connect().await;
    resting.get("/").await;
    let retired = house.gateway.retire(Duration::from_secs(20), Duration::from_secs(20));
    let waiting = tokio::task::spawn_blocking(|| retired.wait());
    // Longer than a gateway waits that ends for good.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let answer = resting.get("/").await;
    assert_eq!((answer.text(), answer.header("connection")), ("hello", Some("close")));
    assert_eq!(resting.rest().await.unwrap(), b"");
    waiting.await.unwrap();
}
