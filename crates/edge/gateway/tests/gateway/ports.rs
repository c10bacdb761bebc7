//! Published ports, TCP behind them, and connections that are only bytes.

use std::net::SocketAddr;

use adsum_model::{Health, Policy, Protocol, ProxyProtocol, Publish};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::kit::{Backend, House, Wire};

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn publish(port: u16, protocol: Protocol) -> Publish {
    Publish { port, target: None, protocol }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test]
async fn published_port_is_opened_and_closed_by_the_table() {
    let backend = Backend::saying("hello").await;
    let port = free_port().await;
    let mut house = House::new();
    house.put("web", Policy::default(), &[], &[publish(port, Protocol::Http)]);
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    house.control.wait("the port is open", |seen| seen.listening.get(&port) == Some(&Ok(())));
    let mut wire = Wire::connect(at(port)).await;
    assert_eq!(wire.get("/any").await.text(), "hello");
    assert_eq!(backend.seen.requests()[0].header("x-forwarded-port"), Some(port.to_string().as_str()));
    assert_eq!(house.connect().await.get("/").await.status, 404, "the gateway's own address has no route");
    house.put("web", Policy::default(), &[], &[]);
    house.apply();
    let refused = async {
        while TcpStream::connect(at(port)).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::kit::PATIENCE, refused).await.unwrap();
}

#[tokio::test]
async fn port_that_somebody_has_is_told_and_taken_when_it_is_free() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let mut house = House::new();
    house.put("web", Policy::default(), &["PathPrefix(/)"], &[publish(port, Protocol::Http)]);
    house.apply();
    house.control.wait("the failure is told", |seen| {
        seen.listening.get(&port).is_some_and(|told| told.as_ref().is_err_and(|why| why.contains("in use")))
    });
    assert_eq!(house.connect().await.get("/").await.status, 503, "nothing else is harmed");
    drop(other);
    house.control.wait("the port is open", |seen| seen.listening.get(&port) == Some(&Ok(())));
}

#[tokio::test]
async fn port_that_speaks_otherwise_from_now_on_is_no_trouble() {
    let backend = Backend::saying("hello").await;
    let port = free_port().await;
    let mut house = House::with(|settings| settings.workers = 2);
    for protocol in [Protocol::Http, Protocol::Tcp, Protocol::Http, Protocol::Tcp] {
        house.put("web", Policy::default(), &[], &[publish(port, protocol)]);
        house.instance("web", 1, backend.addr, Health::Passing);
        house.apply();
        let served = async {
            loop {
                let Ok(stream) = TcpStream::connect(at(port)).await else { continue };
                let mut wire = Wire::over(stream);
                let _ = wire.stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
                let Ok(answer) = wire.answer().await else { continue };
                // Only the gateway's own HTTP says who has served it.
                if answer.header("x-served-by").is_some() == (protocol == Protocol::Http) {
                    return;
                }
            }
        };
        tokio::time::timeout(crate::kit::PATIENCE, served).await.unwrap();
    }
    house.control.wait("no trouble", |seen| seen.troubles.is_empty());
}

#[tokio::test]
async fn tcp_is_carried_with_the_clients_address_before_it_and_each_side_ends_by_itself() {
    let backend = Backend::new(|mut peer| async move {
        let head = peer.wire.take(28).await?;
        assert_eq!(&head[..12], b"\r\n\r\n\0\r\nQUIT\n");
        assert_eq!((head[12], head[13], &head[16..20]), (0x21, 0x11, &[127, 0, 0, 1][..]));
        let all = peer.wire.rest().await?;
        // The client has said all, and still hears.
        peer.write(all.iter().rev().copied().collect::<Vec<u8>>()).await?;
        peer.write(&head[24..26]).await
    })
    .await;
    let port = free_port().await;
    let mut house = House::new();
    let policy = Policy { proxy_protocol: Some(ProxyProtocol::V2), ..Policy::default() };
    house.put("db", policy, &[], &[publish(port, Protocol::Tcp)]);
    house.instance("db", 1, backend.addr, Health::Passing);
    house.apply();
    house.control.wait("the port is open", |seen| seen.listening.get(&port) == Some(&Ok(())));
    let mut wire = Wire::connect(at(port)).await;
    let own = wire.stream.local_addr().unwrap().port();
    wire.send("abc").await;
    wire.stream.shutdown().await.unwrap();
    let mut expect = b"cba".to_vec();
    expect.extend_from_slice(&own.to_be_bytes());
    assert_eq!(wire.rest().await.unwrap(), expect);
    house.metric_becomes("adsum_gateway_upgrades", "", 0.0).await;
    house.metric_becomes("adsum_gateway_instance_upgrades_total", "", 1.0).await;
}

#[tokio::test]
async fn tcp_goes_to_the_instance_that_is_there_and_is_cut_when_its_drain_is_over() {
    let nobody = Backend::nobody();
    let backend = Backend::new(|mut peer| async move {
        peer.write("hello").await?;
        assert_eq!(peer.wire.rest().await?, b"");
        Ok(())
    })
    .await;
    let port = free_port().await;
    let mut house = House::new();
    house.put("db", Policy::default(), &[], &[publish(port, Protocol::Tcp)]);
    house.instance("db", 1, nobody, Health::Passing);
    house.instance("db", 2, backend.addr, Health::Passing);
    house.apply();
    house.control.wait("the port is open", |seen| seen.listening.get(&port) == Some(&Ok(())));
    let mut wires = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::connect(at(port)).await;
        assert_eq!(wire.take(5).await.unwrap(), b"hello");
        wires.push(wire);
    }
    assert!(house.metric("adsum_gateway_instance_failures_total", "") >= 1.0, "the fault fired");
    house.instance("db", 2, backend.addr, Health::Draining);
    house.apply();
    house
        .control
        .wait("the connections are told", |seen| seen.in_flight(2).is_some_and(|had| had.upgrades == 5));
    for wire in &mut wires {
        assert_eq!(wire.rest().await.unwrap(), b"");
    }
    house.control.wait("the cuts are told", |seen| seen.reports[&0].cut == 5);
}
