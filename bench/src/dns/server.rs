//! The three that answer, each with the same records.

use std::fmt;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use adsum_tests::http;
use anyhow::Context;
use tempfile::TempDir;

use super::{INSTANCES, SERVICES, name_of, port_of};
use crate::process::Process;
use crate::server::Server;
use crate::spawned::{Spawned, folder, free_address};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Adsum,
    Knot,
    Unbound,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Adsum, Kind::Knot, Kind::Unbound];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Adsum => "adsum",
            Kind::Knot => "knot",
            Kind::Unbound => "unbound",
        })
    }
}

/// A name server that runs and has all records.
pub(super) struct Named {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    server: Running,
}

enum Running {
    Agent(Server),
    Peer(Spawned),
}

impl Named {
    pub(super) fn start(kind: Kind) -> anyhow::Result<Named> {
        let (server, address) = match kind {
            Kind::Adsum => adsum()?,
            Kind::Knot => knot()?,
            Kind::Unbound => unbound()?,
        };
        Ok(Named { kind, address, server })
    }

    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        self.process().cpu()
    }

    fn process(&self) -> Process {
        match &self.server {
            Running::Agent(server) => server.process(),
            Running::Peer(spawned) => spawned.process(),
        }
    }
}

fn adsum() -> anyhow::Result<(Running, SocketAddr)> {
    let server = Server::agent(&Server::agent_program()?, "everysec")?;
    let (http, dns) = server.http().zip(server.dns()).context("an agent has these faces")?;
    let headers = [("Content-Type", "application/json")];
    for (service, instance) in all() {
        let (name, port) = (name_of(service), port_of(service, instance));
        let body = format!(
            r#"{{"Node": "host{instance}", "Address": "10.0.0.{instance}",
                "Service": {{"ID": "{name}-{instance}", "Service": "{name}", "Address": "10.0.0.{instance}", "Port": {port}}}}}"#
        );
        let answer = http::request(http, "PUT", "/v1/catalog/register", &headers, &body)?;
        anyhow::ensure!(answer.status == 200, "{name} is not registered: {} {}", answer.status, answer.body);
    }
    Ok((Running::Agent(server), dns))
}

fn knot() -> anyhow::Result<(Running, SocketAddr)> {
    let (folder, address) = (folder()?, free_address()?);
    let mut zone =
        "$ORIGIN adsum.\n$TTL 0\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n"
            .to_string();
    records(|name, data| writeln!(zone, "{name} {data}"))?;
    std::fs::write(folder.path().join("adsum.zone"), zone)?;
    let here = folder.path().display();
    let settings = format!(
        "server:\n  listen: 127.0.0.1@{port}\n  rundir: {here}\n  pidfile: {here}/pid\n\
         database:\n  storage: {here}\n\
         log:\n  - target: stderr\n    any: warning\n\
         zone:\n  - domain: adsum\n    file: {here}/adsum.zone\n    zonefile-sync: -1\n    journal-content: none\n",
        port = address.port()
    );
    std::fs::write(folder.path().join("knot.conf"), settings)?;
    let mut command = Command::new("knotd");
    command.arg("--config").arg(folder.path().join("knot.conf"));
    serving(command, address, folder)
}

fn unbound() -> anyhow::Result<(Running, SocketAddr)> {
    let (folder, address) = (folder()?, free_address()?);
    let mut settings = format!(
        "server:\n  interface: 127.0.0.1@{port}\n  do-daemonize: no\n  chroot: \"\"\n  username: \"\"\n  use-syslog: no\n\
         \x20 pidfile: \"{here}/pid\"\n  directory: \"{here}\"\n  num-threads: 2\n  so-reuseport: yes\n\
         \x20 module-config: \"iterator\"\n  minimal-responses: no\n  local-zone: \"adsum.\" static\n",
        port = address.port(),
        here = folder.path().display()
    );
    settings += "  local-data: \"adsum. 0 IN SOA ns.adsum. hostmaster.adsum. 1 3600 600 86400 1\"\n";
    records(|name, data| writeln!(settings, "  local-data: \"{name}.adsum. 0 IN {data}\""))?;
    std::fs::write(folder.path().join("unbound.conf"), settings)?;
    let mut command = Command::new("unbound");
    command.arg("-d").arg("-c").arg(folder.path().join("unbound.conf"));
    serving(command, address, folder)
}

fn serving(command: Command, address: SocketAddr, folder: TempDir) -> anyhow::Result<(Running, SocketAddr)> {
    let mut spawned = Spawned::begin(command, folder)?;
    spawned.wait(|| answers(address))?;
    Ok((Running::Peer(spawned), address))
}

/// Each service by its name, and each target of it.
fn records(mut write: impl FnMut(&str, &str) -> fmt::Result) -> anyhow::Result<()> {
    for (service, instance) in all() {
        let (name, port) = (name_of(service), port_of(service, instance));
        let target = format!("{name}-{instance}.{name}.service");
        write(&format!("{name}.service"), &format!("SRV 1 1 {port} {target}.adsum."))?;
        write(&format!("{name}.service"), &format!("A 10.0.0.{instance}"))?;
        write(&target, &format!("A 10.0.0.{instance}"))?;
    }
    Ok(())
}

fn all() -> impl Iterator<Item = (usize, usize)> {
    (0..SERVICES).flat_map(|service| (1..=INSTANCES).map(move |instance| (service, instance)))
}

/// Whether the first service is found.
fn answers(address: SocketAddr) -> std::io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [name_of(0).as_str(), "service", "adsum", ""] {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 33, 0, 1]);
    socket.send_to(&query, address)?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer)?;
    Ok(length > 12 && answer[7] == INSTANCES as u8)
}
