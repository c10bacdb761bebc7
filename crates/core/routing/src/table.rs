//! The route table: everything that decides where a request goes, as of one routing revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Name, Protocol, Revision, Target, Upstream};

use crate::asked::{Asked, Entrance};
use crate::found::{Action, Found, Redirect};
use crate::pool::{Member, Pool};
use crate::problem::Problem;
use crate::redirect;
use crate::route::RouteEntry;
use crate::routes::{Choice, Routes};
use crate::wish;

/// Made whole, swapped whole, never changed.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The routing revision of the catalog it was made from.
    pub revision: Revision,
    /// By service, of all that have a record or an instance.
    pub pools: BTreeMap<Name, Arc<Pool>>,
    /// What is wrong with routes and ports, and what became of it. Sorted.
    pub problems: Vec<Problem>,
    pub(crate) routes: Arc<Routes>,
    /// As of which change of a service its pool was made; nothing is known of a pool that was read from disk.
    indices: BTreeMap<Name, Revision>,
}

impl Table {
    /// Made from the catalog alone. Pools that are as they were in `previous` are taken over from it, so that
    /// `Arc::ptr_eq` says that nothing has changed.
    pub fn build(catalog: &Catalog, previous: Option<&Table>) -> Table {
        let pools = catalog.services();
        let pools = pools.map(|(name, state)| (name.clone(), pool(catalog, name, state, previous)));
        let mut table = Table::of(catalog.routing_revision(), pools.collect(), routes(catalog, previous));
        table.indices = catalog.services().map(|(name, state)| (name.clone(), state.index)).collect();
        table
    }

    /// The same without some members: for when less is there than is on record. Pools that have none of them are taken
    /// over.
    pub fn without(&self, gone: impl Fn(&Member) -> bool) -> Table {
        let pools = self.pools.iter().map(|(name, pool)| {
            let all = !pool.members.iter().any(&gone);
            (name.clone(), if all { pool.clone() } else { Arc::new(pool.without(&gone)) })
        });
        // A pool that is less than its service's says nothing of what the next table's has to be.
        Table { pools: pools.collect(), indices: BTreeMap::new(), ..self.clone() }
    }

    pub(crate) fn of(revision: Revision, pools: BTreeMap<Name, Arc<Pool>>, routes: Arc<Routes>) -> Table {
        let mut table = Table { revision, pools, routes, ..Table::default() };
        table.problems = [table.routes.problems.clone(), table.ports_of_instances()].concat();
        table.problems.sort();
        table
    }

