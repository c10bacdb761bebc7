//! A prepared query as Consul shows it.

use std::collections::BTreeMap;

use adsum_keyspace::Entry;
use adsum_model::{PreparedQuery, QueryTemplate, ServiceQuery};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shape {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    session: String,
    token: &'static str,
    template: Template,
    service: Service,
    #[serde(rename = "DNS")]
    dns: Dns,
    create_index: u64,
    modify_index: u64,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    r#type: &'static str,
    regexp: String,
    remove_empty_tags: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    service: String,
    failover: Failover,
    only_passing: bool,
    #[serde(rename = "IgnoreCheckIDs")]
    ignored_checks: Option<Vec<String>>,
    near: String,
    tags: Option<Vec<String>>,
    node_meta: Option<BTreeMap<String, String>>,
    service_meta: Option<BTreeMap<String, String>>,
    connect: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failover {
    nearest_n: u64,
    datacenters: Option<Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct Dns {
    #[serde(rename = "TTL")]
    pub(super) ttl: String,
}

impl Shape {
    pub(super) fn of(query: PreparedQuery, entry: &Entry) -> Shape {
        Shape {
            id: query.id,
            name: query.name,
            session: query.session,
            token: "",
            template: query.template.map(template).unwrap_or_default(),
            service: service(query.service),
            dns: Dns { ttl: query.ttl },
            create_index: entry.created.0,
            modify_index: entry.modified.0,
        }
    }
}

fn template(template: QueryTemplate) -> Template {
    let QueryTemplate { regexp, remove_empty_tags } = template;
    Template { r#type: "name_prefix_match", regexp, remove_empty_tags }
}

fn service(query: ServiceQuery) -> Service {
    let list = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let map = |map: BTreeMap<String, String>| (!map.is_empty()).then_some(map);
    Service {
        service: query.service,
        failover: Failover { nearest_n: query.nearest, datacenters: list(query.datacenters) },
        only_passing: query.only_passing,
        ignored_checks: list(query.ignored_checks),
        near: query.near,
        tags: list(query.tags),
        node_meta: map(query.node_meta),
        service_meta: map(query.service_meta),
        connect: false,
    }
}
