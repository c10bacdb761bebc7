//! A real etcd of one member, to run the engine against and to break.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::port::Block;
use crate::{Output, Running, Scratch, running, until_ok};

/// For etcd to be ready, and for one command of etcdctl.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps its ports and its data over [`Etcd::kill`] and [`Etcd::start_again`]; ends with its data when dropped.
#[derive(Debug)]
pub struct Etcd {
    running: Option<Running>,
    ports: Block,
    /// The data directory's name in the scratch folder; a restored snapshot has the next one.
    data: u32,
    scratch: Scratch,
    options: Vec<String>,
}

impl Etcd {
    /// Starts one and waits until it serves. The test has asked `require("etcd")` before.
    #[track_caller]
    pub fn start() -> Etcd {
        Etcd::start_with(&[])
    }

    /// The same with further options of etcd's.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Etcd {
        let options = options.iter().map(|option| option.to_string()).collect();
        let mut etcd =
            Etcd { running: None, ports: Block::reserve(), data: 0, scratch: Scratch::new(), options };
        etcd.start_again();
        etcd
    }

    /// What an etcd client connects to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.ports.address(0)
    }

    /// Starts it on its data, and waits until it serves.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        self.running = Some(Running::start(&mut self.command()));
        self.until_ready();
    }

    /// As a crash ends it: nothing is flushed, nobody is told.
    #[track_caller]
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// As an administrator ends it.
    #[track_caller]
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
    }

    /// It stays there and does nothing, until [`Etcd::resume`].
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        let state = || is_stopped(self.running.as_ref()?.pid()).then_some(());
        crate::until("etcd is stopped", PATIENCE, state);
    }

    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Saves a snapshot of all its data; it has to run.
    #[track_caller]
    pub fn save(&self, name: &str) {
        let file = self.scratch.file(name);
        self.etcdctl(&["snapshot", "save", &file]).ok();
    }

    /// Goes on from a snapshot that was saved, on a new data directory, as after the loss of the old one.
    #[track_caller]
    pub fn restore(&mut self, name: &str) {
        if self.running.is_some() {
            self.stop();
        }
        self.data += 1;
        let (file, data, peer) = (self.scratch.file(name), self.data_dir(), self.peer());
        let cluster = format!("default={peer}");
        let mut words = vec!["snapshot", "restore", &file, "--data-dir", &data];
        words.extend(["--initial-cluster", &cluster, "--initial-advertise-peer-urls", &peer]);
        self.etcdctl(&words).ok();
        self.start_again();
    }

    /// Runs `etcdctl` against it.
    #[track_caller]
    pub fn etcdctl(&self, words: &[&str]) -> Output {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoint()]).args(words);
        running::run(&mut command, b"", PATIENCE)
    }

    fn command(&self) -> Command {
        let (client, peer) = (self.endpoint(), self.peer());
        let mut command = Command::new("etcd");
        command.args(["--data-dir", &self.data_dir(), "--logger", "zap", "--log-level", "warn"]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        command.args(&self.options).stdin(Stdio::null());
        command
    }

    fn peer(&self) -> String {
        format!("http://{}", self.ports.address(1))
    }

    fn data_dir(&self) -> String {
        self.scratch.file(&format!("data-{}", self.data))
    }

    #[track_caller]
    fn end(&mut self, signal: Signal) {
        let running = self.running.take().expect("it runs");
        running.signal(signal);
        running.finish(PATIENCE);
    }

    fn signal(&self, signal: Signal) {
        self.running.as_ref().expect("it runs").signal(signal);
    }

    #[track_caller]
    fn until_ready(&self) {
        until_ok("etcd listens", PATIENCE, || TcpStream::connect(self.address()).map(drop));
        until_ok("etcd serves", PATIENCE, || {
            let health = self.etcdctl(&["endpoint", "health"]);
            if health.code == Some(0) { Ok(()) } else { Err(health.stderr) }
        });
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            // One that is stopped would take its end only when it goes on.
            running.signal(Signal::SIGCONT);
        }
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_has_acknowledged_is_there_after_a_kill_and_a_pause() {
        if !crate::require("etcd") || !crate::require("etcdctl") {
            return;
        }
        let mut etcd = Etcd::start();
        etcd.etcdctl(&["put", "a", "1"]).ok();
        etcd.kill();
        assert_ne!(etcd.etcdctl(&["get", "a", "--command-timeout", "500ms"]).code, Some(0));
        etcd.start_again();
        etcd.pause();
        etcd.resume();
        assert_eq!(etcd.etcdctl(&["get", "a", "--print-value-only"]).ok(), "1");
    }

    #[test]
    fn a_restored_etcd_has_forgotten_what_came_after_the_snapshot() {
        if !crate::require("etcd") || !crate::require("etcdctl") {
            return;
        }
        let mut etcd = Etcd::start();
        etcd.etcdctl(&["put", "a", "before"]).ok();
        etcd.save("snapshot");
        etcd.etcdctl(&["put", "a", "after"]).ok();
        etcd.restore("snapshot");
        assert_eq!(etcd.etcdctl(&["get", "a", "--print-value-only"]).ok(), "before");
    }
}
