//! A Docker daemon of its own, with one swarm of one node: own directories, own socket, no iptables. Everything that it
//! has brought is gone when it is dropped.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

use crate::process::Process;

const READY: Duration = Duration::from_secs(60);
const GONE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// What a daemon makes and leaves there.
const BRIDGES: [&str; 2] = ["docker0", "docker_gwbridge"];

pub(super) struct Dockerd {
    child: Child,
    folder: TempDir,
}

impl Dockerd {
    pub(super) fn start() -> anyhow::Result<Dockerd> {
        for bridge in BRIDGES {
            let there = Path::new("/sys/class/net").join(bridge).exists();
            anyhow::ensure!(!there, "there is a network {bridge}: another Docker runs here");
        }
        let folder = tempfile::Builder::new().prefix("adsum-b-").tempdir()?;
        let path = folder.path();
        std::fs::write(path.join("none.json"), "{}")?;
        let log = File::create(path.join("log"))?;
        let mut command = Command::new("dockerd");
        command.arg("--data-root").arg(path.join("data")).arg("--exec-root").arg(path.join("exec"));
        command.arg("--pidfile").arg(path.join("pid")).arg("--config-file").arg(path.join("none.json"));
        command.arg("--host").arg(format!("unix://{}", path.join("socket").display()));
        // No forwarding to other machines is needed, and what the machine filters stays as it is.
        command.args(["--iptables=false", "--ip6tables=false", "--bip", "172.30.0.1/24"]);
        command.args(["--storage-driver", storage_driver()]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("cannot run dockerd (Debian: docker.io)")?;
        let mut dockerd = Dockerd { child, folder };
        dockerd.wait_ready()?;
        let init = ["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:23777"];
        dockerd.run(&init)?;
        Ok(dockerd)
    }

    fn wait_ready(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        while self.run(&["version"]).is_err() {
            let ended = self.child.try_wait()?.is_some();
            if ended || begin.elapsed() > READY {
                let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
                let last = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
                anyhow::bail!("dockerd {}:\n{last}", if ended { "has ended" } else { "is not ready" });
            }
            sleep(POLL);
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn command(&self) -> Docker {
        Docker { socket: self.path().join("socket") }
    }

    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        self.command().run(words)
    }
}

/// The command line against this daemon.
#[derive(Clone)]
pub(super) struct Docker {
    socket: PathBuf,
}

impl Docker {
    pub(super) fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).args(words);
        command
    }

    /// What it prints.
    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(words).output().context("cannot run docker (Debian: docker.io)")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "docker {}: {}", words.join(" "), errors.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// An image of a folder.
    pub(super) fn import(&self, root: &Path, name: &str) -> anyhow::Result<()> {
        let archive = Command::new("tar").arg("-C").arg(root).args(["-c", "."]).output()?;
        anyhow::ensure!(archive.status.success(), "tar of {} failed", root.display());
        let mut import = self.command(&["import", "-", name]);
        let mut child = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().context("its input is piped")?.write_all(&archive.stdout)?;
        anyhow::ensure!(child.wait()?.success(), "docker import failed");
        Ok(())
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // With the swarm go its services and their containers.
        if let Err(error) = self.run(&["swarm", "leave", "--force"]) {
            eprintln!("the swarm is left as it is: {error:#}");
        }
        self.end();
        // What the daemon has mounted and made does not go with it.
        let _ = quietly("umount", &[self.path().join("exec/netns/default").as_os_str()]);
        for bridge in BRIDGES {
            let _ = quietly("ip", &["link", "del", bridge]);
        }
    }
}

impl Dockerd {
    /// SIGTERM, and what is left after a while by SIGKILL.
    fn end(&mut self) {
        let begin = Instant::now();
        let mark = self.path().to_string_lossy().into_owned();
        let _ = quietly("kill", &[self.child.id().to_string()]);
        while begin.elapsed() < GONE && !matches!(self.child.try_wait(), Ok(Some(_))) {
            sleep(POLL);
        }
        Process::trees(Process::mentioning(&mark)).into_iter().for_each(Process::kill);
        let _ = self.child.wait();
    }
}

/// Without overlays in the kernel each container is given a copy of the whole image.
fn storage_driver() -> &'static str {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.split_whitespace().any(|word| word == "overlay") { "overlay2" } else { "vfs" }
}

fn quietly<S: AsRef<OsStr>>(program: &str, words: &[S]) -> std::io::Result<()> {
    Command::new(program).args(words).stderr(Stdio::null()).stdout(Stdio::null()).status().map(drop)
}
