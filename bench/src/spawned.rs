//! A server process with a directory of its own, gone with everything that it has started when dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

use crate::process::Process;

const READY: Duration = Duration::from_secs(30);
const GONE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Spawned {
    child: Child,
    folder: TempDir,
}

/// Of a server that is to be started.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("adsum-b-").tempdir()?)
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Spawned {
    /// Starts it and waits until it answers `GET /small` there with 200.
    pub(crate) fn start(command: Command, folder: TempDir, address: SocketAddr) -> anyhow::Result<Spawned> {
        let mut spawned = Spawned::begin(command, folder)?;
        spawned.wait(|| answers(address, "/small"))?;
        Ok(spawned)
    }

    pub(crate) fn begin(command: Command, folder: TempDir) -> anyhow::Result<Spawned> {
        let log = File::create(folder.path().join("log"))?;
        let errors = log.try_clone()?;
        let mut command = in_own_session(&command);
        command.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir(folder.path());
        // By this everything that the server starts is known as ours.
        command.env("BENCH_FOLDER", folder.path());
        let child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
        Ok(Spawned { child, folder })
    }

    pub(crate) fn wait(&mut self, ready: impl Fn() -> std::io::Result<bool>) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !ready().unwrap_or(false) {
            let ended = self.child.try_wait()?.is_some();
            if ended || begin.elapsed() > READY {
                let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
                anyhow::bail!("the server {}:\n{log}", if ended { "has ended" } else { "is not ready" });
            }
            sleep(POLL);
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    /// The process and its descendants.
    pub(crate) fn tree(&self) -> Vec<Process> {
        Process::trees(vec![self.process()])
    }

    fn left(&self) -> Vec<Process> {
        // nginx writes its title over its environment, so its workers are known by their parent.
        Process::trees(Process::mentioning(&self.path().to_string_lossy()))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let begin = Instant::now();
        while begin.elapsed() < GONE {
            let left = self.left();
            left.iter().copied().for_each(Process::kill);
            // It is listed for as long as nobody has waited for it.
            let _ = self.child.wait();
            if left.is_empty() {
                return;
            }
            sleep(POLL);
        }
    }
}

/// Has it run in a session of its own, as every server runs that a service manager has started. The kernel shares the
/// processor between sessions first (`autogroup` in sched(7)): a server in the session of the load generator would have a
/// part of what that gets, and one in a session of its own, as our keeper starts instances, as much as all of them.
fn in_own_session(command: &Command) -> Command {
    let mut outer = Command::new("setsid");
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Whether `GET path` is answered with 200.
pub(crate) fn answers(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.") && answer.ends_with(b" 200"))
}
