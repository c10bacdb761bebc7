//! Docker Swarm: tasks with a port of the host each, and HAProxy as the entrance. The mesh of Swarm itself, which needs
//! IPVS in the kernel, is not used.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adsum_tests::backend::Entries;

use super::adsum::instance;
use super::containers::{self, IMAGE, PROGRAM};
use super::dockerd::Dockerd;
use super::haproxy::Haproxy;
use super::{Orchestrator, REPLICAS};

const CHECK: &str = "wget -q -O /dev/null http://127.0.0.1:8080/healthz";

pub(super) struct Swarm {
    // Before the daemon: dropped in this order.
    haproxy: Haproxy,
    dockerd: Dockerd,
    ledgers: PathBuf,
}

impl Swarm {
    /// Of instances that go on for so long after they were told to end.
    pub(super) fn start(linger: Duration) -> anyhow::Result<Swarm> {
        let program = instance()?;
        let dockerd = Dockerd::start()?;
        containers::make(&dockerd, &program)?;
        let ledgers = dockerd.path().join("ledgers");
        std::fs::create_dir(&ledgers)?;
        let haproxy = Haproxy::start(dockerd.path(), dockerd.command())?;
        let swarm = Swarm { haproxy, dockerd, ledgers };
        swarm.create(linger)?;
        Ok(swarm)
    }

    fn create(&self, linger: Duration) -> anyhow::Result<()> {
        let replicas = REPLICAS.to_string();
        let mount = format!("type=bind,source={},target=/ledgers", self.ledgers.display());
        let linger = format!("BACKEND_LINGER={}", linger.as_millis());
        let what =
            ["service", "create", "--detach", "--no-resolve-image", "--name", "web", "--replicas", &replicas];
        let place = ["--publish", "mode=host,target=8080", "--mount", &mount];
        let environment =
            ["PORT=8080", "HOST=0.0.0.0", "BACKEND_FOLDER=/ledgers", "ADSUM_INSTANCE={{.Task.Name}}"];
        let environment = [&environment[..], &[&linger]].concat();
        let environment: Vec<&str> = environment.into_iter().flat_map(|it| ["--env", it]).collect();
        let check = ["--health-cmd", CHECK, "--health-interval", "500ms", "--health-timeout", "2s"];
        let order = ["--update-order", "start-first"];
        let words = [&what[..], &place, &environment, &check, &order, &[IMAGE, PROGRAM]].concat();
        self.dockerd.run(&words).map(drop)
    }
}

impl Orchestrator for Swarm {
    fn entrance(&self) -> SocketAddr {
        self.haproxy.entrance()
    }

    fn update(&self, version: u32) -> anyhow::Result<()> {
        let version = format!("VERSION={version}");
        let words = ["service", "update", "--quiet", "--no-resolve-image", "--env-add", &version, "web"];
        self.dockerd.run(&words).map(drop)
    }

    fn scale(&self, replicas: usize) -> anyhow::Result<()> {
        self.dockerd.run(&["service", "scale", "--detach", &format!("web={replicas}")]).map(drop)
    }

    fn entries(&self) -> Entries {
        Entries::of_folder(&self.ledgers)
    }
}
