//! A part of the name space that is ours, and the names that we make in it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use adsum_model::{Name, registered};
use hickory_proto::rr::Name as DomainName;

use crate::place::{Address, Place};

/// A domain with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Lower case, ending at the root; at most [`LONGEST_ORIGIN`] bytes.
    origin: DomainName,
    targets: Targets,
    /// Services stand right below the origin as well: `_NAME._tcp.ZONE` is `_NAME._tcp.service.ZONE`.
    is_flat: bool,
}

/// What SRV records of a zone point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// `ID.NAME.service.ZONE.`
    Instances,
    /// `HEXIP.addr.DATACENTER.ZONE.`, as Consul does for services with an address of their own.
    Addresses,
}

/// Why a text is no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    #[error("a DNS domain must not be empty or the root")]
    Root,
    #[error("DNS domain '{0}' is longer than {LONGEST_ORIGIN} bytes")]
    TooLong(String),
    #[error("DNS domain '{domain}' has the label '{label}': use 1 to 63 of a-z, 0-9, '-' and '_'")]
    Label { domain: String, label: String },
}

/// Bytes of an origin on the wire. The longest name that is made in a zone puts a node (64 bytes), `node` (5) and a
/// datacenter (64) before it, and a domain name has at most 255 bytes (RFC 1035 3.1).
const LONGEST_ORIGIN: usize = 120;

impl Zone {
    /// `adsum.`
    pub fn adsum() -> Zone {
        Zone {
            origin: made([b"adsum".as_slice()], &DomainName::root()),
            targets: Targets::Instances,
            is_flat: false,
        }
    }

    /// `consul.`
    pub fn consul() -> Zone {
        Zone {
            origin: made([b"consul".as_slice()], &DomainName::root()),
            targets: Targets::Addresses,
            is_flat: false,
        }
    }

    /// The same zone with other SRV targets.
    pub fn with_targets(self, targets: Targets) -> Zone {
        Zone { targets, ..self }
    }

    /// The same zone, for a domain that somebody owns and gives away names in: `service` may be left out of them.
    pub fn flat(self) -> Zone {
        Zone { is_flat: true, ..self }
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.is_flat
    }

    pub(crate) fn origin(&self) -> &DomainName {
        &self.origin
    }

    /// Labels of the origin.
    pub(crate) fn depth(&self) -> usize {
        self.origin.iter().len()
    }

    /// Whether a name of these labels, in lower case, is the origin or below it.
    pub(crate) fn holds(&self, labels: &[&[u8]]) -> bool {
        let depth = self.depth();
        labels.len() >= depth && labels[labels.len() - depth..].iter().copied().eq(self.origin.iter())
    }

    /// `ns.ZONE.`: the primary of the SOA record.
    pub(crate) fn primary(&self) -> DomainName {
        made([b"ns".as_slice()], &self.origin)
    }

    /// `hostmaster.ZONE.`: the mailbox of the SOA record.
    pub(crate) fn mailbox(&self) -> DomainName {
        made([b"hostmaster".as_slice()], &self.origin)
    }

    /// `NODE.node.DATACENTER.ZONE.`
    pub(crate) fn node(&self, node: &Name, datacenter: &Name) -> DomainName {
        made([node.as_str().as_bytes(), b"node", datacenter.as_str().as_bytes()], &self.origin)
    }

    /// `HEXIP.addr.DATACENTER.ZONE.`
    fn address(&self, address: IpAddr, datacenter: &Name) -> DomainName {
        made([hex(address).as_bytes(), b"addr", datacenter.as_str().as_bytes()], &self.origin)
    }

    pub(crate) fn targets(&self) -> Targets {
        self.targets
    }

    /// `NAME.service.ZONE.`
    pub(crate) fn service(&self, service: &Name) -> DomainName {
        made([service.as_str().as_bytes(), b"service"], &self.origin)
    }

