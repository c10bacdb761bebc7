//! Addresses for a demonstration: the defaults, or what is free where they are taken.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::agent::Faces;

/// Takes any free port where a default one is taken, and says so. What was asked for is left as it is.
pub(super) fn free(faces: Faces) -> Faces {
    Faces {
        resp_addr: faces.resp_addr.or_else(|| Some(default_or_any(6379, "Redis clients"))),
        http_addr: faces.http_addr.or_else(|| Some(default_or_any(8500, "HTTP clients"))),
        dns_addr: faces.dns_addr.or_else(|| Some(default_or_any(8600, "DNS"))),
        gateway_addr: faces.gateway_addr.or_else(|| Some(default_or_any(8080, "the gateway's clients"))),
        port_range: faces.port_range,
    }
}

fn default_or_any(port: u16, who: &str) -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    // DNS wants both kinds, and for the others one more question does no harm.
    match TcpListener::bind(address).and_then(|_| UdpSocket::bind(address)) {
        Ok(_) => address,
        Err(_) => {
            eprintln!("port {port} is taken: {who} get another one, see below");
            SocketAddr::from(([127, 0, 0, 1], 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_makes_way_and_an_asked_for_one_stays() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(default_or_any(port, "nobody").port(), 0);
        let asked: SocketAddr = "127.0.0.1:7".parse().unwrap();
        assert_eq!(free(Faces { resp_addr: Some(asked), ..Faces::default() }).resp_addr, Some(asked));
    }
}
