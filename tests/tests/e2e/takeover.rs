//! One agent takes over from another: what clients see of it (nothing), and what happens when it goes wrong (nothing).

mod interrupted;
mod redis;
mod refused;
mod replaced;
mod supervised;
mod told;
mod under_load;

use std::process::Child;
use std::time::Duration;

use adsum_tests::load::{Load, Plan, post};
use adsum_tests::{Agent, Stage, Traffic, http, until, until_ok};

/// A level that agents reach by themselves.
const SOON: Duration = Duration::from_secs(30);
/// What is in flight, and what stays open, may take its time (docs/guide/upgrades.md).
const RETIRED: Duration = Duration::from_secs(50);

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

/// Starts a process that takes over, waits until it has, and gives the one before, which is on its way out.
#[track_caller]
fn take_over(agent: &mut Agent) -> Child {
    let next = agent.agent_command(&["--takeover"]).spawn().unwrap();
    let process = next.id();
    let before = agent.replace(next).expect("an agent runs");
    until_serves(agent, process);
    before
}

/// Waits until this process answers on the RESP face.
#[track_caller]
fn until_serves(agent: &Agent, process: u32) {
    let expect = format!("process_id:{process}\r");
    until("the process serves", SOON, || {
        let info = adsum_tests::clients::redis_cli(agent.resp(), &["INFO", "server"], b"");
        info.stdout.contains(&expect).then_some(())
    });
}

/// Waits until a process that has nothing more to do ends by itself, and says how.
#[track_caller]
fn ended(mut child: Child) -> std::process::ExitStatus {
    until("the process before ends", RETIRED, || child.try_wait().unwrap())
}
