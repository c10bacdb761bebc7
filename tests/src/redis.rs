//! A real redis-server beside us, to compare answers and speed with.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::port::Block;
use crate::{Output, Scratch, clients, until_ok};

/// Ends with its data when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    ports: Block,
    _scratch: Scratch,
}

impl Redis {
    /// Starts one that keeps nothing on disk unless `args` say so: `["--appendonly", "yes"]`. The test has asked
    /// `require("redis-server")` before.
    pub fn start(args: &[&str]) -> Redis {
        let (scratch, ports) = (Scratch::new(), Block::reserve());
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &ports.port(0).to_string(), "--save", ""]);
        command.arg("--dir").arg(scratch.path()).args(args).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is here");
        let redis = Redis { child, ports, _scratch: scratch };
        until_ok("redis-server answers", Duration::from_secs(20), || ping(redis.address()));
        redis
    }

    pub fn address(&self) -> SocketAddr {
        self.ports.address(0)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `redis-cli` against this server.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> Output {
        clients::redis_cli(self.address(), args, b"")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ping(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    match &answer {
        b"+PONG\r\n" => Ok(()),
        other => Err(std::io::Error::other(String::from_utf8_lossy(other))),
    }
}
