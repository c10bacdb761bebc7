//! `/v1/catalog`: what is registered.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use adsum_catalog::Catalog;
use adsum_model::Revision;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::answer::{Refusal, json};
use super::entry::{Address, Node, Nothing, Proxy, Weights};
use super::filter;
use super::found::Found;
use super::question::Question;
use crate::ApiState;
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
    tagged_addresses: Option<BTreeMap<String, String>>,
    #[serde(rename = "NodeMeta")]
    node_meta: Option<BTreeMap<String, String>>,
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
    service_address: Cow<'a, str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    service_tagged_addresses: BTreeMap<String, Address>,
    service_weights: Weights,
    service_meta: BTreeMap<String, String>,
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
    service_name: &'a str,
    service_tags: BTreeSet<&'a String>,
}

pub(crate) async fn datacenters(State(state): State<ApiState>, query: Query) -> Response {
    json(query.asks("pretty"), &[&state.about.datacenter])
}

/// Those with an agent and those without; blocks until one comes, changes or goes.
pub(crate) async fn nodes(
    State(state): State<ApiState>,
    question: Question,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let choice = question.choice(&filter::NODE)?;
    let blocking =
        question.blocking.catalog(&state.store, question.stale, &mut closing, Catalog::nodes_index);
    let catalog = blocking.await?;
    let mut nodes = Node::all(&state, &catalog);
    nodes.retain(|node| question.takes_node(node) && choice.takes(node));
    question.sort_near(state.about.node.as_str(), &mut nodes, |node| &node.node);
    Ok(question.at(catalog.nodes_index(), json(question.pretty, &nodes)))
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
    let mut tags = tags_in_use(&state, &catalog, &question);
    tags.retain(|name, tags| choice.takes(&Named { service_name: name, service_tags: tags.clone() }));
    Ok(question.at(catalog.services_index(), json(question.pretty, &tags)))
}

/// Of a service that is wanted here it does not matter whether it has an instance.
fn tags_in_use<'a>(
    state: &ApiState,
    catalog: &'a Catalog,
    question: &Question,
) -> BTreeMap<&'a str, BTreeSet<&'a String>> {
    let mut tags: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
    if !question.asks_for_nodes() {
        let wanted = catalog.services().filter_map(|(name, service)| Some((name, service.service.as_ref()?)));
        tags.extend(wanted.map(|(name, service)| (name.as_str(), service.spec.tags.iter().collect())));
    }
    let registered = Found::all(catalog).filter(|found| matches!(found, Found::Registered(_)));
    for found in registered.filter(|found| question.takes_place(state, catalog, found)) {
        tags.entry(found.name()).or_default().extend(found.tags());
    }
    tags
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
    let found = subject.found(&state, &catalog, &question);
    let registered = found.iter().map(|found| Registered::of(&state, &catalog, found));
    let registered: Vec<Registered<'_>> = registered.filter(|registered| choice.takes(registered)).collect();
    subject.note_answered(&state, registered.len());
    Ok(question.at(subject.index(&catalog), json(question.pretty, &registered)))
}

pub(crate) async fn no_name() -> Refusal {
    Refusal::bad("Missing service name")
}

/// A service that is asked for.
pub(crate) struct Subject(String);

impl Subject {
    pub(crate) fn new(text: &str) -> Subject {
        Subject(text.to_string())
    }

    pub(crate) fn index(&self, catalog: &Catalog) -> Revision {
        catalog.index_of(&self.0)
    }

    /// Waits until it is newer than asked for.
    pub(crate) async fn catalog(
        &self,
        state: &ApiState,
        question: &Question,
        closing: &mut Closing,
    ) -> Result<std::sync::Arc<Catalog>, Refusal> {
        Ok(question.blocking.service(&state.store, question.stale, closing, &self.0).await?)
    }

    /// Where it is offered, as far as tags and nodes are those asked for.
    pub(crate) fn found<'a>(
        &self,
        state: &ApiState,
        catalog: &'a Catalog,
        question: &Question,
    ) -> Vec<Found<'a>> {
        let mut found = Found::named(catalog, &self.0);
        found
            .retain(|found| question.takes_tags(found.tags()) && question.takes_place(state, catalog, found));
        question.sort_near(state.about.node.as_str(), &mut found, |found| found.node());
        found
    }

    /// Notes that somebody has addresses of it now.
    pub(crate) fn note_answered(&self, state: &ApiState, addresses: usize) {
        if let Ok(name) = self.0.parse()
            && addresses > 0
        {
            state.store.directory().asked(&name);
        }
    }
}

impl Question {
    /// Whether its node is meant.
    fn takes_place(&self, state: &ApiState, catalog: &Catalog, found: &Found<'_>) -> bool {
        !self.asks_for_nodes() || self.takes_node(&Node::of(state, catalog, found))
    }
}

impl<'a> Registered<'a> {
    fn of(state: &ApiState, catalog: &Catalog, found: &Found<'a>) -> Registered<'a> {
        let node = Node::of(state, catalog, found);
        Registered {
            id: node.id,
            node: node.node,
            address: node.address,
            datacenter: node.datacenter,
            tagged_addresses: node.tagged_addresses,
            node_meta: node.meta,
            service: Service::of(found),
        }
    }
}

impl<'a> Service<'a> {
    fn of(found: &Found<'a>) -> Service<'a> {
        let [create_index, modify_index] = found.indexes();
        Service {
            service_kind: "",
            service_id: found.id(),
            service_name: found.name(),
            service_tags: found.tags(),
            service_address: found.address(),
            service_tagged_addresses: found.tagged_addresses(),
            service_weights: Weights::of(found),
            service_meta: found.meta(),
            service_port: found.port(),
            service_socket_path: "",
            service_enable_tag_override: found.enable_tag_override(),
            service_proxy: Proxy::default(),
            service_connect: Nothing {},
            create_index,
            modify_index,
        }
    }
}
