//! The addresses that the outside speaks to, of the agent and of the demonstration.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Faces {
    /// Where Redis clients are served [default: 127.0.0.1:6379]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_RESP_ADDR")]
    pub(crate) resp_addr: Option<SocketAddr>,
    /// Where HTTP clients are served [default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_HTTP_ADDR")]
    pub(crate) http_addr: Option<SocketAddr>,
    /// Where DNS is answered, over UDP and TCP [default: 127.0.0.1:8600]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_DNS_ADDR")]
    pub(crate) dns_addr: Option<SocketAddr>,
    /// Where the gateway serves the routes of services; published ports are opened on the same IP [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_GATEWAY_ADDR")]
    pub(crate) gateway_addr: Option<SocketAddr>,
    /// The ports that instances are given [default: 20000-32000]
    #[arg(long, value_name = "FROM-TO", env = "ADSUM_PORT_RANGE", value_parser = port_range)]
    pub(crate) port_range: Option<RangeInclusive<u16>>,
}

/// Reads `20000-32000`.
pub(crate) fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(from, to)| Some(from.parse().ok()?..=to.parse().ok()?));
    let range = range.filter(|range| *range.start() > 0 && !range.is_empty());
    range.ok_or_else(|| "write it like 20000-32000".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_goes_up_from_at_least_one() {
        assert_eq!(port_range("20000-32000"), Ok(20000..=32000));
        for bad in ["", "20000", "32000-20000", "0-5", "1-70000", "a-b"] {
            assert!(port_range(bad).is_err(), "{bad}");
        }
    }
}
