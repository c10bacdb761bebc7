//! From an address back to a name (RFC 1035 3.5, RFC 3596 2.5): that of the node that has it, else those of the services
//! with an instance there.
//!
//! The reverse zones are not ours: an address that nothing here has is not answered for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adsum_catalog::Catalog;
use adsum_model::Name;
use hickory_proto::rr::Name as DomainName;

use crate::{Config, Targets, Zone};

/// The address that a name in a reverse zone spells.
pub(crate) fn address(labels: &[&[u8]]) -> Option<IpAddr> {
    let parts: Vec<&str> = labels.iter().map(|label| str::from_utf8(label).ok()).collect::<Option<_>>()?;
    match &*parts {
        [digits @ .., "in-addr", "arpa"] => {
            let mut octets = [0; 4];
            fill(&mut octets, digits, octet)?;
            Some(Ipv4Addr::from(octets).into())
        }
        [digits @ .., "ip6", "arpa"] => {
            let mut nibbles = [0; 32];
            fill(&mut nibbles, digits, |digit| {
                u8::from_str_radix(digit, 16).ok().filter(|_| digit.len() == 1)
            })?;
            let bits = nibbles.iter().fold(0, |bits, nibble| bits << 4 | u128::from(*nibble));
            Some(Ipv6Addr::from_bits(bits).into())
        }
        _ => None,
    }
}

/// Digits alone, which `parse` is not content with.
fn octet(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The last label comes first.
fn fill(parts: &mut [u8], labels: &[&str], read: impl Fn(&str) -> Option<u8>) -> Option<()> {
    if parts.len() != labels.len() {
        return None;
    }
    for (part, label) in parts.iter_mut().zip(labels.iter().rev()) {
        *part = read(label)?;
    }
    Some(())
}

/// Who is there, by the names that Consul gives where its zone is served.
pub(crate) fn names(address: IpAddr, most: usize, catalog: &Catalog, config: &Config) -> Vec<DomainName> {
    let Some(zone) = zone(config) else { return Vec::new() };
    if let Some(node) = catalog.nodes().find(|node| node.address == address) {
        return vec![zone.node(&node.name, &config.datacenter)];
    }
    if let Some(node) = external(address, catalog) {
        return vec![zone.node(&node, &config.datacenter)];
    }
    let there = catalog
        .services()
        .filter(|(_, service)| service.routable().any(|instance| instance.endpoint.ip() == address));
    there.take(most).map(|(name, _)| zone.service(name)).collect()
}

/// The node without an agent that has the address, if its name can be one in a zone.
fn external(address: IpAddr, catalog: &Catalog) -> Option<Name> {
    let mut nodes = catalog.registry().nodes_at(address);
    nodes.find_map(|node| node.name.to_lowercase().parse().ok())
}

fn zone(config: &Config) -> Option<&Zone> {
    let consul = config.zones.iter().find(|zone| zone.targets() == Targets::Addresses);
    consul.or_else(|| config.zones.first())
}
