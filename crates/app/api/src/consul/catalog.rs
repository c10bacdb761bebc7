//! `/v1/catalog`: what is registered.

use std::collections::{BTreeMap, BTreeSet};

use adsum_catalog::{Catalog, ServiceState};
use adsum_keyspace::Database;
use adsum_model::{Instance, Name, Revision};
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, at, json};
use super::entry::{self, Address, Node, Nothing, Proxy, WEIGHTS, Weights};
use super::filter;
use super::question::Question;
use crate::ApiState;
use crate::changes::Keys;
use crate::closing::Closing;
use crate::query::Query;

#[derive(Serialize)]
struct Registered<'a> {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Node")]
    node: String,
    #[serde(rename = "Address")]
    address: String,
    #[serde(rename = "Datacenter")]
    datacenter: String,
    #[serde(rename = "TaggedAddresses")]
    tagged_addresses: BTreeMap<&'static str, String>,
    #[serde(rename = "NodeMeta")]
    node_meta: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    service: Service<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Service<'a> {
    service_kind: &'static str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    service_address: String,
    service_tagged_addresses: BTreeMap<&'static str, Address>,
    service_weights: Weights,
    service_meta: BTreeMap<&'static str, String>,
    service_port: u16,
    service_socket_path: &'static str,
    service_enable_tag_override: bool,
    service_proxy: Proxy,
    service_connect: Nothing,
    create_index: u64,
    modify_index: u64,
}

/// A service, for those who choose among them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named<'a> {
    service_name: &'a Name,
    service_tags: &'a [String],
}

pub(crate) async fn datacenters(State(state): State<ApiState>, query: Query) -> Response {
    json(query.asks("pretty"), &[&state.about.datacenter])
}

/// Blocks until a node's record changes.
pub(crate) async fn nodes(
    State(state): State<ApiState>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::NODE)?;
    let mut index = state.store.catalog().await?.revision();
    if let Some(asked) = question.blocking.index {
        let asked = asked.min(index);
        let keys = Keys::Under(Database::System, b"node/".to_vec());
        let changed = keys.changed(&state.store, asked, &question.blocking, &mut closing).await?;
        index = if changed { state.store.catalog().await?.revision() } else { asked };
    }
    let catalog = state.store.catalog().await?;
    let mut nodes: Vec<Node> =
        catalog.nodes().map(|node| entry::node(&state, &node.name, node.address)).collect();
    nodes.retain(|node| question.takes_nodes() && choice.takes(node));
    Ok(at(index, Some(question.consistency()), json(question.pretty, &nodes)))
}

/// Names with the tags in use.
pub(crate) async fn services(
    State(state): State<ApiState>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::NAME)?;
    let blocking =
        question.blocking.catalog(&state.store, question.stale, &mut closing, Catalog::services_index);
    let catalog = blocking.await?;
    let registered = catalog.services().filter(|(_, service)| service.service.is_some());
    let tags: BTreeMap<&Name, BTreeSet<&String>> = registered
        .filter(|_| question.takes_nodes())
        .filter(|(name, service)| {
            choice.takes(&Named { service_name: name, service_tags: entry::tags(service) })
        })
        .map(|(name, service)| (name, entry::tags(service).iter().collect()))
        .collect();
    Ok(at(catalog.services_index(), Some(question.consistency()), json(question.pretty, &tags)))
}

/// The instances of a service that are not over, whatever their health; `?tag=`, `?filter=`.
pub(crate) async fn service(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::REGISTERED)?;
    let subject = Subject::new(&name);
    let catalog = subject.catalog(&state, &question, &mut closing).await?;
    let service = subject.service(&catalog, &question);
    let instances = service.into_iter().flat_map(ServiceState::live);
    let registered: Vec<Registered<'_>> = instances
        .filter_map(|instance| Some(registered(&state, &catalog, service?, instance)))
        .filter(|registered| choice.takes(registered))
        .collect();
    subject.note_answered(&state, registered.len());
    Ok(at(subject.index(&catalog), Some(question.consistency()), json(question.pretty, &registered)))
}

pub(crate) async fn no_name() -> Refusal {
    Refusal::bad("Missing service name")
}

/// A service that is asked for. No service has a name that is none.
pub(crate) struct Subject(Option<Name>);

impl Subject {
    pub(crate) fn new(text: &str) -> Subject {
        Subject(text.parse().ok())
    }

    pub(crate) fn index(&self, catalog: &Catalog) -> Revision {
        self.0.as_ref().map_or_else(|| catalog.services_index(), |name| catalog.index(name))
    }

    /// Waits until it is newer than asked for.
    pub(crate) async fn catalog(
        &self,
        state: &ApiState,
        question: &Question,
        closing: &mut Closing,
    ) -> Result<std::sync::Arc<Catalog>, Refusal> {
        let blocking = &question.blocking;
        let index_of = |catalog: &Catalog| self.index(catalog);
        Ok(blocking.catalog(&state.store, question.stale, closing, index_of).await?)
    }

    /// The service, unless its tags or nodes are not those asked for.
    pub(crate) fn service<'a>(&self, catalog: &'a Catalog, question: &Question) -> Option<&'a ServiceState> {
        let service = catalog.service(self.0.as_ref()?)?;
        (question.takes_tags(entry::tags(service)) && question.takes_nodes()).then_some(service)
    }

    /// Notes that somebody has addresses of it now.
    pub(crate) fn note_answered(&self, state: &ApiState, addresses: usize) {
        if let Some(name) = self.0.as_ref().filter(|_| addresses > 0) {
            state.store.directory().asked(name);
        }
    }
}

fn registered<'a>(
    state: &ApiState,
    catalog: &Catalog,
    service: &'a ServiceState,
    instance: &'a Instance,
) -> Registered<'a> {
    let node = entry::node_of(state, catalog, instance);
    Registered {
        id: node.id,
        node: node.node,
        address: node.address,
        datacenter: node.datacenter,
        tagged_addresses: node.tagged_addresses,
        node_meta: node.meta,
        service: Service {
            service_kind: "",
            service_id: instance.id.as_str(),
            service_name: instance.service.as_str(),
            service_tags: entry::tags(service),
            service_address: instance.endpoint.ip().to_string(),
            service_tagged_addresses: entry::tagged_addresses(instance.endpoint),
            service_weights: WEIGHTS,
            service_meta: entry::meta(instance),
            service_port: instance.endpoint.port(),
            service_socket_path: "",
            service_enable_tag_override: false,
            service_proxy: Proxy::default(),
            service_connect: Nothing {},
            create_index: service.index.0,
            modify_index: service.index.0,
        },
    }
}
