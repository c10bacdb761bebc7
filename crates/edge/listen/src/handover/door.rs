//! Where an agent that wants to take over knocks.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, listen, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::link::{Link, Peer};
use super::{NAME, address, register};

/// Agents that wait to be let in.
const BACKLOG: i32 = 4;
/// After one that could not be let in: the reason may be one that stays for a while.
const PAUSE: Duration = Duration::from_millis(50);

/// For the one who holds the directory's lock: whatever socket is there is somebody's who has gone. It stays when this is
/// dropped, since it may be the next one's by then.
pub struct Door(AsyncFd<OwnedFd>);

impl Door {
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(dir: &Path) -> io::Result<Door> {
        let path = dir.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let (_dir, address) = address(dir)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        bind(&socket, &address)?;
        // Nobody can connect before it listens.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listen(&socket, BACKLOG)?;
        Ok(Door(register(socket)?))
    }

    /// The next one who knocks and is still there. One that cannot be let in is on the log, and keeps nobody out.
    pub async fn visitor(&self) -> (Link, Peer) {
        loop {
            match self.accept().await {
                Ok(visitor) => return visitor,
                Err(error) => tracing::warn!(%error, "somebody who has knocked cannot be let in"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn accept(&self) -> io::Result<(Link, Peer)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accept = |door: &OwnedFd| Ok(accept_with(door, flags)?);
        let link = Link::new(self.0.async_io(Interest::READABLE, accept).await?)?;
        let peer = link.peer()?;
        Ok((link, peer))
    }
}
