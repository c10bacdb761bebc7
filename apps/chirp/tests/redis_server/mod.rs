//! A Redis server for tests of what needs no more than Redis: what works there works with any of its kin.

// Each test file uses its part of this.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct RedisServer {
    process: Child,
    directory: tempfile::TempDir,
}

impl RedisServer {
    /// `None`, and says so, where there is no `redis-server`.
    pub fn start() -> Option<RedisServer> {
        let directory = tempfile::tempdir().unwrap();
        let Ok(process) = command(&directory).spawn() else {
            println!("SKIPPED: redis-server is missing (apt-get install redis-server)");
            return None;
        };
        let server = RedisServer { process, directory };
        server.wait_until_up();
        Some(server)
    }

    /// Killed, and started again with what it had on disk.
    pub fn restart(&mut self) {
        self.stop();
        let _ = std::fs::remove_file(self.directory.path().join("redis.sock"));
        self.process = command(&self.directory).spawn().unwrap();
        self.wait_until_up();
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.directory.path().display())
    }

    fn wait_until_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.ping().is_none_or(|answer| !answer.starts_with("+PONG")) {
            assert!(Instant::now() < deadline, "redis-server did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ping(&self) -> Option<String> {
        let mut socket = UnixStream::connect(self.directory.path().join("redis.sock")).ok()?;
        socket.write_all(b"PING\r\n").ok()?;
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer).ok()?;
        Some(answer)
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(directory: &tempfile::TempDir) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command.current_dir(directory.path()).stdout(Stdio::null());
    command
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
