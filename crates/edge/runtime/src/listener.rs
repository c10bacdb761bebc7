//! Who listens on a port.

use std::collections::HashSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};

/// Whose the listening socket on a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// One of the given processes listens.
    Own,
    /// Somebody listens, and it is none of the given processes, or it does not show us its descriptors.
    Foreign,
    None,
}

/// Whether one of `pids` holds a TCP socket, on any address of this network namespace, that listens on `port`.
pub fn listens(pids: &[u32], port: u16) -> Listener {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: HashSet<u64> = tables.iter().flat_map(|table| listening(table, port)).collect();
    if sockets.is_empty() {
        Listener::None
    } else if pids.iter().any(|pid| holds_any(*pid, &sockets)) {
        Listener::Own
    } else {
        Listener::Foreign
    }
}

/// Whether `addr` can be bound now. Connections of an earlier owner that linger in TIME_WAIT do not count.
pub fn port_is_free(addr: SocketAddr) -> bool {
    TcpListener::bind(addr).is_ok()
}

/// The inodes of the sockets that listen on `port`, of a table in the form of `/proc/net/tcp` (proc_net_tcp(5)).
fn listening(table: &str, port: u16) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(move |line| listening_socket(line, port))
}

fn listening_socket(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (_, local_port) = fields.next()?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let wanted = state == LISTEN && u16::from_str_radix(local_port, 16).ok()? == port;
    if wanted { inode.parse().ok() } else { None }
}

fn holds_any(pid: u32, sockets: &HashSet<u64>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let links = descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    links.filter_map(|link| socket_inode(link.to_str()?)).any(|inode| sockets.contains(&inode))
}

/// `socket:[12345]` is what `/proc/PID/fd/N` links to.
fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4E20 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11111 1 0 100 0 0 10 0
   1: 0100007F:4E20 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 22222 1 0 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0 100 0 0 10 0
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:4E20 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 44444 1 0 100 0 0 10 0
";

    #[test]
    fn only_listening_sockets_on_the_port_count() {
        assert_eq!(listening(TCP, 20000).collect::<Vec<_>>(), [11111]);
        assert_eq!(listening(TCP6, 20000).collect::<Vec<_>>(), [44444]);
        assert_eq!(listening(TCP, 54321).count(), 0);
        assert_eq!(listening("sl\nnonsense\n 0: 1:2\n", 2).count(), 0);
    }

    #[test]
    fn only_socket_links_name_an_inode() {
        assert_eq!(socket_inode("socket:[12345]"), Some(12345));
        assert_eq!(socket_inode("pipe:[12345]"), None);
        assert_eq!(socket_inode("/dev/null"), None);
    }

    #[test]
    fn a_listener_is_own_foreign_or_none() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        assert_eq!(listens(&[std::process::id()], address.port()), Listener::Own);
        assert_eq!(listens(&[1], address.port()), Listener::Foreign);
        assert!(!port_is_free(address));
        drop(listener);
        assert_eq!(listens(&[std::process::id()], address.port()), Listener::None);
        assert!(port_is_free(address));
    }
}
