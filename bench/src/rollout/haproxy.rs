//! HAProxy in front of a swarm's tasks, configured as well as we know how: it is told of each container as soon as Docker
//! says that it is healthy, that it is being killed, or that it has died; it checks by itself besides, and repeats
//! elsewhere what may be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::Context;

use super::dockerd::Docker;

/// Servers that it has room for: twice those that there are at most.
const SERVERS: usize = 40;

pub(super) struct Haproxy {
    entrance: SocketAddr,
    child: Child,
    events: Child,
    follower: Option<JoinHandle<()>>,
}

impl Haproxy {
    pub(super) fn start(folder: &Path, docker: Docker) -> anyhow::Result<Haproxy> {
        let entrance = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = folder.join("haproxy.cfg");
        let socket = folder.join("haproxy.socket");
        std::fs::write(&file, configuration(entrance, &socket))?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file).stdout(Stdio::null());
        let log = std::fs::File::create(folder.join("haproxy.log"))?;
        let child = command.stderr(log).spawn().context("cannot run haproxy (Debian: haproxy)")?;
        let filters = ["start", "kill", "die", "health_status"].map(|kind| format!("event={kind}"));
        let mut words = vec!["events", "--filter", "type=container", "--format", "{{.Action}} {{.ID}}"];
        filters.iter().for_each(|filter| words.extend(["--filter", filter]));
        let mut events = docker.command(&words).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(events.stdout.take().context("its output is piped")?);
        let mut follower = Follower { docker, socket, places: BTreeMap::new(), ending: BTreeSet::new() };
        let follower = std::thread::spawn(move || {
            // Ends with the events.
            for line in lines.lines().map_while(Result::ok) {
                follower.hear(&line);
            }
        });
        Ok(Haproxy { entrance, child, events, follower: Some(follower) })
    }

    pub(super) fn entrance(&self) -> SocketAddr {
        self.entrance
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        for child in [&mut self.events, &mut self.child] {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(follower) = self.follower.take() {
            // It has nobody to tell of a panic but the terminal, and that has it.
            let _ = follower.join();
        }
    }
}

fn configuration(entrance: SocketAddr, socket: &Path) -> String {
    let socket = socket.display();
    format!(
        "global\n  stats socket {socket} mode 600 level admin\n  nbthread 2\n\
         defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n  \
         retries 3\n  option redispatch\n  retry-on conn-failure empty-response\n\
         frontend entrance\n  bind {entrance}\n  http-request disable-l7-retry if METH_POST\n  \
         default_backend web\n\
         backend web\n  balance leastconn\n  option httpchk GET /healthz\n  \
         default-server check inter 500ms fall 1 rise 1\n  \
         server-template s 1-{SERVERS} 127.0.0.1:1 disabled\n"
    )
}

/// Tells HAProxy what Docker tells.
struct Follower {
    docker: Docker,
    socket: PathBuf,
    /// Servers by the container that they stand for.
    places: BTreeMap<String, usize>,
    /// Containers that have been told to end.
    ending: BTreeSet<String>,
}

impl Follower {
    fn hear(&mut self, line: &str) {
        if let Some(("kill", id)) = line.split_once(' ') {
            self.ending.insert(short(id).to_string());
        }
        if let Err(error) = self.settle() {
            eprintln!("haproxy was not told of {line:?}: {error:#}");
        }
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        let running = containers(&self.docker.run(&["ps", "--format", "{{.ID}} {{.Ports}} {{.Status}}"])?);
        let mut words = Vec::new();
        self.places.retain(|id, place| {
            let here = running.contains_key(id);
            match (here, self.ending.contains(id)) {
                (false, _) => words.push(format!("set server web/s{place} state maint")),
                (true, true) => words.push(format!("set server web/s{place} state drain")),
                (true, false) => (),
            }
            here
        });
        let new = running.iter().filter(|(id, _)| !self.ending.contains(*id));
        for (id, port) in new {
            if self.places.contains_key(id) {
                continue;
            }
            let taken: BTreeSet<usize> = self.places.values().copied().collect();
            let place =
                (1..=SERVERS).find(|place| !taken.contains(place)).context("all servers are taken")?;
            words.push(format!("set server web/s{place} addr 127.0.0.1 port {port}"));
            words.push(format!("set server web/s{place} state ready"));
            self.places.insert(id.clone(), place);
        }
        if words.is_empty() { Ok(()) } else { self.say(&words.join(";")) }
    }

    fn say(&self, words: &str) -> anyhow::Result<()> {
        let mut stream = UnixStream::connect(&self.socket)?;
        writeln!(stream, "{words}")?;
        stream.read_to_string(&mut String::new())?;
        Ok(())
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The ports of the healthy ones: `3f2a... 0.0.0.0:32768->8080/tcp, :::32768->8080/tcp Up 5 seconds (healthy)`.
fn containers(text: &str) -> BTreeMap<String, u16> {
    let healthy = text.lines().filter(|line| line.contains("(healthy)"));
    healthy
        .filter_map(|line| {
            let id = line.split(' ').next()?;
            let port = line.split_once("->")?.0.rsplit(':').next()?.parse().ok()?;
            Some((short(id).to_string(), port))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_healthy_containers_are_asked() {
        let text = "3f2a00000001 0.0.0.0:32768->8080/tcp, :::32768->8080/tcp Up 5 seconds (healthy)\n\
                    3f2a00000002 0.0.0.0:32769->8080/tcp Up 1 second (health: starting)\n";
        assert_eq!(containers(text), BTreeMap::from([("3f2a00000001".to_string(), 32768)]));
    }
}
