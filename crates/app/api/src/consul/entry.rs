//! The shapes of nodes, services and checks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use adsum_catalog::{Catalog, Dated, ServiceState};
use adsum_model::registered::{self, Place, Status};
use adsum_model::{CheckKind, Health, Instance, Name, Phase, print_duration};
use serde::Serialize;
use serde_json::{Map, Value};

use super::found::Found;
use crate::ApiState;
use crate::fingerprint::fingerprint;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Node {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) node: String,
    pub(crate) address: String,
    pub(crate) datacenter: String,
    pub(crate) tagged_addresses: Option<BTreeMap<String, String>>,
    pub(crate) meta: Option<BTreeMap<String, String>>,
    create_index: u64,
    modify_index: u64,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Weights {
    passing: u16,
    warning: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Address {
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// The meshes that Adsum has no part in.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Proxy {
    mode: &'static str,
    mesh_gateway: Nothing,
    expose: Nothing,
}

/// `{}`
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Service<'a> {
    #[serde(rename = "ID")]
    pub(crate) id: &'a str,
    service: &'a str,
    tags: &'a [String],
    address: Cow<'a, str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tagged_addresses: BTreeMap<String, Address>,
    meta: BTreeMap<String, String>,
    port: u16,
    weights: Weights,
    enable_tag_override: bool,
    proxy: Proxy,
    connect: Nothing,
    create_index: u64,
    modify_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Check<'a> {
    pub(crate) node: &'a str,
    #[serde(rename = "CheckID")]
    pub(crate) id: Cow<'a, str>,
    name: Cow<'a, str>,
    pub(crate) status: &'static str,
    notes: Cow<'a, str>,
    output: Cow<'a, str>,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    r#type: &'static str,
    interval: String,
    timeout: String,
    exposed_port: u16,
    definition: Value,
    create_index: u64,
    modify_index: u64,
}

/// Why something is in maintenance when nobody has said.
pub(crate) const NO_REASON: [&str; 2] = [
    "Maintenance mode is enabled for this service, but no reason was provided. This is a default message.",
    "Maintenance mode is enabled for this node, but no reason was provided. This is a default message.",
];

