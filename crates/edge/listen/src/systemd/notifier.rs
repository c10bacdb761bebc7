//! What a service says of itself, on the datagram socket that `NOTIFY_SOCKET` names.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Nobody needs to listen: whoever supervises is never a reason to fail.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says. The watchdog is another process's when `WATCHDOG_PID` names one, unless this one
    /// `follows` it.
    pub fn of_environment(follows: bool) -> Notifier {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let is_mine = |pid: &str| pid.is_empty() || pid == std::process::id().to_string();
        let period = variable("WATCHDOG_USEC").parse().ok().filter(|micros| *micros > 0);
        let watchdog = period.filter(|_| follows || is_mine(&variable("WATCHDOG_PID")));
        let socket = connect(&variable("NOTIFY_SOCKET"));
        Notifier { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Each line is a `NAME=value` of sd_notify(3).
    pub fn say(&self, lines: &[&str]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::debug!(%error, "whoever supervises cannot be told");
        }
    }

    /// How often `WATCHDOG=1` is to be said: twice as often as it is waited for.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.socket.is_some()).map(|period| period / 2)
    }
}

fn connect(name: &str) -> Option<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        _ if name.is_empty() => return None,
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let connected = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // One that is not read must hold up nothing.
        socket.set_nonblocking(true)?;
        io::Result::Ok(socket)
    });
    connected.inspect_err(|error| tracing::warn!(%error, name, "cannot reach whoever supervises")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> String {
        let mut text = [0; 256];
        let length = listener.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    #[test]
    fn what_is_said_is_one_datagram_of_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = connect(path.to_str().unwrap());
        Notifier { socket, watchdog: None }.say(&["READY=1", "STATUS=here"]);
        assert_eq!(heard(&listener), "READY=1\nSTATUS=here");
    }

    #[test]
    fn an_abstract_name_begins_with_an_at() {
        let name = format!("adsum-notifier-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        Notifier { socket: connect(&format!("@{name}")), watchdog: None }.say(&["STOPPING=1"]);
        assert_eq!(heard(&listener), "STOPPING=1");
    }

    #[test]
    fn without_anybody_to_tell_nothing_happens() {
        Notifier::default().say(&["READY=1"]);
        assert!(connect("").is_none() && connect("/nowhere/at/all").is_none());
    }
}
