//! A connection between two agents.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, connect, recvmsg, sendmsg, socket_with,
    sockopt,
};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{address, register};

/// Descriptors in one message. Linux takes 253.
pub const MOST_DESCRIPTORS: usize = 64;
/// Bytes of the longest message.
const LONGEST: usize = 128 << 10;

/// One end.
pub struct Link(AsyncFd<OwnedFd>);

/// What comes at once.
#[derive(Debug)]
pub struct Message {
    pub text: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

/// Who is at the other end.
#[derive(Debug)]
pub struct Peer {
    pub process: u32,
    pub user: u32,
    handle: OwnedFd,
}

impl Link {
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(socket: OwnedFd) -> io::Result<Link> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Link(register(socket)?))
    }

    /// Knocks at the [`Door`](super::Door) of a data directory.
    ///
    /// # Panics
    /// As [`Link::new`].
    pub fn connect(dir: &Path) -> io::Result<Link> {
        let (_dir, address) = address(dir)?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &address)?;
        Link::new(socket)
    }

    /// Fails when the other end has gone.
    pub async fn send(&self, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, |socket| send(socket, text, descriptors)).await
    }

    /// None when the other end has gone.
    pub async fn receive(&self) -> io::Result<Option<Message>> {
        match self.0.async_io(Interest::READABLE, receive).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            received => received,
        }
    }

    pub fn peer(&self) -> io::Result<Peer> {
        let credentials = sockopt::socket_peercred(self.0.get_ref())?;
        let handle = pidfd_open(credentials.pid, PidfdFlags::empty())?;
        let process = u32::try_from(credentials.pid.as_raw_nonzero().get()).map_err(io::Error::other)?;
        Ok(Peer { process, user: credentials.uid.as_raw(), handle })
    }

    /// A double, for a process that is to go on with it.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.get_ref().try_clone()
    }
}

impl Peer {
    /// SIGTERM, as from whoever has told this process to end.
    pub fn terminate(&self) {
        // An error says that it has gone.
        let _ = pidfd_send_signal(&self.handle, Signal::TERM);
    }

    /// SIGKILL. One that has gone already is as good.
    pub fn kill(&self) {
        // An error says that it has gone.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }
}

fn send(socket: &OwnedFd, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other(format!("{} descriptors are too many", descriptors.len())));
    }
    sendmsg(socket, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(socket: &OwnedFd) -> io::Result<Option<Message>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut text = vec![0; LONGEST];
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::other("a message is longer than it may be"));
    }
    // No message is empty.
    if received.bytes == 0 {
        return Ok(None);
    }
    text.truncate(received.bytes);
    Ok(Some(Message { text, descriptors }))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Door;
    use super::*;

    async fn pair(dir: &Path) -> (Link, Link, Peer) {
        let door = Door::open(dir).unwrap();
        let near = Link::connect(dir).unwrap();
        let (far, peer) = door.visitor().await;
        (near, far, peer)
    }

    #[tokio::test]
    async fn a_listener_that_is_passed_keeps_who_waits_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let (near, far, peer) = pair(dir.path()).await;
        assert_eq!(peer.process, std::process::id());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.send(b"yours", &[listener.as_fd()]).await.unwrap();
        drop(listener);
        let Message { text, descriptors } = far.receive().await.unwrap().unwrap();
        assert_eq!(text, b"yours");
        let passed = TcpListener::from(descriptors.into_iter().next().unwrap());
        drop(passed.accept().unwrap());
        assert_eq!(waiting.read(&mut [0]).unwrap(), 0);
        drop(near);
        assert!(far.receive().await.unwrap().is_none(), "and its end is seen");
        assert!(far.send(b"x", &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_link_can_itself_be_passed_with_what_waits_in_it() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (near, far, _) = pair(dir.path()).await;
        let (sender, receiver, _) = pair(other.path()).await;
        near.send(b"one", &[]).await.unwrap();
        near.send(b"two", &[]).await.unwrap();
        assert_eq!(far.receive().await.unwrap().unwrap().text, b"one");
        sender.send(b"link", &[far.try_clone().unwrap().as_fd()]).await.unwrap();
        drop(far);
        let passed = receiver.receive().await.unwrap().unwrap().descriptors.remove(0);
        assert_eq!(Link::new(passed).unwrap().receive().await.unwrap().unwrap().text, b"two");
    }

    #[tokio::test]
    async fn a_door_is_its_owners_and_may_be_deep_in_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let _one_who_has_gone = Door::open(&deep).unwrap();
        let _door = Door::open(&deep).unwrap();
        let mode = std::fs::metadata(deep.join("takeover.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Link::connect(&deep).is_ok());
        assert!(Link::connect(dir.path()).is_err());
    }
}
