//! A real Docker daemon of the test's own: nothing of it is shared with one that the machine may have.
//!
//! It needs root. It has no network: a container is reached by `docker exec` or not at all.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::{Output, Running, Scratch, running, until_ok};

/// For the daemon to be ready, and for one command of its client.
const PATIENCE: Duration = Duration::from_secs(60);
/// The one image that it has: a shell and the ordinary programs.
const IMAGE: &str = "adsum/shell";

/// Ends with all its containers and their data when dropped.
#[derive(Debug)]
pub struct Docker {
    running: Option<Running>,
    scratch: Scratch,
}

impl Docker {
    /// Starts one with an image. The test has asked for `dockerd` and `busybox` before. None, on record, where no
    /// container can be started: within another container that has too few rights.
    #[track_caller]
    pub fn start() -> Option<Docker> {
        let scratch = Scratch::new();
        let mut docker = Docker { running: None, scratch };
        docker.running = Some(Running::start(&mut docker.daemon()));
        until_ok("docker serves", PATIENCE, || {
            let answer = docker.client(&["version"]);
            let daemon = docker.running.as_ref().map(Running::stderr);
            if answer.code == Some(0) { Ok(()) } else { Err(format!("{}{daemon:?}", answer.stderr)) }
        });
        docker.import();
        let first = docker.client(&["run", "--rm", "--network", "none", IMAGE, "/bin/true"]);
        if first.code != Some(0) && first.stderr.contains("not permitted") {
            crate::component::unable(&format!("no container can be started here: {}", first.stderr));
            return None;
        }
        first.ok();
        Some(docker)
    }

    /// What `DOCKER_HOST` has to be for its clients.
    pub fn host(&self) -> String {
        format!("unix://{}", self.scratch.file("socket"))
    }

    /// Starts a container that sleeps until it is killed.
    #[track_caller]
    pub fn container(&self, name: &str) {
        let options = ["--detach", "--network", "none", "--stop-signal", "KILL", "--name", name];
        self.client(&[&["run"], &options[..], &[IMAGE, "/bin/sleep", "3600"]].concat()).ok();
    }

    /// Runs `docker` against it.
    #[track_caller]
    pub fn client(&self, words: &[&str]) -> Output {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", self.host()).args(words);
        running::run(&mut command, b"", PATIENCE)
    }

    fn daemon(&self) -> Command {
        let mut command = Command::new("dockerd");
        command.args(["--data-root", &self.scratch.file("data"), "--exec-root", &self.scratch.file("exec")]);
        command.args(["--host", &self.host(), "--pidfile", &self.scratch.file("pid")]);
        command.args(["--iptables=false", "--bridge=none", "--storage-driver=vfs"]).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn import(&self) {
        // A program without libraries is an image by itself.
        let script = "mkdir -p root/bin && cp \"$(command -v busybox)\" root/bin/busybox && cd root/bin && \
                      for name in sh sleep true test mkdir; do ln -s busybox $name; done && \
                      tar -C .. -c . | docker import - adsum/shell";
        let mut command = Command::new("sh");
        command.env("DOCKER_HOST", self.host()).current_dir(self.scratch.path()).args(["-e", "-c", script]);
        running::run(&mut command, b"", PATIENCE).ok();
    }
}

impl Drop for Docker {
    /// Only the daemon can end what it has started.
    fn drop(&mut self) {
        if let Some(daemon) = self.running.take() {
            daemon.signal(Signal::SIGTERM);
            daemon.finish(PATIENCE);
        }
    }
}