    /// Where the SRV record of a place points to. In a zone of the user's own what is registered has a name by its id, as
    /// what runs here has, unless the id is shared or no label; elsewhere it is at its node, at an address, or behind a
    /// name of somebody else's.
    pub(crate) fn target(
        &self,
        place: &Place<'_>,
        shared: &BTreeSet<String>,
        datacenter: &Name,
    ) -> DomainName {
        match place {
            Place::Run(instance, _) => match self.targets {
                Targets::Instances => self.below(&instance.service, instance.id.as_str()),
                Targets::Addresses => self.address(instance.endpoint.ip(), datacenter),
            },
            Place::Registered { address: Address::Name(name), .. } => name.clone(),
            Place::Registered { address: Address::Ip(address), service, at_node, .. } => {
                let node = || service.node.to_lowercase().parse().ok().filter(|_| *at_node);
                self.registered(service, shared).unwrap_or_else(|| {
                    node().map_or_else(
                        || self.address(*address, datacenter),
                        |node| self.node(&node, datacenter),
                    )
                })
            }
        }
    }

    /// The name that something registered has of its own.
    fn registered(&self, service: &registered::Service, shared: &BTreeSet<String>) -> Option<DomainName> {
        let own = Some(service.id.to_ascii_lowercase()).filter(|id| self.is_flat && !shared.contains(id));
        let (id, service): (Name, Name) = (own?.parse().ok()?, service.key().parse().ok()?);
        Some(self.below(&service, id.as_str()))
    }

    /// `ID.NAME.service.ZONE.`; `service` is left out where that means the same.
    fn below(&self, service: &Name, id: &str) -> DomainName {
        let (id, name) = (id.as_bytes(), service.as_str());
        match self.is_flat && !is_word(name) {
            true => made([id, name.as_bytes()], &self.origin),
            false => made([id, name.as_bytes(), b"service"], &self.origin),
        }
    }
}

/// Whether a label says what the names below it are.
pub(crate) fn is_word(label: &str) -> bool {
    matches!(label, "service" | "query" | "node" | "addr")
}

/// As people write it, with or without the dot at the end. SRV records point to instances.
impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Zone, ZoneError> {
        let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if domain.is_empty() {
            return Err(ZoneError::Root);
        }
        if let Some(label) = domain.split('.').find(|label| !is_label(label)) {
            return Err(ZoneError::Label { label: label.to_string(), domain });
        }
        if domain.len() + 2 > LONGEST_ORIGIN {
            return Err(ZoneError::TooLong(domain));
        }
        let origin = made(domain.split('.').map(str::as_bytes), &DomainName::root());
        Ok(Zone { origin, targets: Targets::Instances, is_flat: false })
    }
}

fn is_label(label: &str) -> bool {
    let letter = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(letter)
}

fn made<'a>(labels: impl IntoIterator<Item = &'a [u8]>, origin: &DomainName) -> DomainName {
    let name =
        labels.into_iter().try_fold(DomainName::new(), |name: DomainName, label| name.append_label(label));
    let name = name.and_then(|name| name.append_domain(origin));
    name.expect("labels of names and a checked origin make a domain name")
}

/// `7f000001` for 127.0.0.1; 32 digits for IPv6.
fn hex(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:08x}", address.to_bits()),
        IpAddr::V6(address) => format!("{:032x}", address.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_domain_below_the_root() {
        assert_eq!("Adsum.".parse::<Zone>(), Ok(Zone::adsum()));
        assert_eq!("consul".parse::<Zone>().unwrap().with_targets(Targets::Addresses), Zone::consul());
        assert_eq!("corp.example.org".parse::<Zone>().unwrap().depth(), 3);
        assert_eq!("".parse::<Zone>(), Err(ZoneError::Root));
        assert_eq!(".".parse::<Zone>(), Err(ZoneError::Root));
        for (domain, label) in [("a..b", ""), (".a", ""), ("a b", "a b"), ("a.b..", "")] {
            let error = domain.parse::<Zone>().unwrap_err();
            assert!(matches!(error, ZoneError::Label { label: found, .. } if found == label), "{domain}");
        }
        assert!(matches!("a".repeat(64).parse::<Zone>(), Err(ZoneError::Label { .. })));
    }

    #[test]
    fn a_zone_leaves_room_for_the_longest_names_in_it() {
        let label = "a".repeat(58);
        let longest: Zone = format!("{label}.{label}b").parse().unwrap();
        let name: Name = "n".repeat(63).parse().unwrap();
        assert_eq!(longest.node(&name, &name).len(), 64 + 5 + 64 + LONGEST_ORIGIN - 1);
        assert!(matches!(format!("{label}.{label}bb").parse::<Zone>(), Err(ZoneError::TooLong(_))));
    }
}
