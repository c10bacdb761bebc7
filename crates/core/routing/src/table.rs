//! The route table: everything that decides where a request goes, as of one routing revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Name, Protocol, Revision, Rule, Target};

use crate::asked::{Asked, Entrance};
use crate::found::{Action, Found};
use crate::path;
use crate::pool::Pool;
use crate::route::RouteEntry;

/// Made whole, swapped whole, never changed.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The routing revision of the catalog it was made from.
    pub revision: Revision,
    /// By service, of all that have a record or an instance.
    pub pools: BTreeMap<Name, Arc<Pool>>,
    routes: Vec<RouteEntry>,
    ports: BTreeMap<u16, (Protocol, RouteEntry)>,
}

impl Table {
    /// Made from the catalog alone. Pools that are as they were in `previous` are taken over from it, so that
    /// `Arc::ptr_eq` says that nothing has changed.
    pub fn build(catalog: &Catalog, previous: Option<&Table>) -> Table {
        let pools =
            catalog.services().map(|(name, state)| (name.clone(), pool(name, state, previous))).collect();
        let mut table = Table { revision: catalog.routing_revision(), pools, ..Table::default() };
        for (name, state) in catalog.services() {
            table.add_routes(name, state);
        }
        table.routes.sort_by_key(|route| std::cmp::Reverse(route.priority));
        table
    }

    /// The route that has the request. `lot` decides where chance does: between routes that share their requests, and
    /// between instances that a client may be sent to.
    pub fn find(&self, entrance: Entrance, request: &Asked<'_>, _lot: u64) -> Option<Found<'_>> {
        let route = match entrance {
            Entrance::Gateway => self.routes.iter().find(|route| matches(&route.rule, request))?,
            Entrance::Port(port) => &self.ports.get(&port)?.1,
        };
        let pool = self.pools.get(&route.service);
        let action = Action::Forward;
        Some(Found { route, service: &route.service, pool, action, rewrite: &route.rewrite })
    }

    /// The published ports, to be listened on.
    pub fn ports(&self) -> impl Iterator<Item = (u16, Protocol)> {
        self.ports.iter().map(|(port, (protocol, _))| (*port, *protocol))
    }

    /// Where the connections of a port go that is not HTTP.
    pub fn tcp(&self, port: u16) -> Option<&Arc<Pool>> {
        let (protocol, route) = self.ports.get(&port)?;
        if *protocol == Protocol::Tcp { self.pools.get(&route.service) } else { None }
    }

    fn add_routes(&mut self, name: &Name, state: &ServiceState) {
        let Some(service) = state.service.as_ref().filter(|service| !service.removed) else { return };
        let routing = &service.spec.routing;
        for (at, route) in routing.routes.iter().enumerate() {
            let own = route.name.as_ref().map_or_else(|| (at + 1).to_string(), Name::to_string);
            self.routes.push(RouteEntry {
                service: name.clone(),
                label: format!("{name}/{own}"),
                rule: route.rule.clone(),
                priority: route.priority,
                weight: route.weight,
                rewrite: route.rewrite.clone(),
                target: route.target.clone(),
            });
        }
        for publish in &routing.publish {
            let route = RouteEntry {
                service: name.clone(),
                label: format!("{name}/:{}", publish.port),
                rule: Rule::PathPrefix("/".to_string()),
                priority: 0,
                weight: None,
                rewrite: Default::default(),
                target: Target::Service,
            };
            self.ports.entry(publish.port).or_insert((publish.protocol, route));
        }
    }
}

fn pool(name: &Name, state: &ServiceState, previous: Option<&Table>) -> Arc<Pool> {
    let made = Pool::of(name, state);
    match previous.and_then(|previous| previous.pools.get(name)) {
        Some(before) if **before == made => before.clone(),
        _ => Arc::new(made),
    }
}

fn matches(rule: &Rule, request: &Asked<'_>) -> bool {
    match rule {
        Rule::All(rules) => rules.iter().all(|rule| matches(rule, request)),
        Rule::Any(rules) => rules.iter().any(|rule| matches(rule, request)),
        Rule::Not(rule) => !matches(rule, request),
        Rule::Host(host) => host == request.host,
        Rule::Path(path) => path == request.path,
        Rule::PathPrefix(prefix) => path::is_under(prefix, request.path),
        Rule::Header { name, value } => request.headers.get_all(name).iter().any(|found| found == value),
        Rule::Method(method) => request.method == method.as_str(),
    }
}
