//! One place where a service is offered, as it is told in records.

use std::net::IpAddr;

use adsum_catalog::Catalog;
use adsum_model::{Instance, Name, Priority, registered};
use hickory_proto::rr::Name as DomainName;

#[derive(Clone, Debug)]
pub(crate) enum Place<'a> {
    /// Adsum runs it.
    Run(&'a Instance, Priority),
    /// A client has registered it.
    Registered {
        service: &'a registered::Service,
        address: Address,
        /// Whether the address is that of its node, since it has none of its own.
        at_node: bool,
        weight: u16,
    },
}

/// An address, or the name of one that is asked for elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Ip(IpAddr),
    Name(DomainName),
}

impl Address {
    /// None of a text that is neither.
    pub(crate) fn of(text: &str) -> Option<Address> {
        if let Ok(address) = text.parse() {
            return Some(Address::Ip(address));
        }
        let mut name = DomainName::from_ascii(text).ok().filter(|_| !text.is_empty())?;
        name.set_fqdn(true);
        Some(Address::Name(name))
    }

    pub(crate) fn of_node(name: &str, catalog: &Catalog) -> Option<Address> {
        let own = name.parse::<Name>().ok().and_then(|name| catalog.node(&name));
        own.map(|node| Address::Ip(node.address))
            .or_else(|| catalog.registry().node(name).and_then(|node| Address::of(&node.address)))
    }
}

impl Place<'_> {
    pub(crate) fn address(&self) -> Address {
        match self {
            Place::Run(instance, _) => Address::Ip(instance.endpoint.ip()),
            Place::Registered { address, .. } => address.clone(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Place::Run(instance, _) => instance.endpoint.port(),
            Place::Registered { service, .. } => service.port,
        }
    }

    /// Of its SRV record. One that nobody would register any more counts for nothing.
    pub(crate) fn priority(&self) -> Priority {
        match self {
            Place::Run(_, priority) => *priority,
            Place::Registered { service, .. } => Priority::of(&service.meta).unwrap_or_default(),
        }
    }

    /// Of its SRV record.
    pub(crate) fn weight(&self) -> u16 {
        match self {
            Place::Run(..) => 1,
            Place::Registered { weight, .. } => *weight,
        }
    }
}
