//! What a name in one of our zones stands for.
//!
//! ```text
//! NAME.service            its routable instances
//! TAG.NAME.service        the same, when the service has the tag
//! INSTANCE.NAME.service   that one, when it is routable
//! _NAME._tcp.service      NAME.service in the form of RFC 2782
//! _NAME._TAG.service      TAG.NAME.service in that form
//! NAME.query              the routable ones of the instances that answer a prepared query; NAME may have dots
//! NODE.node               where the node is, with an agent or without
//! HEXIP.addr              the address that it spells: 8 hexadecimal digits or 32
//! ns                      the node that answers
//! ```
//!
//! What clients have registered stands beside what runs here, in the same forms: routable is what is not critical, and a
//! tag is that of a single place.
//!
//! In a flat zone `.service` may be left out, where what is left is nothing else of these, and what is registered is found
//! by its id as well, before the tag. Each may be followed by the
//! datacenter. Tags that are no single label cannot be asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use adsum_catalog::{Catalog, Dated, ServiceState};
use adsum_model::registered::{self, Status};
use adsum_model::{Instance, Name, Node, Priority};
use adsum_query::Chosen;

use crate::place::{Address, Place};
use crate::zone::is_word;
use crate::{Config, Zone};

#[derive(Debug)]
pub(crate) enum Subject<'a> {
    /// The zone itself.
    Apex,
    /// Nothing by itself, with names below it: it exists (RFC 8020).
    Inner,
    Instances(Found<'a>),
    Node(&'a Node),
    ExternalNode(&'a registered::Node),
    Address(IpAddr),
    Unknown,
}

/// Those of a service that a name stands for: what runs here in the order of slots, then what is registered by node and
/// id. All are routable.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// None of a service that cannot run here by that name.
    pub(crate) service: Option<Name>,
    pub(crate) places: Vec<Place<'a>>,
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
        [word] if is_word(word) => Subject::Inner,
        [below @ .., "service"] => service(below, zone, catalog),
        [below @ .., "query"] => query(&below.join("."), catalog),
        [name, "node"] => node(name, catalog),
        [digits, "addr"] => address(digits).map_or(Subject::Unknown, Subject::Address),
        below if zone.is_flat() => service(below, zone, catalog),
        _ => Subject::Unknown,
    }
}

fn service<'a>(below: &[&str], zone: &Zone, catalog: &'a Catalog) -> Subject<'a> {
    match below {
        // `_tcp.service` and `_TAG.service`.
        [label] if label.starts_with('_') => Subject::Inner,
        [name] => found(name, catalog, Which::All),
        [name, choice]
            if let (Some(name), Some(choice)) = (name.strip_prefix('_'), choice.strip_prefix('_')) =>
        {
            let which = if choice == "tcp" { Which::All } else { Which::Tagged(choice) };
            found(name, catalog, which)
        }
        [choice, name] if zone.is_flat() => found(name, catalog, Which::Named(choice)),
        [choice, name] => found(name, catalog, Which::One(choice)),
        _ => Subject::Unknown,
    }
}

fn query<'a>(name: &str, catalog: &'a Catalog) -> Subject<'a> {
    let Some(query) = adsum_query::find(catalog, name) else { return Subject::Unknown };
    let world = World { catalog, state: None, registered: &[] };
    let places =
        adsum_query::instances(catalog, &query.service).into_iter().filter_map(|chosen| match chosen {
            Chosen::Run(state, instance) => world.run(state, instance).filter(|_| instance.is_routable()),
            Chosen::Registered(service) => world.place(service),
        });
    Subject::Instances(Found { service: query.service.service.parse().ok(), places: places.collect() })
}

