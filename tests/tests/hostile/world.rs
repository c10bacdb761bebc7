//! An agent with one service behind its gateway: the recorder, which takes every path.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use adsum_tests::agent::Builder;
use adsum_tests::backend::Entries;
use adsum_tests::{Agent, Scratch, until};

use crate::raw::{Answer, Client};

const SOON: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) agent: Agent,
    recorded: PathBuf,
    _settings: Scratch,
}

impl World {
    pub(crate) fn start() -> World {
        World::with("", |builder| builder)
    }

    /// With these lines in the section `[gateway]` of the configuration file.
    pub(crate) fn with(section: &str, change: impl FnOnce(Builder) -> Builder) -> World {
        let settings = Scratch::new();
        let file = settings.file("adsum.toml");
        std::fs::write(&file, format!("[gateway]\n{section}\n")).unwrap();
        let agent = change(Agent::builder().arg("--config").arg(&file)).start();
        let recorded = agent.scratch().path().join("recorded");
        std::fs::create_dir(&recorded).unwrap();
        let folder = format!("RECORDER_FOLDER={}", recorded.display());
        let create =
            ["service", "create", "--name", "recorder", "--route", "Host(`a.example`)", "--env", &folder];
        let program = ["--health-tcp", "--update-monitor", "0s", "--", env!("CARGO_BIN_EXE_recorder")];
        agent.adsum(&[&create[..], &program[..]].concat()).ok();
        let world = World { agent, recorded, _settings: settings };
        until("the service is routed", SOON, || (world.get("/begin").status == 200).then_some(()));
        world
    }

    pub(crate) fn gateway(&self) -> SocketAddr {
        self.agent.gateway()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.gateway())
    }

    /// A request that nobody has anything against, on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let mut client = self.client();
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").as_bytes());
        client.answers().pop().expect("the gateway answers")
    }

    /// How long that takes.
    pub(crate) fn latency(&self) -> Duration {
        let begin = Instant::now();
        assert_eq!(self.get("/probe").status, 200);
        begin.elapsed()
    }

    /// What the instance has written down.
    pub(crate) fn entries(&self) -> Entries {
        Entries::of_folder(&self.recorded)
    }

    /// The bytes of each connection of the instance.
    pub(crate) fn bytes(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.recorded).unwrap().map(|entry| entry.unwrap().path());
        let raw = files.filter(|path| path.extension().is_some_and(|extension| extension == "raw"));
        raw.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }

    pub(crate) fn agent_pid(&self) -> i32 {
        self.agent.pid()
    }
}
