//! An agent whose gateway stands in front of backends that keep ledgers: services of the program `backend`, each at
//! `http://NAME.local/`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::backend::{self, Entries};
use crate::load::{Plan, Report};
use crate::processes::Process;
use crate::{Agent, http, program, until_ok};

/// Longer than anything takes that is not about to hang, on a machine that builds something else at the same time.
pub const SOON: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Stage {
    pub agent: Agent,
    ledgers: PathBuf,
}

impl Stage {
    #[track_caller]
    pub fn new() -> Stage {
        Stage::with(Agent::start())
    }

    /// With an agent that was started in another way.
    pub fn with(agent: Agent) -> Stage {
        let ledgers = agent.scratch().path().join("backends");
        std::fs::create_dir(&ledgers).expect("our own directory is writable");
        Stage { agent, ledgers }
    }

    /// Creates a service of backends and waits until the gateway routes to it.
    #[track_caller]
    pub fn create(&self, name: &str, flags: &[&str]) {
        let route = format!("Host({name}.local)");
        let folder = format!("BACKEND_FOLDER={}", self.ledgers.display());
        let own = ["service", "create", "--name", name, "--route", &route, "--env", &folder];
        let check = ["--health-http", "/healthz", "--timeout", "60s"];
        let program = program::backend();
        let program = program.to_str().expect("paths of a build are plain");
        self.agent.adsum(&[&own[..], &check, flags, &["--", program]].concat()).ok();
        until_ok("the gateway routes", SOON, || {
            let host = format!("{name}.local");
            let answer = http::request(self.agent.gateway(), "GET", "/begin", &[("Host", &host)], "");
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
        });
    }

    /// Load on the service of this name.
    pub fn plan(&self, name: &str, rate: u32) -> Plan {
        Plan::new(self.agent.gateway(), &format!("{name}.local"), rate).name(name)
    }

    /// What all backends have written, of all services.
    pub fn entries(&self) -> Entries {
        Entries::of_folder(&self.ledgers)
    }

    /// What each process has written.
    pub fn entries_by_process(&self) -> BTreeMap<i32, Entries> {
        Entries::by_process(&self.ledgers)
    }

    /// What one instance has written.
    pub fn entries_of(&self, instance: &Process) -> Entries {
        self.entries_by_process().remove(&instance.pid).unwrap_or_default()
    }

    /// All backends of all services change their mood.
    pub fn set_mood(&self, mood: &str) {
        backend::set_mood(&self.ledgers.join("mood"), mood);
    }
}

impl Default for Stage {
    fn default() -> Stage {
        Stage::new()
    }
}

/// Nothing failed, and each POST was carried out once.
#[track_caller]
pub fn check_nothing_lost(report: &Report, entries: &Entries) {
    println!("{report}");
    let failures = report.failures();
    let shown: Vec<_> = failures.iter().take(10).collect();
    assert!(failures.is_empty(), "{} failed, the first {shown:#?}\n{report}", failures.len());
    report.posts_in(entries).expect("each POST that succeeded was carried out once, and no other twice");
}
