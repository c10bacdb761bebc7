//! One agent takes over from another: what clients see of it (nothing), and what happens when it goes wrong (nothing).

mod interrupted;
mod redis;
mod refused;
mod replaced;
mod supervised;
mod told;
mod under_load;

use std::time::Duration;

use adsum_tests::load::{Load, Plan, post};
use adsum_tests::succession::{RETIRED, ended, take_over, until_serves};
use adsum_tests::{Stage, Traffic, http, until_ok};

/// A level that agents reach by themselves.
const SOON: Duration = Duration::from_secs(30);

/// Two instances behind `web.local` and a published port.
#[track_caller]
fn stage() -> Stage {
    let stage = Stage::new();
    let port = stage.agent.spare(0);
    stage.create("web", &["--replicas", "2", "--publish", &port.port().to_string()]);
    until_ok("the port is served", SOON, || match http::get(port, "/") {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    stage
}

/// Load of every kind over the gateway's address, and POSTs over the published port.
struct Callers {
    traffic: Traffic,
    port: Load,
}

impl Callers {
    fn start(stage: &Stage) -> Callers {
        let plan = Plan::new(stage.agent.spare(0), "web.local", 50).mix([post("/order", 100)]).name("port");
        Callers { traffic: Traffic::start(stage, "web", 120), port: Load::start(plan) }
    }

    #[track_caller]
    fn go_on_for(&self, requests: u64) {
        self.traffic.go_on_for(requests);
        self.port.go_on_for(requests);
    }

    /// Nothing failed, and each POST was carried out once.
    #[track_caller]
    fn check_nothing_lost(self, stage: &Stage) {
        let (account, port) = (self.traffic.stop(), self.port.stop());
        let entries = stage.entries();
        account.check_nothing_lost(&entries);
        adsum_tests::stage::check_nothing_lost(&port, &entries);
    }

    fn failures(self) -> usize {
        self.traffic.stop().failures().len() + self.port.stop().failures().len()
    }
}
