//! A gateway under load, ours or a peer: its configuration, its processes, what they use.

mod configuration;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::backend::Backend;
use crate::process::Process;
pub(super) use crate::spawned::{Spawned, folder, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Adsum,
    Haproxy,
    Nginx,
    Traefik,
    Caddy,
    /// Nothing in between: what the load generator and the backend can do at most.
    Backend,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] =
        [Kind::Adsum, Kind::Haproxy, Kind::Nginx, Kind::Traefik, Kind::Caddy, Kind::Backend];

    pub(super) fn parse(word: &str) -> anyhow::Result<Kind> {
        let found = Kind::ALL.into_iter().find(|kind| kind.to_string() == word);
        found.ok_or_else(|| anyhow::anyhow!("no peer is called {word:?}"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Adsum => "adsum",
            Kind::Haproxy => "haproxy",
            Kind::Nginx => "nginx",
            Kind::Traefik => "traefik",
            Kind::Caddy => "caddy",
            Kind::Backend => "backend",
        })
    }
}

pub(super) struct Peer {
    kind: Kind,
    http1: SocketAddr,
    h2c: SocketAddr,
    processes: Processes,
}

/// Whose processor time and memory count.
enum Processes {
    /// A process and all that it has started.
    Tree(Spawned),
    /// Ours has started the backend: that is not the gateway's.
    Alone(Spawned),
    /// Not the peer's own.
    Backend(Vec<Process>),
}

impl Peer {
    pub(super) fn start(kind: Kind, backend: &Backend, logs: bool) -> anyhow::Result<Peer> {
        if kind == Kind::Backend {
            return Peer::backend(backend);
        }
        let folder = folder()?;
        let (http1, h2c) = (free_address()?, free_address()?);
        let place = configuration::Place {
            folder: folder.path().to_path_buf(),
            http1,
            h2c,
            backend: backend.address(),
            logs,
        };
        if kind == Kind::Adsum {
            let spawned = configuration::adsum(&place, folder)?;
            return Ok(Peer { kind, http1, h2c: http1, processes: Processes::Alone(spawned) });
        }
        let (command, h2c) = match kind {
            Kind::Haproxy => (configuration::haproxy(&place)?, h2c),
            Kind::Nginx => (configuration::nginx(&place)?, h2c),
            Kind::Traefik => (configuration::traefik(&place)?, http1),
            Kind::Caddy | Kind::Adsum | Kind::Backend => (configuration::caddy(&place)?, http1),
        };
        let spawned = Spawned::start(command, folder, http1)?;
        Ok(Peer { kind, http1, h2c, processes: Processes::Tree(spawned) })
    }

    fn backend(backend: &Backend) -> anyhow::Result<Peer> {
        let (http1, h2c) = (backend.address(), backend.h2c());
        let processes = Processes::Backend(backend.spawned().tree());
        Ok(Peer { kind: Kind::Backend, http1, h2c, processes })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn http1(&self) -> SocketAddr {
        self.http1
    }

    pub(super) fn h2c(&self) -> SocketAddr {
        self.h2c
    }

    /// Processor time so far.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        self.processes().into_iter().map(Process::cpu).sum()
    }

    pub(super) fn rss(&self) -> anyhow::Result<u64> {
        self.processes().into_iter().map(Process::rss).sum()
    }

    fn processes(&self) -> Vec<Process> {
        match &self.processes {
            Processes::Tree(spawned) => spawned.tree(),
            Processes::Alone(spawned) => vec![spawned.process()],
            Processes::Backend(processes) => processes.clone(),
        }
    }
}
