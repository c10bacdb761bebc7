//! Which instances answer a query.

use std::sync::Arc;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Health, Instance, Name, Phase, ServiceQuery};

/// An instance with the service that it is of.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    pub service: &'a ServiceState,
    pub instance: &'a Arc<Instance>,
}

/// Those that are not critical, or that are routable when only these are wanted, with all that is asked of them.
pub fn instances<'a>(catalog: &'a Catalog, query: &ServiceQuery) -> Vec<Chosen<'a>> {
    let service = query.service.parse::<Name>().ok().and_then(|name| catalog.service(&name));
    let Some(service) = service.filter(|service| has_tags(service, &query.tags)) else { return Vec::new() };
    if query.node_meta.values().any(|value| !value.is_empty()) {
        // Nodes carry no metadata of their own.
        return Vec::new();
    }
    let fit = service.live().filter(|instance| is_well(instance, query) && has_meta(instance, query));
    fit.map(|instance| Chosen { service, instance }).collect()
}

fn has_tags(service: &ServiceState, wanted: &[String]) -> bool {
    let tags = service.service.as_ref().map_or(&[][..], |service| &service.spec.tags);
    let has = |wanted: &str| tags.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
    wanted.iter().all(|tag| match tag.strip_prefix('!') {
        Some(unwanted) => !has(unwanted),
        None => has(tag),
    })
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

fn has_meta(instance: &Instance, query: &ServiceQuery) -> bool {
    query.service_meta.iter().all(|(key, value)| match key.as_str() {
        "version" => instance.version.to_string() == *value,
        "slot" => instance.slot.to_string() == *value,
        _ => false,
    })
}
