//! What a TCP route tells the instance of its client before the first byte:
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>, versions 1 and 2.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use adsum_model::ProxyProtocol;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header for a connection from `client` to the gateway's own address `gate`.
pub fn proxy_header(version: ProxyProtocol, client: SocketAddr, gate: SocketAddr) -> Vec<u8> {
    let ips = same_family(client.ip(), gate.ip());
    match version {
        ProxyProtocol::V1 => text(ips, client.port(), gate.port()),
        ProxyProtocol::V2 => binary(ips, client.port(), gate.port()),
    }
}

enum Pair {
    V4([u8; 4], [u8; 4]),
    V6(Ipv6Addr, Ipv6Addr),
}

fn same_family(client: IpAddr, gate: IpAddr) -> Pair {
    match (client.to_canonical(), gate.to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(gate)) => Pair::V4(client.octets(), gate.octets()),
        (client, gate) => Pair::V6(mapped(client), mapped(gate)),
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn text(ips: Pair, from: u16, to: u16) -> Vec<u8> {
    let line = match ips {
        Pair::V4(client, gate) => {
            format!("PROXY TCP4 {} {} {from} {to}\r\n", IpAddr::from(client), IpAddr::from(gate))
        }
        Pair::V6(client, gate) => format!("PROXY TCP6 {client} {gate} {from} {to}\r\n"),
    };
    line.into_bytes()
}

fn binary(ips: Pair, from: u16, to: u16) -> Vec<u8> {
    let (family, addresses) = match ips {
        Pair::V4(client, gate) => (TCP4, [client, gate].concat()),
        Pair::V6(client, gate) => (TCP6, [client.octets(), gate.octets()].concat()),
    };
    let length =
        u16::try_from(addresses.len() + 4).expect("two addresses and two ports are at most 36 bytes");
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[PROXY, family]);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&addresses);
    header.extend_from_slice(&from.to_be_bytes());
    header.extend_from_slice(&to.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: ProxyProtocol, client: &str, gate: &str) -> Vec<u8> {
        proxy_header(version, client.parse().unwrap(), gate.parse().unwrap())
    }

    #[test]
    fn version_1_is_a_line() {
        let line = |client, gate| String::from_utf8(header(ProxyProtocol::V1, client, gate)).unwrap();
        assert_eq!(line("10.0.0.1:5000", "10.0.0.2:80"), "PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n");
        assert_eq!(line("[fe80::1]:5000", "[::1]:80"), "PROXY TCP6 fe80::1 ::1 5000 80\r\n");
        assert_eq!(line("[::ffff:10.0.0.1]:5000", "10.0.0.2:80"), "PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n");
        let longest = line("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "10.0.0.2:65535");
        assert!(longest.len() <= 107, "the specification's own limit: {longest}");
    }

    #[test]
    fn version_2_is_a_fixed_head_and_the_addresses() {
        let v4 = header(ProxyProtocol::V2, "10.0.0.1:5000", "10.0.0.2:80");
        assert_eq!(&v4[..12], b"\r\n\r\n\0\r\nQUIT\n");
        assert_eq!(&v4[12..], [0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0x88, 0, 80]);
        let v6 = header(ProxyProtocol::V2, "[::1]:1", "[::2]:2");
        assert_eq!(&v6[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(v6.len(), 52);
        assert_eq!((v6[31], v6[47]), (1, 2));
        assert_eq!(&v6[48..], [0, 1, 0, 2]);
    }
}