    /// The route that has the request. `lot` decides where chance does: between routes that share their requests, and
    /// between instances that a client may be sent to.
    pub fn find(&self, entrance: Entrance, request: &Asked<'_>, lot: u64) -> Option<Found<'_>> {
        let route = match entrance {
            Entrance::Gateway => self.chosen(self.routes.find(request)?, lot),
            Entrance::Port(port) => {
                &self.routes.ports.get(&port).filter(|port| port.publish.protocol == Protocol::Http)?.entry
            }
        };
        let service = (&route.service, self.pools.get(&route.service));
        let (action, (service, pool)) = match &route.target {
            Target::Service => (Action::Forward, service),
            Target::RedirectToInstance { service: pattern } => {
                let (action, named) = self.redirected(pattern, route, request, lot.rotate_left(32));
                (action, named.map_or((service.0, None), |(name, pool)| (name, Some(pool))))
            }
        };
        Some(Found { route, service, pool, action, rewrite: &route.rewrite })
    }

    /// The published ports, to be listened on.
    pub fn ports(&self) -> impl Iterator<Item = (u16, Protocol)> {
        self.routes.ports.values().map(|port| (port.publish.port, port.publish.protocol))
    }

    /// Whose a published port is.
    pub fn publisher(&self, port: u16) -> Option<&Name> {
        self.routes.ports.get(&port).map(|port| &port.entry.service)
    }

    /// Where the connections of a port go that is not HTTP.
    pub fn tcp(&self, port: u16) -> Option<&Arc<Pool>> {
        let port = self.routes.ports.get(&port).filter(|port| port.publish.protocol == Protocol::Tcp)?;
        self.pools.get(&port.entry.service)
    }

    /// All routes on the gateway's own addresses, by service.
    pub fn routes(&self) -> impl Iterator<Item = &RouteEntry> {
        self.routes.entries.iter()
    }

    /// Of routes that share their requests, the one that the lot falls on. One that could not answer leaves its share
    /// to those that can; without a share nobody gets anything unless nobody has one.
    fn chosen(&self, choice: &Choice, lot: u64) -> &RouteEntry {
        let oldest = &self.routes.entries[choice.entries[0]];
        if !choice.shares {
            return oldest;
        }
        let entries = choice.entries.iter().map(|entry| &self.routes.entries[*entry]);
        let shares = entries.map(|entry| (entry, u64::from(entry.weight.unwrap_or(0))));
        let answering = shares.clone().filter(|(entry, _)| self.answers(entry));
        drawn(answering, lot).or_else(|| drawn(shares, lot)).unwrap_or(oldest)
    }

    fn answers(&self, entry: &RouteEntry) -> bool {
        match &entry.target {
            Target::Service => self.pools.get(&entry.service).is_some_and(|pool| pool.answers()),
            Target::RedirectToInstance { .. } => true,
        }
    }

    fn redirected<'t>(
        &'t self,
        pattern: &str,
        route: &RouteEntry,
        request: &Asked<'_>,
        lot: u64,
    ) -> (Action<'t>, Option<(&'t Name, &'t Arc<Pool>)>) {
        let resolved = redirect::resolve(pattern, &route.rule, request.path);
        let known = resolved.and_then(|(name, rest)| Some((self.pools.get_key_value(name.as_str())?, rest)));
        let Some((named, rest)) = known else { return (Action::UnknownService, None) };
        let pool = named.1;
        let action = pool.drawn(lot).map_or(Action::NoInstance, |member| {
            let tls = matches!(member.upstream, Upstream::Https(_));
            Action::Redirect(Redirect { member, tls, path: rest.to_string() })
        });
        (action, Some(named))
    }

    /// Published ports that an instance has for itself.
    fn ports_of_instances(&self) -> Vec<Problem> {
        if self.routes.ports.is_empty() {
            return Vec::new();
        }
        let members =
            self.pools.values().flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
        let problem = members.filter_map(|(pool, member)| {
            let port = member.endpoint.port();
            let service = self.publisher(port)?.clone();
            let (instance, owner) = (member.instance.clone(), pool.service.clone());
            Some(Problem::PortOfInstance { port, service, instance, owner })
        });
        problem.collect()
    }
}

/// The item on whose share the lot falls; none when nobody has a share.
pub(crate) fn drawn<T>(mut shares: impl Iterator<Item = (T, u64)> + Clone, lot: u64) -> Option<T> {
    let total: u64 = shares.clone().map(|(_, share)| share).sum();
    let mut number = lot.checked_rem(total)?;
    shares.find_map(|(item, share)| {
        let rest = number.checked_sub(share);
        number = rest.unwrap_or(number);
        rest.is_none().then_some(item)
    })
}

/// Made only when something has changed, and new only when the pool has.
fn pool(catalog: &Catalog, name: &Name, state: &ServiceState, previous: Option<&Table>) -> Arc<Pool> {
    let before = previous.and_then(|previous| previous.pools.get(name));
    let index = previous.and_then(|previous| previous.indices.get(name));
    if let (Some(before), true) = (before, index == Some(&state.index)) {
        return before.clone();
    }
    let made = Pool::of(catalog, name, state);
    let same = before.filter(|before| ***before == made).cloned();
    same.unwrap_or_else(|| Arc::new(made))
}

/// Ranking and reviewing routes costs more than all else here, and hardly ever anything changes.
fn routes(catalog: &Catalog, previous: Option<&Table>) -> Arc<Routes> {
    match previous {
        Some(previous) if wish::seen(catalog).eq(previous.routes.wishes.iter()) => previous.routes.clone(),
        _ => Arc::new(Routes::of(wish::seen(catalog).map(|seen| seen.to_wish()).collect())),
    }
}
