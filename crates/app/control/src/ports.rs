//! Which port a new instance gets.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::{InstanceId, Name};

/// Hands out the ports of a range in turn, so that a released one is the last to be used again.
#[derive(Debug)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    next: u16,
}

impl Ports {
    pub(crate) fn new(range: RangeInclusive<u16>) -> Ports {
        Ports { next: *range.start(), range }
    }

    /// Takes a port that nobody has on record and that `is_free` on the machine. None when there is none.
    pub(crate) fn take(
        &mut self,
        tx: &mut Transaction<'_>,
        node: &Name,
        owner: &InstanceId,
        is_free: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let (start, end) = (*self.range.start(), *self.range.end());
        let mut candidates = (self.next..=end).chain(start..self.next);
        let port = candidates.find(|port| !records::port_is_taken(tx, node, *port) && is_free(*port))?;
        self.next = if port == end { start } else { port + 1 };
        records::take_port(tx, node, port, owner);
        Some(port)
    }
}

/// Whether the port can be bound at the address.
pub(crate) fn is_free(address: std::net::IpAddr, port: u16) -> bool {
    adsum_runtime::port_is_free(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Keyspace, Now};

    use super::*;

    #[test]
    fn ports_go_round_and_skip_what_is_taken() {
        let mut keyspace = Keyspace::default();
        let mut ports = Ports::new(20000..=20003);
        let node: Name = "n1".parse().unwrap();
        let taken = keyspace.transact(Now::default(), |tx| {
            let mut take =
                |foreign: u16| ports.take(tx, &node, &InstanceId::from_seed(1), |port| port != foreign);
            [take(20000), take(0), take(0), take(0), take(0)]
        });
        assert_eq!(taken.unwrap().reply, [Some(20001), Some(20002), Some(20003), Some(20000), None]);
    }
}
