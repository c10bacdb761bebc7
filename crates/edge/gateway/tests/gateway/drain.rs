//! An instance is taken away: what is in flight ends well, what would never end is told.

use std::time::Duration;

use adsum_model::{Health, InstanceId, Policy};
use tokio::io::AsyncReadExt as _;
use tokio::sync::oneshot;

use crate::kit::{Backend, House, Wire, shared};

#[tokio::test]
async fn draining_instance_finishes_what_it_has_and_gets_nothing_new() {
    let (release, released) = oneshot::channel::<()>();
    let released = shared(released);
    let slow = Backend::new(move |mut peer| {
        let released = released.clone();
        async move {
            peer.request().await?;
            let _ = released.take().await.await;
            peer.say("late").await?;
            // The connection to it is closed behind the answer.
            assert!(peer.request().await.is_err());
            Ok(())
        }
    })
    .await;
    let mut house = House::serving(&[&slow]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_instance_in_flight", "", 1.0).await;
    let fresh = Backend::saying("fresh").await;
    house.instance("web", 2, fresh.addr, Health::Passing);
    house.instance("web", 1, slow.addr, Health::Draining);
    let revision = house.apply();
    house.control.wait("the drain is told", |seen| {
        seen.in_flight(1).is_some_and(|had| had.requests == 1) && seen.in_flight(2).is_none()
    });
    let mut other = house.connect().await;
    for _ in 0..10 {
        assert_eq!(other.get("/").await.text(), "fresh");
    }
    release.send(()).unwrap();
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.text(), answer.header("connection")), ("late", None));
    house.control.wait("nothing is left", |seen| {
        seen.in_flight(1).is_some_and(|had| had.is_empty()) && seen.reports[&0].applied == revision
    });
    assert_eq!(wire.get("/").await.text(), "fresh", "the client's connection goes on");
    assert_eq!(slow.seen.count(), 1);
}

