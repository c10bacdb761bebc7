//! What a name in one of our zones stands for.
//!
//! ```text
//! NAME.service            its routable instances
//! TAG.NAME.service        the same, when the service has the tag
//! INSTANCE.NAME.service   that one, when it is routable
//! _NAME._tcp.service      NAME.service in the form of RFC 2782
//! _NAME._TAG.service      TAG.NAME.service in that form
//! NAME.query              the routable ones of the instances that answer a prepared query; NAME may have dots
//! NODE.node               where the node is
//! HEXIP.addr              the address that it spells: 8 hexadecimal digits or 32
//! ns                      the node that answers
//! ```
//!
//! In a flat zone `.service` may be left out, where what is left is nothing else of these. Each may be followed by the datacenter. Tags that are no single label cannot be asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Instance, Name, Node};

use crate::{Config, Zone};

#[derive(Debug)]
pub(crate) enum Subject<'a> {
    /// The zone itself.
    Apex,
    /// Nothing by itself, with names below it: it exists (RFC 8020).
    Inner,
    Instances(Found<'a>),
    Node(&'a Node),
    Address(IpAddr),
    Unknown,
}

/// Those of a service that a name stands for, in the order of slots; all are routable.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) service: Name,
    pub(crate) instances: Vec<&'a Instance>,
}

impl<'a> Subject<'a> {
    /// `labels` are those before the origin of the zone, in lower case.
    pub(crate) fn find(labels: &[&[u8]], zone: &Zone, catalog: &'a Catalog, config: &Config) -> Subject<'a> {
        let labels: Result<Vec<&str>, _> = labels.iter().map(|label| str::from_utf8(label)).collect();
        let Ok(labels) = labels else { return Subject::Unknown };
        match (find_here(&labels, zone, catalog, config), &*labels) {
            (Subject::Unknown, [datacenter]) if *datacenter == config.datacenter.as_str() => Subject::Inner,
            (Subject::Unknown, [rest @ .., datacenter]) if *datacenter == config.datacenter.as_str() => {
                find_here(rest, zone, catalog, config)
            }
            (subject, _) => subject,
        }
    }
}

fn find_here<'a>(labels: &[&str], zone: &Zone, catalog: &'a Catalog, config: &Config) -> Subject<'a> {
    match labels {
        [] => Subject::Apex,
        ["ns"] => catalog.node(&config.node).map_or(Subject::Inner, |node| Subject::Node(node)),
        ["service" | "query" | "node" | "addr"] => Subject::Inner,
        [below @ .., "service"] => service(below, catalog),
        [below @ .., "query"] => query(&below.join("."), catalog),
        [name, "node"] => node(name, catalog).map_or(Subject::Unknown, Subject::Node),
        [digits, "addr"] => address(digits).map_or(Subject::Unknown, Subject::Address),
        below if zone.is_flat() => service(below, catalog),
        _ => Subject::Unknown,
    }
}

fn service<'a>(below: &[&str], catalog: &'a Catalog) -> Subject<'a> {
    match below {
        // `_tcp.service` and `_TAG.service`.
        [label] if label.starts_with('_') => Subject::Inner,
        [name] => found(name, catalog, Chosen::All),
        [name, choice]
            if let (Some(name), Some(choice)) = (name.strip_prefix('_'), choice.strip_prefix('_')) =>
        {
            let chosen = if choice == "tcp" { Chosen::All } else { Chosen::Tagged(choice) };
            found(name, catalog, chosen)
        }
        [choice, name] => found(name, catalog, Chosen::One(choice)),
        _ => Subject::Unknown,
    }
}

fn query<'a>(name: &str, catalog: &'a Catalog) -> Subject<'a> {
    let Some(query) = adsum_query::find(catalog, name) else { return Subject::Unknown };
    let Ok(service) = query.service.service.parse::<Name>() else { return Subject::Unknown };
    let chosen = adsum_query::instances(catalog, &query.service).into_iter();
    let instances = chosen.map(|chosen| &**chosen.instance).filter(|instance| instance.is_routable());
    Subject::Instances(Found { service, instances: instances.collect() })
}

/// Which instances of a service a name stands for.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    All,
    Tagged(&'a str),
    /// By its id; else all by their tag.
    One(&'a str),
}

fn found<'a>(name: &str, catalog: &'a Catalog, chosen: Chosen<'_>) -> Subject<'a> {
    let Ok(service) = name.parse::<Name>() else { return Subject::Unknown };
    let Some(state) = catalog.service(&service) else { return Subject::Unknown };
    let instances = match chosen {
        Chosen::All => Some(all(state)),
        Chosen::Tagged(tag) => tagged(state, tag),
        Chosen::One(choice) => one(state, choice).or_else(|| tagged(state, choice)),
    };
    instances.map_or(Subject::Unknown, |instances| Subject::Instances(Found { service, instances }))
}

fn all(state: &ServiceState) -> Vec<&Instance> {
    state.routable().map(|instance| &**instance).collect()
}

fn tagged<'a>(state: &'a ServiceState, tag: &str) -> Option<Vec<&'a Instance>> {
    let tags = &state.service.as_ref()?.spec.tags;
    tags.iter().any(|other| other.eq_ignore_ascii_case(tag)).then(|| all(state))
}

fn one<'a>(state: &'a ServiceState, id: &str) -> Option<Vec<&'a Instance>> {
    let instance = state.instances.iter().find(|instance| instance.id.as_str() == id)?;
    Some(if instance.is_routable() { vec![&**instance] } else { Vec::new() })
}

fn node<'a>(name: &str, catalog: &'a Catalog) -> Option<&'a Node> {
    let name: Name = name.parse().ok()?;
    catalog.node(&name).map(|node| &**node)
}

fn address(digits: &str) -> Option<IpAddr> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match digits.len() {
        8 => Some(Ipv4Addr::from_bits(u32::from_str_radix(digits, 16).ok()?).into()),
        32 => Some(Ipv6Addr::from_bits(u128::from_str_radix(digits, 16).ok()?).into()),
        _ => None,
    }
}
