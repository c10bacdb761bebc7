//! An agent whose gateway stands in front of backends that keep ledgers.

use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::backend::{self, Entries};
use adsum_tests::load::{Plan, Report};
use adsum_tests::processes::Process;
use adsum_tests::{Agent, http, until_ok};

pub(crate) const SOON: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_backend");

pub(crate) struct Stage {
    pub(crate) agent: Agent,
    ledgers: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let agent = Agent::start();
        let ledgers = agent.scratch().path().join("backends");
        std::fs::create_dir(&ledgers).unwrap();
        Stage { agent, ledgers }
    }

    /// Creates a service of backends at `http://NAME.local/` and waits until the gateway routes to it.
    #[track_caller]
    pub(crate) fn create(&self, name: &str, flags: &[&str]) {
        let route = format!("Host({name}.local)");
        let folder = format!("BACKEND_FOLDER={}", self.ledgers.display());
        let own = ["service", "create", "--name", name, "--route", &route, "--env", &folder];
        let check = ["--health-http", "/healthz", "--timeout", "60s"];
        self.agent.adsum(&[&own[..], &check, flags, &["--", PROGRAM]].concat()).ok();
        until_ok("the gateway routes", SOON, || {
            let host = format!("{name}.local");
            let answer = http::request(self.agent.gateway(), "GET", "/begin", &[("Host", &host)], "");
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
        });
    }

    /// Load on the service of this name.
    pub(crate) fn plan(&self, name: &str, rate: u32) -> Plan {
        Plan::new(self.agent.gateway(), &format!("{name}.local"), rate).name(name)
    }

    /// What all backends have written, of all services.
    pub(crate) fn entries(&self) -> Entries {
        Entries::of_folder(&self.ledgers)
    }

    /// What one instance has written.
    pub(crate) fn entries_of(&self, instance: &Process) -> Entries {
        Entries::by_process(&self.ledgers).remove(&instance.pid).unwrap_or_default()
    }

    /// All backends of all services change their mood.
    pub(crate) fn set_mood(&self, mood: &str) {
        backend::set_mood(&self.ledgers.join("mood"), mood);
    }
}

/// Nothing failed, and each POST was carried out once.
#[track_caller]
pub(crate) fn check_nothing_lost(report: &Report, entries: &Entries) {
    println!("{report}");
    let failures = report.failures();
    let shown: Vec<_> = failures.iter().take(10).collect();
    assert!(failures.is_empty(), "{} failed, the first {shown:#?}\n{report}", failures.len());
    report.posts_in(entries).unwrap();
}