#[tokio::test]
async fn resting_connections_to_a_draining_instance_are_closed() {
    let (told, closed) = oneshot::channel::<()>();
    let told = shared(told);
    let backend = Backend::new(move |mut peer| {
        let told = told.clone();
        async move {
            peer.request().await?;
            peer.say("hello").await?;
            assert_eq!(peer.wire.rest().await?, b"");
            told.take().await.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let mut house = House::serving(&[&backend]);
    house.connect().await.get("/").await;
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    closed.await.unwrap();
}

#[tokio::test]
async fn instance_that_has_left_the_table_is_told_of_until_it_has_nothing() {
    let slow = Backend::silent().await;
    let mut house = House::serving(&[&slow]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    house.remove(1);
    house.apply();
    house.control.wait("it is told", |seen| seen.in_flight(1).is_some_and(|had| had.requests == 1));
    drop(wire);
    house.control.wait("it has gone", |seen| seen.in_flight(1).is_none());
}

/// Echoes frames, and answers Close by Close. Masks are taken off.
pub(crate) async fn websocket() -> Backend {
    Backend::new(|mut peer| async move {
        let head = peer.request().await?.head;
        assert!(head.to_ascii_lowercase().contains("upgrade: websocket"), "{head}");
        peer.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n")
            .await?;
        loop {
            let (opcode, payload) = read_frame(&mut peer.wire).await?;
            peer.write(frame(opcode, &payload, None)).await?;
            if opcode == 8 {
                return Ok(());
            }
        }
    })
    .await
}

pub(crate) async fn read_frame<S>(wire: &mut Wire<S>) -> std::io::Result<(u8, Vec<u8>)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let head = wire.take(2).await?;
    let mask = if head[1] & 0x80 == 0 { vec![0; 4] } else { wire.take(4).await? };
    let mut payload = wire.take(usize::from(head[1] & 0x7f)).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok((head[0] & 15, payload))
}

pub(crate) fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0x80 | opcode, length | if mask.is_some() { 0x80 } else { 0 }];
    frame.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    frame.extend(payload.iter().zip(mask.unwrap_or_default().iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(crate) async fn open_websocket(house: &House) -> Wire {
    let mut wire = house.connect().await;
    wire.send("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    wire
}

#[tokio::test]
async fn websocket_echoes_and_is_told_1012_when_its_instance_drains() {
    let backend = websocket().await;
    let mut house = House::serving(&[&backend]);
    let mut wire = open_websocket(&house).await;
    for n in 0..10u8 {
        wire.send(frame(2, &[n; 100], Some([1, 2, 3, n]))).await;
        assert_eq!(read_frame(&mut wire).await.unwrap(), (2, vec![n; 100]));
    }
    assert_eq!(house.metric("adsum_gateway_upgrades", ""), 1.0);
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    house.control.wait("the upgrade is told", |seen| seen.in_flight(1).is_some_and(|had| had.upgrades == 1));
    let (opcode, payload) = read_frame(&mut wire).await.unwrap();
    assert_eq!((opcode, &payload[..2]), (8, &1012u16.to_be_bytes()[..]));
    wire.send(frame(8, &payload[..2], Some([9; 4]))).await;
    assert_eq!(wire.rest().await.unwrap(), b"");
    house.control.wait("nothing is left", |seen| seen.in_flight(1).is_some_and(|had| had.is_empty()));
    assert_eq!(house.metric("adsum_gateway_cut_total", ""), 0.0);
}

#[tokio::test]
async fn close_is_put_between_two_messages_and_never_into_one() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n")
            .await?;
        // The first half of a message, and when the client says so the other.
        peer.write([0x01, 3, b'a', b'b', b'c']).await?;
        read_frame(&mut peer.wire).await?;
        peer.write([0x80, 2, b'd', b'e']).await?;
        loop {
            if read_frame(&mut peer.wire).await?.0 == 8 {
                return peer.write(frame(8, &[], None)).await;
            }
        }
    })
    .await;
    let mut house = House::serving(&[&backend]);
    let mut wire = open_websocket(&house).await;
    assert_eq!(wire.take(5).await.unwrap(), [0x01, 3, b'a', b'b', b'c']);
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    house.metric_becomes("adsum_gateway_told_total", "", 1.0).await;
    assert!(wire.read.is_empty());
    wire.send(frame(1, b"go on", Some([4; 4]))).await;
    assert_eq!(wire.take(4).await.unwrap(), [0x80, 2, b'd', b'e']);
    assert_eq!(read_frame(&mut wire).await.unwrap().0, 8);
}

#[tokio::test]
async fn upgraded_connection_that_does_not_end_is_cut_at_the_deadline_and_counted() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: Upgrade\r\n\r\nfirst")
            .await?;
        assert_eq!(peer.wire.rest().await?, b"second");
        Ok(())
    })
    .await;
    let mut house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 101);
    assert_eq!(wire.take(5).await.unwrap(), b"first");
    wire.send("second").await;
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    assert_eq!(wire.rest().await.unwrap(), b"");
    house.control.wait("the cut is told", |seen| seen.reports[&0].cut == 1);
    assert_eq!(house.metric("adsum_gateway_instance_cut_total", InstanceId::from_seed(1).as_str()), 1.0);
}

#[tokio::test]
async fn upgrade_that_the_instance_refuses_stays_http() {
    let backend = Backend::saying("no upgrade here").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "no upgrade here");
    assert_eq!(wire.get("/again").await.text(), "no upgrade here");
    assert_eq!(backend.seen.count(), 2);
}

#[tokio::test]
async fn bytes_behind_an_upgrade_that_is_not_accepted_reach_no_instance() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        peer.say("no").await?;
        let next = peer.request().await?;
        peer.say(next.line()).await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nGET /second HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "no");
    assert_eq!(wire.answer().await.unwrap().text(), "GET /second HTTP/1.1");
    assert_eq!(backend.seen.count(), 2);
}

