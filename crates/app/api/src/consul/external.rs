//! `PUT /v1/catalog/register` and `/deregister`: nodes, services and checks that no agent looks after. What is told of
//! them is what holds.

use std::collections::BTreeMap;

use adsum_catalog::register::{self, Told};
use adsum_keyspace::Transaction;
use adsum_model::registered::{Check, Node, Service, Status};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::answer::{Refusal, json};
use super::commit::commit;
use super::definition::bounds;
use super::fields::Fields;
use super::service::refuse_growth;
use super::{definition, entry};
use crate::ApiState;
use crate::query::Query;

/// A node, a service there, checks of both.
pub(crate) async fn register(
    State(state): State<ApiState>,
    query: Query,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body).await?;
    check_datacenter(&fields, &state.about.datacenter)?;
    let told = told(&state, &fields).await?;
    let name = fields.text("Node")?;
    refuse_growth(&state)?;
    let told = commit(&state, |tx| {
        // Nobody tells of what is on a node that nobody has told of.
        if told.node.is_none() && (told.service.is_some() || !told.checks.is_empty()) {
            register::expect_node(tx, &name)?;
        }
        register::tell(tx, told)
    });
    told.await??;
    Ok(json(query.asks("pretty"), &true))
}

/// A service or a check of a node, or the node with all that it has.
pub(crate) async fn deregister(
    State(state): State<ApiState>,
    query: Query,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body).await?;
    check_datacenter(&fields, &state.about.datacenter)?;
    let node = fields.text("Node")?;
    if node.is_empty() {
        return Err(Refusal::failed("Must provide node"));
    }
    let (service, check) = (fields.text("ServiceID")?, fields.text("CheckID")?);
    // Whether there is more.
    let remove = |tx: &mut Transaction<'_>| match (service.is_empty(), check.is_empty()) {
        (false, _) => register::deregister_service(tx, &node, &service).more,
        (true, false) => {
            register::deregister_check(tx, &node, &check);
            false
        }
        (true, true) => register::deregister_node(tx, &node),
    };
    while commit(&state, remove).await? {}
    Ok(json(query.asks("pretty"), &true))
}

fn check_datacenter(fields: &Fields, own: &str) -> Result<(), Refusal> {
    match fields.text("Datacenter")? {
        other if !other.is_empty() && other != own => Err(Refusal::failed("No path to datacenter")),
        _ => Ok(()),
    }
}

async fn told(state: &ApiState, fields: &Fields) -> Result<Told, Refusal> {
    let name = fields.text("Node")?;
    if name.is_empty() {
        return Err(Refusal::failed("Must provide node"));
    }
    let service = service(&name, &fields.object("Service")?)?;
    let single = fields.object("Check")?;
    let mut checks = fields.objects("Checks")?;
    checks.extend((!single.is_empty()).then_some(single));
    bounds::checks(checks.len())?;
    let checks = checks.iter().map(|fields| check(&name, service.as_ref(), fields));
    let checks = checks.collect::<Result<_, Refusal>>()?;
    Ok(Told { node: other_node(state, name, fields).await?, service, checks })
}

/// None when it is not to be changed: it is said so, or it has an agent that knows better.
async fn other_node(state: &ApiState, name: String, fields: &Fields) -> Result<Option<Node>, Refusal> {
    if fields.flag("SkipNodeUpdate")? == Some(true) {
        return Ok(None);
    }
    let node = node(name, "NodeMeta", fields)?;
    let has_agent = entry::is_own(&*state.store.catalog().await?, &node.name);
    Ok(Some(node).filter(|_| !has_agent))
}

/// A node as it is told of; where its metadata is depends on who tells.
pub(super) fn node(name: String, meta: &str, fields: &Fields) -> Result<Node, Refusal> {
    let address = fields.text("Address")?;
    if address.is_empty() {
        return Err(Refusal::failed("Must provide address if SkipNodeUpdate is not set"));
    }
    let tagged_addresses: BTreeMap<String, String> = fields.map("TaggedAddresses")?;
    let (id, meta) = (fields.text("ID")?, fields.map(meta)?);
    let node = Node { name, id, address, tagged_addresses, meta };
    bounds::node(&node)?;
    Ok(node)
}

pub(super) fn service(node: &str, fields: &Fields) -> Result<Option<Service>, Refusal> {
    if fields.is_empty() {
        return Ok(None);
    }
    let (id, name) = (fields.text("ID")?, fields.text("Service")?);
    let (id, name) = match (id.is_empty(), name.is_empty()) {
        (_, true) => return Err(Refusal::failed("Must provide service name with ID")),
        (true, false) => (name.clone(), name),
        (false, false) => (id, name),
    };
    definition::described(node, id, name, fields).map(Some)
}

pub(super) fn check(node: &str, service: Option<&Service>, fields: &Fields) -> Result<Check, Refusal> {
    let other = fields.text("Node")?;
    if !other.is_empty() && !other.eq_ignore_ascii_case(node) {
        let text = format!("check node '{other}' does not match the node '{node}' of the request");
        return Err(Refusal::failed(text));
    }
    let name = fields.text("Name")?;
    let id = fields.text_of(&["CheckID", "ID"])?;
    let id = if id.is_empty() { name.clone() } else { id };
    if id.is_empty() {
        return Err(Refusal::failed("Must provide a check ID or name"));
    }
    let of = fields.text("ServiceID")?;
    let by_name = fields.text("ServiceName")?;
    let of_this = service.filter(|service| of.is_empty() && service.service == by_name);
    let word = fields.text("Status")?;
    let status = if word.is_empty() { Some(Status::Critical) } else { Status::of(&word) };
    let status = status.ok_or_else(|| Refusal::failed(format!("Invalid check status: '{word}'")))?;
    let check = Check {
        node: node.to_string(),
        id,
        name,
        notes: fields.text("Notes")?,
        service: of_this.map_or(of, |service| service.id.clone()),
        status,
        output: adsum_catalog::checks::cut(fields.text("Output")?),
        recipe: fields.json("Definition")?,
        ..Check::default()
    };
    bounds::check(&check)?;
    Ok(check)
}
