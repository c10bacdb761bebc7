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
