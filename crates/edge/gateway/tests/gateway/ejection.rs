//! An instance that fails again and again gets nothing for a while. How long, and how many at once, is tested where it is
//! decided.

use adsum_model::{Balance, InstanceId, Policy};

use crate::kit::{Backend, House};

/// Answers every request with a failure.
async fn failing() -> Backend {
    Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write("HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n").await?;
        }
    })
    .await
}

async fn house_of(backends: &[&Backend]) -> House {
    let mut house = House::new();
    let policy = Policy { balance: Balance::RoundRobin, ..Policy::default() };
    house.serve("web", policy, backends);
    let mut wire = house.connect().await;
    for _ in 0..20 {
        wire.get("/").await;
    }
    house
}

#[tokio::test]
async fn instance_that_fails_five_times_in_a_row_gets_nothing_more_and_is_reported() {
    let (bad, good) = (failing().await, Backend::saying("hello").await);
    let house = house_of(&[&bad, &good]).await;
    assert_eq!((bad.seen.count(), good.seen.count()), (5, 15));
    house.control.wait("the ejection is reported", |seen| {
        let mut ejected = seen.reports.values().flat_map(|report| &report.ejected);
        ejected.any(|it| {
            it.instance == InstanceId::from_seed(1) && it.failures == 5 && it.service.as_str() == "web"
        })
    });
    assert_eq!(house.metric("adsum_gateway_instance_ejected", ""), 1.0);
}

#[tokio::test]
async fn only_instance_gets_every_request_however_it_fails() {
    let bad = failing().await;
    let house = house_of(&[&bad]).await;
    assert_eq!(bad.seen.count(), 20);
    assert_eq!(house.metric("adsum_gateway_instance_ejected", ""), 0.0);
}

/// Speaks gRPC, and says at the end of each answer what has come of the call.
async fn calling(status: u32) -> Backend {
    Backend::new(move |mut peer| async move {
        loop {
            peer.request().await?;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc+proto\r\n";
            let rest = format!(
                "trailer: grpc-status\r\ntransfer-encoding: chunked\r\n\r\n0\r\ngrpc-status: {status}\r\n\r\n"
            );
            peer.write(format!("{head}{rest}")).await?;
        }
    })
    .await
}

#[tokio::test]
async fn instance_whose_calls_fail_at_their_ends_gets_nothing_more() {
    // UNAVAILABLE; and NOT_FOUND, which is the caller's affair.
    for (status, expect) in [(14, 5), (5, 10)] {
        let (bad, good) = (calling(status).await, calling(0).await);
        house_of(&[&bad, &good]).await;
        assert_eq!((bad.seen.count(), good.seen.count()), (expect, 20 - expect), "status {status}");
    }
}
