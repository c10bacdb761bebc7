//! The product: an agent whose gateway is the entrance.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use adsum_tests::Agent;
use adsum_tests::backend::Entries;
use anyhow::Context;

use super::{Orchestrator, REPLICAS};
use crate::server::Server;

pub(super) struct Adsum {
    agent: Agent,
    ledgers: PathBuf,
}

/// The program of the instances: built beside this one.
pub(super) fn instance() -> anyhow::Result<PathBuf> {
    let program =
        std::env::current_exe().context("cannot tell where the benchmark is")?.with_file_name("backend");
    anyhow::ensure!(
        program.is_file(),
        "{} is missing: cargo build --release -p adsum-tests --bin backend",
        program.display()
    );
    Ok(program)
}

impl Adsum {
    pub(super) fn start() -> anyhow::Result<Adsum> {
        let agent = Agent::builder().program(&Server::agent_program()?).start();
        let ledgers = agent.scratch().path().join("ledgers");
        std::fs::create_dir(&ledgers)?;
        let adsum = Adsum { agent, ledgers };
        adsum.create(&instance()?)?;
        Ok(adsum)
    }

    fn create(&self, program: &Path) -> anyhow::Result<()> {
        let folder = format!("BACKEND_FOLDER={}", self.ledgers.display());
        let replicas = REPLICAS.to_string();
        let program = program.to_str().context("the path of the build is no text")?;
        let own = ["service", "create", "--name", "web", "--replicas", &replicas, "--env", &folder];
        let routed = ["--route", "Host(web.local)", "--health-http", "/healthz", "--", program];
        self.run(&[&own[..], &routed].concat())
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        let output = self.agent.adsum(words);
        anyhow::ensure!(output.code == Some(0), "adsum {}: {}", words.join(" "), output.stderr);
        Ok(())
    }
}

impl Orchestrator for Adsum {
    fn entrance(&self) -> SocketAddr {
        self.agent.gateway()
    }

    fn update(&self, version: u32) -> anyhow::Result<()> {
        self.run(&["service", "update", "web", "--env-add", &format!("VERSION={version}")])
    }

    fn scale(&self, replicas: usize) -> anyhow::Result<()> {
        self.run(&["service", "scale", "--detach", &format!("web={replicas}")])
    }

    fn entries(&self) -> Entries {
        Entries::of_folder(&self.ledgers)
    }
}
