//! Clients that go past the gateway, to addresses that they have been given: who uses an address soon after it was given
//! loses nothing. The control, clients that keep an address for good, is `changes::a_client` of the tests of the gateway.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use adsum_tests::{Agent, Stage, http, rounds, until};

/// Asks who passes, and asks one of them at once, which takes a while to answer; again and again.
fn ask_until(over: &AtomicBool, agent: &Agent, shift: usize) -> Vec<Result<(), String>> {
    let mut all = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let addresses = passing(agent);
        let address = addresses[(all.len() + shift) % addresses.len()];
        let answer = http::get(address, "/slow/200").map_err(|error| format!("{address}: {error}"));
        all.push(answer.and_then(|it| if it.status == 200 { Ok(()) } else { Err(format!("{it:?}")) }));
    }
    all
}

fn passing(agent: &Agent) -> Vec<SocketAddr> {
    let body = agent.get("/v1/health/service/web?passing").ok();
    let entries: serde_json::Value = serde_json::from_str(&body).unwrap();
    let port = |entry: &serde_json::Value| u16::try_from(entry["Service"]["Port"].as_u64().unwrap()).unwrap();
    let entries = entries.as_array().unwrap().iter();
    entries.map(|entry| (std::net::Ipv4Addr::LOCALHOST, port(entry)).into()).collect()
}

#[test]
fn who_uses_an_address_soon_after_it_was_given_loses_nothing_when_its_instance_is_taken_away() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms"]);
    let over = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|shift| {
                scope.spawn({
                    let (over, agent) = (&over, &stage.agent);
                    move || ask_until(over, agent, shift)
                })
            })
            .collect();
        for round in 0..rounds(1, 30) {
            let version = format!("ROUND={round}");
            stage.agent.adsum(&["service", "update", "web", "--env-add", &version]).ok();
            stage.agent.adsum(&["service", "scale", "web=4"]).ok();
            stage.agent.adsum(&["service", "scale", "web=2"]).ok();
        }
        let ended = || stage.entries().count("terminated") >= 4;
        until("those taken away have ended", adsum_tests::stage::SOON, || ended().then_some(()));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let failed: Vec<_> = asked.iter().filter_map(|answer| answer.as_ref().err()).collect();
    println!("{} asked", asked.len());
    assert!(asked.len() > 20 && failed.is_empty(), "{failed:#?}");
}
