//! Two agents of one data directory and what they pass to each other: messages with descriptors, over a Unix socket.
//!
//! A message is a packet, whole or not at all, so that a connection can itself be passed on between two of them. Who is at
//! the other end is what the kernel says.
//!
//! Not here: what the messages mean and who may say them (`core/takeover`).

mod door;
mod letter;
mod link;

pub use door::Door;
pub use letter::{read_letter, write_letter};
pub use link::{Link, MOST_DESCRIPTORS, Message, Peer};

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::net::SocketAddrUnix;
use tokio::io::unix::AsyncFd;

/// In the data directory.
const NAME: &str = "takeover.sock";

/// The address, by way of the open directory: a path to a socket may have 107 bytes, and a data directory more.
fn address(dir: &Path) -> io::Result<(File, SocketAddrUnix)> {
    let dir = File::open(dir)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()))?;
    Ok((dir, address))
}

/// # Panics
/// Outside of a tokio runtime.
fn register(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // Its successor is unsafe, since some other type might change its descriptor while it is registered. This one cannot.
    #[allow(deprecated)]
    AsyncFd::new(socket)
}