/// Which instances of a service a name stands for.
#[derive(Clone, Copy)]
enum Which<'a> {
    All,
    Tagged(&'a str),
    /// By the id of what runs here; else all by their tag.
    One(&'a str),
    /// By its id; else all by their tag.
    Named(&'a str),
}

fn found<'a>(name: &str, catalog: &'a Catalog, which: Which<'_>) -> Subject<'a> {
    let service = name.parse::<Name>().ok();
    let state = service.as_ref().and_then(|service| catalog.service(service));
    let state = state.map(|state| &**state);
    let registered: Vec<_> = catalog.registry().named(name).collect();
    if state.is_none() && registered.is_empty() {
        return Subject::Unknown;
    }
    let world = World { catalog, state, registered: &registered };
    let places = match which {
        Which::All => Some(world.all()),
        Which::Tagged(tag) => world.tagged(tag),
        Which::One(choice) => world.one(choice).or_else(|| world.tagged(choice)),
        Which::Named(choice) => {
            world.one(choice).or_else(|| world.registered(choice)).or_else(|| world.tagged(choice))
        }
    };
    places.map_or(Subject::Unknown, |places| Subject::Instances(Found { service, places }))
}

/// All that there is of a service.
struct World<'a, 'b> {
    catalog: &'a Catalog,
    state: Option<&'a ServiceState>,
    registered: &'b [&'a Arc<Dated<registered::Service>>],
}

impl<'a> World<'a, '_> {
    fn all(&self) -> Vec<Place<'a>> {
        let run = self.state.into_iter().flat_map(|state| state.routable().map(move |run| (state, run)));
        let run = run.filter_map(|(state, instance)| self.run(state, instance));
        run.chain(self.registered.iter().filter_map(|service| self.place(service))).collect()
    }

    /// None when nothing of it has the tag.
    fn tagged(&self, tag: &str) -> Option<Vec<Place<'a>>> {
        let has = |tags: &[String]| tags.iter().any(|other| other.eq_ignore_ascii_case(tag));
        let service = self.state.and_then(|state| state.service.as_ref());
        let state = self.state.filter(|_| service.is_some_and(|service| has(&service.spec.tags)));
        let tagged: Vec<_> = self.registered.iter().copied().filter(|service| has(&service.tags)).collect();
        let is_there = state.is_some() || !tagged.is_empty();
        is_there.then(|| World { catalog: self.catalog, state, registered: &tagged }.all())
    }

    fn one(&self, id: &str) -> Option<Vec<Place<'a>>> {
        let state = self.state?;
        let instance = state.instances.iter().find(|instance| instance.id.as_str() == id)?;
        let routable = Some(instance).filter(|instance| instance.is_routable());
        Some(routable.and_then(|instance| self.run(state, instance)).into_iter().collect())
    }

    /// None when nothing registered has the id.
    fn registered(&self, id: &str) -> Option<Vec<Place<'a>>> {
        let of_id = |service: &&&'a Arc<Dated<registered::Service>>| service.id.eq_ignore_ascii_case(id);
        let mut there = self.registered.iter().filter(of_id).peekable();
        there.peek()?;
        Some(there.filter_map(|service| self.place(service)).collect())
    }

    fn run(&self, state: &'a ServiceState, instance: &'a Instance) -> Option<Place<'a>> {
        let is_well = self.catalog.registry().node_status(instance.node.as_str()) != Status::Critical;
        let spec = state.service.as_ref().map(|service| &service.spec);
        let priority = spec.and_then(|spec| Priority::of(&spec.labels).ok()).unwrap_or_default();
        is_well.then_some(Place::Run(instance, priority))
    }

    /// None of one that is critical, or of which nobody knows where it is.
    fn place(&self, service: &'a Dated<registered::Service>) -> Option<Place<'a>> {
        let weight = match self.catalog.registry().status(service) {
            Status::Passing => service.weights.passing,
            Status::Warning => service.weights.warning,
            Status::Critical => return None,
        };
        let node = Address::of_node(&service.record.node, self.catalog);
        let own = Address::of(&service.record.address);
        let (address, at_node) = own.map_or_else(|| Some((node?, true)), |own| Some((own, false)))?;
        Some(Place::Registered { service, address, at_node, weight })
    }
}

fn node<'a>(name: &str, catalog: &'a Catalog) -> Subject<'a> {
    let own = name.parse::<Name>().ok().and_then(|name| catalog.node(&name));
    let external = || catalog.registry().node(name).map(|node| Subject::ExternalNode(&node.record));
    own.map(|node| Subject::Node(node)).or_else(external).unwrap_or(Subject::Unknown)
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
