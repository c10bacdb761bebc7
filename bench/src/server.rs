//! A server under load: our agent or a peer, started on free ports and a directory of its own, gone with everything
//! that it has started when dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

use crate::process::Process;

const READY: Duration = Duration::from_secs(30);
const GONE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// Where the time until readiness is itself what is measured.
const CLOSE_POLL: Duration = Duration::from_millis(2);
/// Enough for the largest number of instances twice, since a port rests before it is used again.
const INSTANCE_PORTS: &str = "21000-21499";

pub(crate) struct Server {
    command: Command,
    child: Child,
    faces: Faces,
    folder: TempDir,
    ready: Ready,
}

struct Faces {
    resp: SocketAddr,
    /// Of an agent.
    http: Option<SocketAddr>,
    dns: Option<SocketAddr>,
}

type Ready = Box<dyn Fn() -> std::io::Result<bool> + Send + Sync>;

impl Server {
    /// `redis-server` with nothing saved but what `args` say.
    pub(crate) fn redis(args: &[&str]) -> anyhow::Result<Server> {
        let [resp] = free_addresses()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &resp.port().to_string(), "--save", ""]).args(args);
        Server::spawn(command, "--dir", Faces { resp, http: None, dns: None }, Box::new(move || ping(resp)))
    }

    /// `adsum agent` with every face on.
    pub(crate) fn agent(program: &Path, durability: &str) -> anyhow::Result<Server> {
        let [resp, http, dns, gateway] = free_addresses()?;
        let mut command = Command::new(program);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("ADSUM_") {
                command.env_remove(key);
            }
        }
        command.args(["agent", "--durability", durability, "--resp-addr", &resp.to_string()]);
        command.args(["--http-addr", &http.to_string(), "--dns-addr", &dns.to_string()]);
        command.args(["--gateway-addr", &gateway.to_string(), "--port-range", INSTANCE_PORTS]);
        let faces = Faces { resp, http: Some(http), dns: Some(dns) };
        Server::spawn(command, "--data-dir", faces, Box::new(move || leads(http)))
    }

    /// Where the built agent is: `ADSUM_BIN`, or beside this program.
    pub(crate) fn agent_program() -> anyhow::Result<PathBuf> {
        let beside =
            std::env::current_exe().context("cannot tell where the benchmark is")?.with_file_name("adsum");
        let program = std::env::var_os("ADSUM_BIN").map_or(beside, PathBuf::from);
        let there = program.is_file();
        anyhow::ensure!(there, "{} is missing: cargo build --release -p adsum", program.display());
        Ok(program)
    }

    pub(crate) fn resp(&self) -> SocketAddr {
        self.faces.resp
    }

    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.faces.http
    }

    pub(crate) fn dns(&self) -> Option<SocketAddr> {
        self.faces.dns
    }

    pub(crate) fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    /// Of an agent: known by the word that it was started with.
    pub(crate) fn keeper(&self) -> Option<Process> {
        let keeper = |word: &String| word.trim_start_matches(['_', '-']) == "keeper";
        let ours = Process::mentioning(&self.mark());
        ours.into_iter().find(|process| process.args().iter().take(3).any(keeper))
    }

    /// The directory that the server writes to.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// What the server has written to both its streams.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// kill -9, and a start on the same data: how long it takes from the start of the process until it is ready.
    pub(crate) fn restart(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let begin = Instant::now();
        self.child = self.command.spawn()?;
        self.wait_until_ready(CLOSE_POLL)?;
        Ok(begin.elapsed())
    }

    fn spawn(
        mut command: Command,
        directory_flag: &str,
        faces: Faces,
        ready: Ready,
    ) -> anyhow::Result<Server> {
        let folder = tempfile::Builder::new().prefix("adsum-b-").tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let errors = log.try_clone()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        command.arg(directory_flag).arg(data).stdin(Stdio::null()).stdout(log).stderr(errors);
        // By this everything that the server starts is known as ours.
        command.env("BENCH_FOLDER", folder.path());
        let child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
        let mut server = Server { command, child, faces, folder, ready };
        server.wait_until_ready(POLL)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, poll: Duration) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !(self.ready)().unwrap_or(false) {
            let ended = self.child.try_wait()?.is_some();
            if ended || begin.elapsed() > READY {
                let log = self.log();
                anyhow::bail!("the server {}:\n{log}", if ended { "has ended" } else { "is not ready" });
            }
            sleep(poll);
        }
        Ok(())
    }

    fn mark(&self) -> String {
        self.folder.path().to_string_lossy().into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let begin = Instant::now();
        while begin.elapsed() < GONE {
            let left = Process::mentioning(&self.mark());
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(Process::kill);
            sleep(POLL);
        }
    }
}

/// Addresses that were free a moment ago, all different.
fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
    let listeners: [TcpListener; N] = std::array::from_fn(listen);
    Ok(listeners.map(|listener| listener.local_addr().expect("a listener has an address")))
}

fn ping(resp: SocketAddr) -> std::io::Result<bool> {
    Ok(ask(resp, b"PING\r\n", 7)? == b"+PONG\r\n")
}

fn leads(http: SocketAddr) -> std::io::Result<bool> {
    let request = format!("GET /v1/status/leader HTTP/1.0\r\nHost: {http}\r\n\r\n");
    let answer = ask(http, request.as_bytes(), 12)?;
    Ok(answer.starts_with(b"HTTP/1.") && answer.ends_with(b" 200"))
}

/// The first `length` bytes of the answer.
fn ask(address: SocketAddr, request: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(request)?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_at_once_says_why() {
        let script = Path::new("/bin/ls");
        let error = Server::agent(script, "always").err().unwrap();
        assert!(error.to_string().contains("has ended"), "{error}");
    }

    #[test]
    fn free_addresses_are_different() {
        let [one, two] = free_addresses().unwrap();
        assert_ne!(one, two);
    }
}
