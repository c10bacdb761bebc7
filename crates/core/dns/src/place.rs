//! One place where a service is offered, as it is told in records.

use std::net::IpAddr;

use adsum_catalog::Catalog;
use adsum_model::{Instance, Name};
use hickory_proto::rr::Name as DomainName;

#[derive(Clone, Debug)]
pub(crate) enum Place<'a> {
    /// Adsum runs it.
    Run(&'a Instance),
    /// A client has registered it.
    Registered {
        address: Address,
        /// Where it has no address of its own.
        node: Option<&'a str>,
        port: u16,
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
            Place::Run(instance) => Address::Ip(instance.endpoint.ip()),
            Place::Registered { address, .. } => address.clone(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Place::Run(instance) => instance.endpoint.port(),
            Place::Registered { port, .. } => *port,
        }
    }

    /// Of its SRV record.
    pub(crate) fn weight(&self) -> u16 {
        match self {
            Place::Run(_) => 1,
            Place::Registered { weight, .. } => *weight,
        }
    }
}
