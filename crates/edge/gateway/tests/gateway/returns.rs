//! Instances that are spoken to otherwise, leave their pool and come back, or drain and do not: what they have in flight
//! stays theirs.

use std::time::Duration;

use adsum_model::{Health, Policy, Upstream};

use crate::drain::{frame, open_websocket, read_frame, websocket};
use crate::kit::{Backend, House};

fn h2c() -> Policy {
    Policy { upstream: Upstream::H2c, ..Policy::default() }
}

#[tokio::test]
async fn what_is_in_flight_when_instances_are_spoken_to_otherwise_is_still_told_of() {
    let slow = Backend::silent().await;
    let mut house = House::serving(&[&slow]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    house.put("web", h2c(), &["PathPrefix(/)"], &[]);
    house.apply();
    house.instance("web", 1, slow.addr, Health::Draining);
    house.apply();
    house.control.wait("it is told", |seen| seen.in_flight(1).is_some_and(|had| had.requests == 1));
    drop(wire);
    house.control.wait("it has ended", |seen| seen.in_flight(1).is_some_and(|had| had.is_empty()));
}

#[tokio::test]
async fn websocket_from_before_its_instance_was_spoken_to_otherwise_is_told_of_the_drain() {
    let backend = websocket().await;
    let mut house = House::serving(&[&backend]);
    let mut wire = open_websocket(&house).await;
    house.put("web", h2c(), &["PathPrefix(/)"], &[]);
    house.apply();
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    assert_eq!(read_frame(&mut wire).await.unwrap().0, 8);
    wire.send(frame(8, &1012u16.to_be_bytes(), Some([9; 4]))).await;
    assert_eq!(wire.rest().await.unwrap(), b"");
    house.control.wait("it has ended", |seen| {
        seen.in_flight(1).is_some_and(|had| had.is_empty()) && seen.reports[&0].cut == 0
    });
}

#[tokio::test]
async fn websocket_of_an_instance_that_was_out_of_the_pool_is_told_cut_and_counted() {
    for (second_stay, cut) in [(Health::Passing, 0), (Health::Critical, 1)] {
        let (backend, other) = (websocket().await, Backend::saying("other").await);
        let mut house = House::serving(&[&backend]);
        let mut wire = open_websocket(&house).await;
        house.instance("web", 2, other.addr, Health::Passing);
        house.instance("web", 1, backend.addr, Health::Critical);
        house.apply();
        house.control.wait("it is told", |seen| seen.in_flight(1).is_some_and(|had| had.upgrades == 1));
        house.instance("web", 1, backend.addr, second_stay);
        house.apply();
        house.instance("web", 1, backend.addr, Health::Draining);
        house.apply();
        house.control.wait("once", |seen| seen.in_flight(1).is_some_and(|had| had.upgrades == 1));
        assert_eq!(read_frame(&mut wire).await.unwrap().0, 8);
        if cut == 0 {
            wire.send(frame(8, &1012u16.to_be_bytes(), Some([9; 4]))).await;
        }
        assert_eq!(wire.rest().await.unwrap(), b"");
        house.control.wait("it has ended", |seen| {
            seen.in_flight(1).is_some_and(|had| had.is_empty()) && seen.reports[&0].cut == cut
        });
    }
}

#[tokio::test]
async fn drain_that_is_called_off_cuts_nothing() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: Upgrade\r\n\r\n")
            .await?;
        loop {
            let byte = peer.wire.take(1).await?;
            peer.write(byte).await?;
        }
    })
    .await;
    let mut house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 101);
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    house.metric_becomes("adsum_gateway_told_total", "", 1.0).await;
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    // Longer than the drain was to take.
    tokio::time::sleep(Duration::from_millis(2200)).await;
    wire.send("x").await;
    assert_eq!(wire.take(1).await.unwrap(), b"x");
    // The control: one that is not called off.
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    assert_eq!(wire.rest().await.unwrap(), b"");
    house.control.wait("the cut is told", |seen| seen.reports[&0].cut == 1);
    assert_eq!(house.metric("adsum_gateway_told_total", ""), 2.0);
}
