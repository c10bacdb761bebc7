//! The places that answer a query.

use std::collections::BTreeMap;
use std::sync::Arc;

use adsum_catalog::{Catalog, Dated, ServiceState};
use adsum_model::registered::{self, Status};
use adsum_model::{Health, Instance, Name, Phase, ServiceQuery};

/// One of them: it runs here, or a client has registered it.
#[derive(Clone, Copy)]
pub enum Chosen<'a> {
    Run(&'a ServiceState, &'a Arc<Instance>),
    Registered(&'a Arc<Dated<registered::Service>>),
}

/// Those that are not critical, or that are routable when only these are wanted, with all that is asked of them.
pub fn instances<'a>(catalog: &'a Catalog, query: &ServiceQuery) -> Vec<Chosen<'a>> {
    let registered = catalog.registry().named(&query.service);
    let registered = registered.filter(|service| fits(catalog, service, query)).map(Chosen::Registered);
    run(catalog, query).into_iter().chain(registered).collect()
}

fn run<'a>(catalog: &'a Catalog, query: &ServiceQuery) -> Vec<Chosen<'a>> {
    let service = query.service.parse::<Name>().ok().and_then(|name| catalog.service(&name));
    let tags = |service: &'a ServiceState| service.service.as_ref().map_or(&[][..], |known| &known.spec.tags);
    let service = service.map(|service| &**service).filter(|service| has_tags(tags(service), &query.tags));
    // Our nodes carry no metadata of their own.
    let Some(service) = service.filter(|_| has_meta(&BTreeMap::new(), &query.node_meta)) else {
        return Vec::new();
    };
    let node_is_well =
        |instance: &Instance| catalog.registry().node_status(instance.node.as_str()) != Status::Critical;
    let fit = service.live().filter(|instance| {
        is_well(instance, query) && node_is_well(instance) && has_meta(&meta(instance), &query.service_meta)
    });
    fit.map(|instance| Chosen::Run(service, instance)).collect()
}

fn fits(catalog: &Catalog, service: &registered::Service, query: &ServiceQuery) -> bool {
    let node = catalog.registry().node(&service.node);
    let no_meta = BTreeMap::new();
    let node_meta = node.map_or(&no_meta, |node| &node.record.meta);
    let is_well = match status(catalog, service, &query.ignored_checks) {
        Status::Passing => true,
        Status::Warning => !query.only_passing,
        Status::Critical => false,
    };
    is_well
        && has_tags(&service.tags, &query.tags)
        && has_meta(&service.meta, &query.service_meta)
        && has_meta(node_meta, &query.node_meta)
}

/// The worst of its checks and of its node's, those left out that are not to count.
fn status(catalog: &Catalog, service: &registered::Service, ignored: &[String]) -> Status {
    if ignored.is_empty() {
        return catalog.registry().status(service);
    }
    let own = catalog.registry().checks_of(&service.node, &service.id);
    let all = own.chain(catalog.registry().checks_of(&service.node, ""));
    let counted = all.filter(|check| !ignored.contains(&check.record.id));
    counted.map(|check| check.record.status).max().unwrap_or(Status::Passing)
}

fn has_tags(tags: &[String], wanted: &[String]) -> bool {
    let has = |wanted: &str| tags.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
    wanted.iter().all(|tag| match tag.strip_prefix('!') {
        Some(unwanted) => !has(unwanted),
        None => has(tag),
    })
}

fn has_meta(meta: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    let own = |key: &str| meta.get(key).map_or("", String::as_str);
    wanted.iter().all(|(key, value)| own(key) == value)
}

/// What is told of an instance.
fn meta(instance: &Instance) -> BTreeMap<String, String> {
    let told = [("version", instance.version), ("slot", instance.slot)];
    told.map(|(key, value)| (key.to_string(), value.to_string())).into()
}

fn is_well(instance: &Instance, query: &ServiceQuery) -> bool {
    let check = format!("service:{}", instance.id);
    let is_ignored = query.ignored_checks.contains(&check);
    match instance.health {
        _ if is_ignored => true,
        Health::Passing => instance.is_routable() || !query.only_passing,
        Health::Warning => instance.phase == Phase::Running && !query.only_passing,
        Health::Starting | Health::Critical | Health::Draining | Health::Maintenance => false,
    }
}
