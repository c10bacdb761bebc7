//! Networks of peers that are trusted to say who the client is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin with the same bits: `10.0.0.0/8`, `::1`, `192.168.1.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no network: write for example 10.0.0.0/8, 192.168.1.7 or fd00::/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let refuse = || NetworkError(text.to_string());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| refuse())?;
        if bits <= most { Ok(Network { address, bits }) } else { Err(refuse()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// An IPv4 address that came in over an IPv6 socket is that IPv4 address.
    pub fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                u32::from(own).checked_shr(32 - u32::from(self.bits))
                    == u32::from(peer).checked_shr(32 - u32::from(self.bits))
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => same_start(own, peer, self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_start(own: Ipv6Addr, peer: Ipv6Addr, bits: u8) -> bool {
    let shift = 128 - u32::from(bits);
    u128::from(own).checked_shr(shift) == u128::from(peer).checked_shr(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, peer: &str, expect: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(peer.parse().unwrap()), expect, "{peer} in {network}");
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/8", "11.1.2.3", false);
        check("192.168.1.7", "192.168.1.7", true);
        check("192.168.1.7", "192.168.1.8", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "fe80::1", true);
        check("fd00::/8", "fd12::1", true);
        check("fd00::/8", "fe12::1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
    }

    #[test]
    fn what_is_no_network_is_refused_by_name() {
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "localhost", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError(wrong.to_string())));
        }
    }
}
