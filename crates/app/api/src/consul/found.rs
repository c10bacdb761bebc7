//! One place where a service is offered, whether Adsum runs it or a client has registered it.
//!
//! All lists are made of these, so what is registered is found wherever what runs here is found.

use std::borrow::Cow;
use std::collections::BTreeMap;

use adsum_catalog::{Catalog, Dated, ServiceState};
use adsum_model::registered::{self, Status, Weights};
use adsum_model::{Instance, InstanceId};

use super::entry::{Address, Check};

#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Run(&'a ServiceState, &'a Instance),
    Registered(&'a Dated<registered::Service>),
}

impl<'a> Found<'a> {
    /// Those of a service that are not over: first what runs here, then what is registered.
    pub(crate) fn named(catalog: &'a Catalog, name: &str) -> Vec<Found<'a>> {
        let run = name.parse().ok().and_then(|name| catalog.service(&name));
        let run = run.into_iter().flat_map(|service| live(service));
        run.chain(catalog.registry().named(name).map(|service| Found::Registered(service))).collect()
    }

    /// Those of all services.
    pub(crate) fn all(catalog: &'a Catalog) -> impl Iterator<Item = Found<'a>> {
        let run = catalog.services().flat_map(|(_, service)| live(service));
        run.chain(catalog.registry().services().map(|service| Found::Registered(service)))
    }

    /// Those on one node.
    pub(crate) fn on(catalog: &'a Catalog, node: &str) -> Vec<Found<'a>> {
        let run = catalog.services().flat_map(|(_, service)| live(service));
        let run = run.filter(|found| found.node() == node);
        run.chain(catalog.registry().services_on(node).map(|service| Found::Registered(service))).collect()
    }

    /// One on a node by its id.
    pub(crate) fn one(catalog: &'a Catalog, node: &str, id: &str) -> Option<Found<'a>> {
        let run = id.parse::<InstanceId>().ok().and_then(|id| {
            let instance = catalog.instance(&id)?;
            let is_there = !instance.phase.is_final() && instance.node.as_str() == node;
            is_there.then_some(Found::Run(catalog.service(&instance.service)?, instance))
        });
        run.or_else(|| catalog.registry().service(node, id).map(|service| Found::Registered(service)))
    }

    pub(crate) fn id(&self) -> &'a str {
        match self {
            Found::Run(_, instance) => instance.id.as_str(),
            Found::Registered(service) => &service.record.id,
        }
    }

    pub(crate) fn name(&self) -> &'a str {
        match self {
            Found::Run(_, instance) => instance.service.as_str(),
            Found::Registered(service) => &service.record.service,
        }
    }

    pub(crate) fn node(&self) -> &'a str {
        match self {
            Found::Run(_, instance) => instance.node.as_str(),
            Found::Registered(service) => &service.record.node,
        }
    }

    pub(crate) fn tags(&self) -> &'a [String] {
        match self {
            Found::Run(state, _) => state.service.as_ref().map_or(&[], |service| &service.spec.tags),
            Found::Registered(service) => &service.record.tags,
        }
    }

    /// Empty where it is the node's.
    pub(crate) fn address(&self) -> Cow<'a, str> {
        match self {
            Found::Run(_, instance) => Cow::Owned(instance.endpoint.ip().to_string()),
            Found::Registered(service) => Cow::Borrowed(&service.record.address),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Found::Run(_, instance) => instance.endpoint.port(),
            Found::Registered(service) => service.port,
        }
    }

    /// Those given, and for an address the two that Consul adds.
    pub(crate) fn tagged_addresses(&self) -> BTreeMap<String, Address> {
        let own = self.address().parse::<std::net::IpAddr>().ok();
        let keys: &[&str] = match own {
            Some(address) if address.is_ipv4() => &["lan_ipv4", "wan_ipv4"],
            Some(_) => &["lan_ipv6", "wan_ipv6"],
            None => &[],
        };
        let address = || Address { address: self.address().into_owned(), port: self.port() };
        let mut tagged: BTreeMap<String, Address> =
            keys.iter().map(|key| (key.to_string(), address())).collect();
        if let Found::Registered(service) = self {
            tagged.extend(
                service.tagged_addresses.iter().map(|(key, place)| (key.clone(), Address::of(place))),
            );
        }
        tagged
    }

    pub(crate) fn meta(&self) -> BTreeMap<String, String> {
        match self {
            Found::Run(_, instance) => [
                ("version".to_string(), instance.version.to_string()),
                ("slot".to_string(), instance.slot.to_string()),
            ]
            .into(),
            Found::Registered(service) => service.meta.clone(),
        }
    }

    pub(crate) fn weights(&self) -> Weights {
        match self {
            Found::Run(..) => Weights::default(),
            Found::Registered(service) => service.weights,
        }
    }

    pub(crate) fn enable_tag_override(&self) -> bool {
        match self {
            Found::Run(..) => false,
            Found::Registered(service) => service.enable_tag_override,
        }
    }

    /// The revisions at which it was made and changed; of what runs here, those of the service.
    pub(crate) fn indexes(&self) -> [u64; 2] {
        match self {
            Found::Run(state, _) => [state.index.0; 2],
            Found::Registered(service) => [service.created.0, service.modified.0],
        }
    }

    /// Its own, without those of its node.
    pub(crate) fn checks(&self, catalog: &'a Catalog) -> Vec<Check<'a>> {
        match self {
            Found::Run(state, instance) => Check::of_instance(state, instance),
            Found::Registered(service) => {
                let checks = catalog.registry().checks_of(&service.node, &service.id);
                checks.map(|check| Check::registered(catalog, check)).collect()
            }
        }
    }

    /// The worst of all its checks and of those of its node.
    pub(crate) fn status(&self, catalog: &Catalog) -> Status {
        match self {
            Found::Run(_, instance) => {
                super::entry::status(instance).max(catalog.registry().node_status(instance.node.as_str()))
            }
            Found::Registered(service) => catalog.registry().status(service),
        }
    }
}

fn live(state: &ServiceState) -> impl Iterator<Item = Found<'_>> {
    state.live().map(move |instance| Found::Run(state, instance))
}
