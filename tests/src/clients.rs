//! The real clients that users have: `redis-cli`, `dig`, `curl`, pointed at one address.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::Output;
use crate::running::run;

/// No client of a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `redis-cli -h HOST -p PORT ARGS`, not yet started.
pub fn redis_cli_command(address: SocketAddr, args: &[&str]) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]).args(args);
    command
}

/// `redis-cli` to its end. Its exit code says little: errors of the server come on the standard output, with 0
/// or 1 depending on its version.
#[track_caller]
pub fn redis_cli(address: SocketAddr, args: &[&str], input: &[u8]) -> Output {
    run(&mut redis_cli_command(address, args), input, PATIENCE)
}

/// `dig @HOST -p PORT ARGS`, one try.
#[track_caller]
pub fn dig(address: SocketAddr, args: &[&str]) -> Output {
    let mut command = Command::new("dig");
    command.args([&format!("@{}", address.ip()), "-p", &address.port().to_string(), "+time=20", "+tries=1"]);
    run(command.args(args), b"", PATIENCE)
}

/// `curl -sS ARGS`; an argument that begins with `/` is a path on this address.
#[track_caller]
pub fn curl(address: SocketAddr, args: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "50"]);
    for arg in args {
        match arg.starts_with('/') {
            true => command.arg(format!("http://{address}{arg}")),
            false => command.arg(arg),
        };
    }
    run(&mut command, b"", PATIENCE)
}
