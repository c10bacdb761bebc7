//! A running role of chirp, started as Adsum starts it, and what a client asks of it.
// Each test file uses its part of this.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Instance {
    process: Child,
    log: Receiver<String>,
    /// Where it listens, for those that do.
    pub address: String,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Instance {
    /// A role that listens; returns once it does.
    pub fn serving(role: &str, environment: &[(&str, &str)]) -> Instance {
        let mut instance = Instance::start(&[role], &[&[("PORT", "0")], environment].concat());
        instance.address = instance.wait_for_line("listening address=");
        instance
    }

    /// A role that does not.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Instance {
        let mut process = Command::new(env!("CARGO_BIN_EXE_chirp"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = follow(process.stderr.take().unwrap());
        Instance { process, log, address: String::new() }
    }

    /// Goes on in the log up to a line with this beginning, and gives what follows it.
    #[track_caller]
    pub fn wait_for_line(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no line '{beginning}' was logged"));
            if let Some(found) = line.strip_prefix(beginning) {
                return found.to_string();
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, b"")
    }

    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", path, body.as_ref())
    }

    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}");
        // A server that refuses a body early may close while it is still being sent.
        let _ = stream.write_all(&[head.as_bytes(), b"\r\n\r\n", body].concat());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&String::from_utf8(answer).unwrap())
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.wait()
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_until("it ended", || self.process.try_wait().unwrap())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Answer {
    fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_string() }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Of a refusal.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_string()
    }
}

/// Every line of a log as it comes, also shown with a test that fails.
fn follow(log: ChildStderr) -> Receiver<String> {
    let (lines, followed) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let _ = lines.send(line);
        }
    });
    followed
}

/// Waits for a level, up to a limit.
#[track_caller]
pub fn wait_until<T>(what: &str, mut level: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(reached) = level() {
            return reached;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
