//! The load generator, against a backend without a gateway in between: what it reports is what was done to it.

use super::*;
use crate::backend::{Backend, Idle};
use crate::port::Block;

fn plan(backend: &Backend, rate: u32) -> Plan {
    Plan::new(backend.address(), "a", rate)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn every_request_is_accounted_for_and_each_post_is_found_at_the_backend() {
    let backend = Backend::start();
    let report = Load::start(
        plan(&backend, 1000).mix([get("/bytes/1000"), post("/order", 100), get("/")]).requests(300),
    );
    let report = report.stop_after(300);
    assert_eq!(report.failures(), Vec::<&Record>::new(), "{report}");
    assert_eq!((report.total(), backend.entries().count("request")), (300, 300));
    assert_eq!(report.posts_in(&backend.entries()), Ok(100));
    assert!(report.posts_in(&crate::backend::Entries::default()).is_err());
}

#[test]
fn a_server_that_stands_still_does_not_slow_the_load_down() {
    let backend = Backend::start();
    let load = Load::start(plan(&backend, 500).mix([get("/slow/300")]).requests(200));
    let report = load.stop_after(200);
    assert_eq!(report.failures(), Vec::<&Record>::new(), "{report}");
    // A closed loop of one client would have taken a minute.
    assert!(report.latencies(|_| true).quantile(0.5) >= millis(300));
    assert!(report.records().last().unwrap().due < millis(500));
}

#[test]
fn each_way_to_fail_is_told_apart() {
    let backend = Backend::start();
    let shots = ["/status/503", "/reset/before", "/reset/body", "/hang"].map(get);
    let report = Load::start(plan(&backend, 100).mix(shots).requests(4).patience(millis(3000))).stop_after(4);
    let outcomes: Vec<&Outcome> = report.records().iter().map(|record| &record.outcome).collect();
    let seen = matches!(
        outcomes[..],
        [Outcome::Answered(503), Outcome::Broken(_), Outcome::Truncated(_), Outcome::TimedOut]
    );
    assert!(seen, "{outcomes:?}");
    let nobody = Block::reserve();
    let report = Load::start(Plan::new(nobody.address(0), "a", 100).requests(1)).stop_after(1);
    assert!(matches!(report.records()[0].outcome, Outcome::Unconnected(_)), "{report}");
}

#[test]
fn load_that_nobody_stops_ends_when_it_is_dropped() {
    let backend = Backend::start();
    let load = Load::start(plan(&backend, 500).mix([get("/hang")]));
    crate::until("some is in flight", Duration::from_secs(20), || {
        (backend.entries().count("request") > 10).then_some(())
    });
    drop(load);
    let before = backend.entries().count("request");
    crate::until("all of it is gone", Duration::from_secs(20), || {
        let load = Load::start(plan(&backend, 500).mix([get("/")]).requests(10));
        let others = load.stop_after(10).total();
        (backend.entries().count("request GET /hang") <= before && others == 10).then_some(())
    });
}

/// The control of the tests of that race behind a gateway: a client that uses kept connections at the wrong moment and
/// repeats nothing does lose requests.
#[test]
fn a_naive_client_loses_the_keep_alive_race() {
    // Idle for less than the pause between two requests, and then on its way to be closed for far longer than that.
    let idle = Idle { after: millis(20), jitter: millis(5), wire: Duration::from_secs(5) };
    let backend = Backend::closing_idle(idle);
    let report = Load::start(plan(&backend, 10).requests(30)).stop_after(30);
    assert!(backend.entries().count("race") > 0, "{report}");
    assert_eq!(report.failures().len(), backend.entries().count("race"), "{report}");
}
