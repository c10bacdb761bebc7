//! A prepared query as clients send it.

use std::collections::BTreeMap;

use adsum_model::{PreparedQuery, QueryTemplate, ServiceQuery};
use axum::body::Body;
use serde_json::Value;

use crate::consul::answer::Refusal;
use crate::consul::given::{self, Given};
use crate::limits;

pub(super) async fn read(body: Body, id: String) -> Result<PreparedQuery, Refusal> {
    let given = Given::of(given::value(body, limits::QUERY).await?)?;
    Ok(PreparedQuery {
        id,
        name: given.text("Name")?,
        session: given.text("Session")?,
        template: template(&given)?,
        service: service(&given.object("Service")?.unwrap_or_default())?,
        ttl: given.object("DNS")?.unwrap_or_default().text("TTL")?,
    })
}

fn template(given: &Given) -> Result<Option<QueryTemplate>, Refusal> {
    let Some(template) = given.object("Template")? else { return Ok(None) };
    match template.text("Type")?.as_str() {
        "" => Ok(None),
        "name_prefix_match" => Ok(Some(QueryTemplate {
            regexp: template.text("Regexp")?,
            remove_empty_tags: template.flag("RemoveEmptyTags")?,
        })),
        other => Err(Refusal::failed(format!("Invalid prepared query: Bad Template.Type '{other}'"))),
    }
}

fn service(given: &Given) -> Result<ServiceQuery, Refusal> {
    let failover = given.object("Failover")?.unwrap_or_default();
    if given.flag("Connect")? {
        let text = "Invalid prepared query: Connect is not there: leave it out";
        return Err(Refusal::failed(text));
    }
    Ok(ServiceQuery {
        service: given.text("Service")?,
        nearest: failover.number("NearestN")?,
        datacenters: failover.texts("Datacenters")?.unwrap_or_default(),
        only_passing: given.flag("OnlyPassing")?,
        ignored_checks: given.texts("IgnoreCheckIDs")?.unwrap_or_default(),
        near: given.text("Near")?,
        tags: given.texts("Tags")?.unwrap_or_default(),
        node_meta: meta(given, "NodeMeta")?,
        service_meta: meta(given, "ServiceMeta")?,
    })
}

fn meta(given: &Given, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let Some(object) = given.object(name)? else { return Ok(BTreeMap::new()) };
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_string()));
    let pairs: Option<BTreeMap<String, String>> = object.fields().map(pair).collect();
    pairs.ok_or_else(|| Refusal::bad(format!("Request decode failed: '{name}' has a value that is no text")))
}