#[tokio::test]
async fn event_stream_ends_between_two_events_when_its_instance_drains() {
    let (go, gone) = oneshot::channel::<()>();
    let gone = shared(gone);
    let backend = Backend::new(move |mut peer| {
        let gone = gone.clone();
        async move {
            peer.request().await?;
            peer.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\ndata: tw")
                .await?;
            gone.take().await.await.unwrap();
            peer.write("o\n\ndata: three\n\ndata: fo").await?;
            let mut end = [0];
            assert!(matches!(peer.wire.stream.read(&mut end).await, Ok(0) | Err(_)));
            Ok(())
        }
    })
    .await;
    let mut house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    wire.head().await.unwrap();
    house.metric_becomes("adsum_gateway_upgrades", "", 1.0).await;
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    house.metric_becomes("adsum_gateway_told_total", "", 1.0).await;
    go.send(()).unwrap();
    let body = String::from_utf8(wire.chunks().await.unwrap()).unwrap();
    assert_eq!(body, "data: one\n\ndata: two\n\n");
    house.control.wait("nothing is left", |seen| seen.in_flight(1).is_some_and(|had| had.is_empty()));
    assert_eq!(house.metric("adsum_gateway_cut_total", ""), 0.0);
}

#[tokio::test]
async fn requests_wait_while_the_only_instance_is_replaced() {
    let backend = Backend::saying("new").await;
    let mut house = House::new();
    let mut spec = adsum_model::Spec::new("web".parse().unwrap(), vec!["true".into()]);
    spec.exclusive = true;
    spec.routing.policy = Policy::default();
    spec.routing.routes = vec![crate::kit::route("PathPrefix(/)")];
    house.put_spec(spec);
    house.instance("web", 1, backend.addr, Health::Starting);
    house.apply();
    let mut wires = Vec::new();
    for n in 0..5 {
        let mut wire = house.connect().await;
        wire.send(format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        wires.push(wire);
    }
    house.metric_becomes("adsum_gateway_connections", "", 5.0).await;
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    for wire in &mut wires {
        assert_eq!(wire.answer().await.unwrap().text(), "new");
    }
    house.metric_becomes("adsum_gateway_held_total", "", 5.0).await;
}

#[tokio::test]
async fn event_stream_that_cannot_be_read_goes_on_until_the_time_is_over() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        peer.write(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\nlooks like\n\n",
        )
        .await?;
        std::future::pending().await
    })
    .await;
    let mut house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    wire.head().await.unwrap();
    house.metric_becomes("adsum_gateway_upgrades", "", 1.0).await;
    house.instance("web", 1, backend.addr, Health::Draining);
    house.apply();
    assert!(wire.chunks().await.is_err(), "it has no good end");
    house.control.wait("the cut is told", |seen| seen.reports[&0].cut == 1);
}

#[tokio::test]
async fn who_waits_for_an_instance_that_does_not_come_any_more_is_told_at_once() {
    let mut house = House::new();
    let mut spec = adsum_model::Spec::new("web".parse().unwrap(), vec!["true".into()]);
    spec.exclusive = true;
    spec.routing.routes = vec![crate::kit::route("PathPrefix(/)")];
    house.put_spec(spec.clone());
    house.instance("web", 1, Backend::nobody(), Health::Starting);
    house.apply();
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_pending", "", 1.0).await;
    spec.exclusive = false;
    house.put_spec(spec);
    house.apply();
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("x-gateway-error")), (503, Some("no-instance")));
}

#[tokio::test]
async fn requests_beyond_what_an_instance_takes_wait_for_their_turn() {
    let (backend, release) = Backend::holding("GET /first").await;
    let mut house = House::new();
    let policy =
        Policy { max_requests: 1, max_pending: 2, hold: Duration::from_secs(10), ..Policy::default() };
    house.serve("web", policy, &[&backend]);
    let mut first = house.connect().await;
    first.send("GET /first HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut wire = house.connect().await;
        wire.send("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await;
        waiting.push(wire);
        house.metric_becomes("adsum_gateway_pending", "", waiting.len() as f64).await;
    }
    let refused = house.connect().await.get("/too-many").await;
    assert_eq!((refused.status, refused.header("x-gateway-error")), (503, Some("pending-full")));
    release.send(()).unwrap();
    assert_eq!(first.answer().await.unwrap().text(), "done");
    for wire in &mut waiting {
        assert_eq!(wire.answer().await.unwrap().text(), "done");
    }
    assert_eq!(backend.seen.count(), 3);
    house.metric_becomes("adsum_gateway_pending", "", 0.0).await;
}