/// The same for the same node of the same cluster, in the form of a UUID.
pub(crate) fn node_id(state: &ApiState, name: &Name) -> String {
    let cluster = state.store.cluster();
    let hex = format!("{:032x}", fingerprint(&[cluster.as_bytes(), name.as_str().as_bytes()]));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

impl Node {
    /// One with an agent.
    pub(crate) fn own(state: &ApiState, name: &Name, address: IpAddr) -> Node {
        let text = address.to_string();
        let [lan, wan] = if address.is_ipv4() { ["lan_ipv4", "wan_ipv4"] } else { ["lan_ipv6", "wan_ipv6"] };
        let tagged = ["lan", lan, "wan", wan].into_iter().map(|key| (key.to_string(), text.clone()));
        Node {
            id: node_id(state, name),
            node: name.to_string(),
            address: text.clone(),
            datacenter: state.about.datacenter.clone(),
            tagged_addresses: Some(tagged.collect()),
            meta: Some([("consul-network-segment".to_string(), String::new())].into()),
            create_index: 1,
            modify_index: 1,
        }
    }

    /// One without.
    pub(crate) fn external(state: &ApiState, node: &Dated<registered::Node>) -> Node {
        let some = |map: &BTreeMap<String, String>| Some(map.clone()).filter(|map| !map.is_empty());
        Node {
            id: node.id.clone(),
            node: node.name.clone(),
            address: node.address.clone(),
            datacenter: state.about.datacenter.clone(),
            tagged_addresses: some(&node.tagged_addresses),
            meta: some(&node.meta),
            create_index: node.created.0,
            modify_index: node.modified.0,
        }
    }

    pub(crate) fn named(state: &ApiState, catalog: &Catalog, name: &str) -> Option<Node> {
        let own = name.parse().ok().and_then(|name| catalog.node(&name));
        let own = own.map(|node| Node::own(state, &node.name, node.address));
        own.or_else(|| catalog.registry().node(name).map(|node| Node::external(state, node)))
    }

    /// Of both kinds, by name.
    pub(crate) fn all(state: &ApiState, catalog: &Catalog) -> Vec<Node> {
        let own = catalog.nodes().map(|node| Node::own(state, &node.name, node.address));
        let external = catalog.registry().nodes();
        let external =
            external.filter(|node| !is_own(catalog, &node.name)).map(|node| Node::external(state, node));
        let mut nodes: Vec<Node> = own.chain(external).collect();
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        nodes
    }

    /// Where something is found. A node that has no record is where its instance is.
    pub(crate) fn of(state: &ApiState, catalog: &Catalog, found: &Found<'_>) -> Node {
        Node::named(state, catalog, found.node()).unwrap_or_else(|| match found {
            Found::Run(_, instance) => Node::own(state, &instance.node, instance.endpoint.ip()),
            Found::Registered(service) => {
                let record = registered::Node { name: service.node.clone(), ..registered::Node::default() };
                Node::external(state, &Dated { record, created: service.created, modified: service.modified })
            }
        })
    }
}

/// Whether a node has an agent.
pub(crate) fn is_own(catalog: &Catalog, name: &str) -> bool {
    name.parse().is_ok_and(|name: Name| catalog.node(&name).is_some())
}

impl Address {
    pub(crate) fn of(place: &Place) -> Address {
        Address { address: place.address.clone(), port: place.port }
    }
}

impl Weights {
    pub(crate) fn of(found: &Found<'_>) -> Weights {
        let registered::Weights { passing, warning } = found.weights();
        Weights { passing, warning }
    }
}

impl<'a> Service<'a> {
    pub(crate) fn of(found: &Found<'a>) -> Service<'a> {
        let [create_index, modify_index] = found.indexes();
        Service {
            id: found.id(),
            service: found.name(),
            tags: found.tags(),
            address: found.address(),
            tagged_addresses: found.tagged_addresses(),
            meta: found.meta(),
            port: found.port(),
            weights: Weights::of(found),
            enable_tag_override: found.enable_tag_override(),
            proxy: Proxy::default(),
            connect: Nothing {},
            create_index,
            modify_index,
        }
    }
}

impl<'a> Check<'a> {
    /// Those of a node: that its agent is there, if it has one, and what was registered of it.
    pub(crate) fn of_node(catalog: &'a Catalog, node: &'a str) -> Vec<Check<'a>> {
        let agent = is_own(catalog, node).then(|| Check::agent(node));
        let registered = catalog.registry().checks_of(node, "");
        agent.into_iter().chain(registered.map(|check| Check::registered(catalog, check))).collect()
    }

    /// That of a node, which is this process or one whose instances are known through it.
    pub(crate) fn agent(node: &'a str) -> Check<'a> {
        Check {
            node,
            id: "serfHealth".into(),
            name: "Serf Health Status".into(),
            status: "passing",
            notes: "".into(),
            output: "Agent alive and reachable".into(),
            service_id: "",
            service_name: "",
            service_tags: &[],
            r#type: "",
            interval: String::new(),
            timeout: String::new(),
            exposed_port: 0,
            definition: Value::Object(Map::new()),
            create_index: 1,
            modify_index: 1,
        }
    }

    /// Its own check, and that it is in maintenance when it is.
    pub(crate) fn of_instance(state: &'a ServiceState, instance: &'a Instance) -> Vec<Check<'a>> {
        let found = Found::Run(state, instance);
        let maintenance = instance.maintenance.as_deref().map(|reason| Check {
            id: format!("_service_maintenance:{}", instance.id).into(),
            name: "Service Maintenance Mode".into(),
            status: "critical",
            notes: if reason.is_empty() { NO_REASON[0] } else { reason }.into(),
            r#type: "maintenance",
            ..Check::about(&found)
        });
        let check = state.service.as_ref().map(|service| &service.spec.check);
        let own = Check {
            id: format!("service:{}", instance.id).into(),
            name: format!("Service '{}' check", instance.service).into(),
            status: status(instance).as_str(),
            output: output(instance).into(),
            r#type: check.map_or("", |check| kind(&check.kind)),
            interval: check.map_or_else(String::new, |check| print_duration(check.interval)),
            timeout: check.map_or_else(String::new, |check| print_duration(check.timeout)),
            ..Check::about(&found)
        };
        maintenance.into_iter().chain([own]).collect()
    }

    /// One that a client has registered.
    pub(crate) fn registered(catalog: &'a Catalog, check: &'a Dated<registered::Check>) -> Check<'a> {
        let service = catalog.registry().service(&check.node, &check.service);
        Check::told(check, service.map(|service| &service.record))
    }

    /// With the service that it is about, if that is there.
    pub(crate) fn told(
        check: &'a Dated<registered::Check>,
        service: Option<&'a registered::Service>,
    ) -> Check<'a> {
        let check_of = &check.record;
        let definition = &check_of.definition;
        let print = |duration: std::time::Duration| {
            if duration.is_zero() { String::new() } else { print_duration(duration) }
        };
        Check {
            node: &check_of.node,
            id: check_of.id.as_str().into(),
            name: check_of.name.as_str().into(),
            status: check_of.status.as_str(),
            notes: check_of.notes.as_str().into(),
            output: check_of.output.as_str().into(),
            service_id: &check_of.service,
            service_name: service.map_or("", |service| &service.service),
            service_tags: service.map_or(&[], |service| &service.tags),
            r#type: definition.kind.word(),
            interval: print(definition.interval),
            timeout: print(definition.timeout),
            exposed_port: 0,
            definition: serde_json::from_str(&check_of.recipe).unwrap_or_else(|_| Map::new().into()),
            create_index: check.created.0,
            modify_index: check.modified.0,
        }
    }

    /// About a service, and saying nothing.
    fn about(found: &Found<'a>) -> Check<'a> {
        let [create_index, modify_index] = found.indexes();
        Check {
            node: found.node(),
            service_id: found.id(),
            service_name: found.name(),
            service_tags: found.tags(),
            output: "".into(),
            create_index,
            modify_index,
            ..Check::agent("")
        }
    }
}

/// Consul knows three; what is not to be used is critical.
pub(crate) fn status(instance: &Instance) -> Status {
    match (instance.phase, instance.health) {
        (Phase::Running, Health::Passing) => Status::Passing,
        (Phase::Running, Health::Warning) => Status::Warning,
        (Phase::Running, Health::Starting | Health::Critical | Health::Draining | Health::Maintenance)
        | (
            Phase::Planned
            | Phase::Backoff
            | Phase::Stopping
            | Phase::Stopped
            | Phase::Complete
            | Phase::Failed,
            _,
        ) => Status::Critical,
    }
}

fn output(instance: &Instance) -> String {
    let reason = instance.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!("{}, {}{reason}", instance.phase.as_str(), instance.health)
}

/// The word that Consul has for it.
fn kind(kind: &CheckKind) -> &'static str {
    match kind {
        CheckKind::Http { .. } => "http",
        CheckKind::Tcp => "tcp",
        CheckKind::Command { .. } => "script",
        CheckKind::Process => "os_service",
    }
}
