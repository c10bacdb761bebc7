//! Everything that is registered, as of one revision.

use std::sync::Arc;

use adsum_keyspace::{Change, Commit, Database, Entry, Keys, Op, Tree, Value};
use adsum_model::{
    Event, Instance, InstanceId, Name, Node, PreparedQuery, Revision, Rollout, Service, Version, registered,
};
use serde::de::DeserializeOwned;

use crate::records::{Subject, decode};
use crate::registry::{Dated, Key, Registry};

/// A clone is a few references: whoever answers a question takes one and reads on without a lock.
#[derive(Clone, Default)]
pub struct Catalog {
    revision: Revision,
    nodes: Tree<Name, Arc<Node>>,
    services: Tree<Name, Arc<ServiceState>>,
    versions: Tree<(Name, u32), Arc<Version>>,
    rollouts: Tree<(Name, u32), Arc<Rollout>>,
    /// What is known of an instance beside its record.
    owners: Tree<InstanceId, Owner>,
    events: Tree<String, Arc<Event>>,
    registry: Registry,
    /// Of the last change of a node's record.
    nodes_index: Revision,
    queries: Tree<String, Arc<PreparedQuery>>,
    /// Of the last change of the set of services or of their tags.
    services_index: Revision,
    /// Of the last change of anything that decides where requests go.
    routing: Revision,
    /// Of the last removal of anything that had an index of its own.
    removals: Revision,
}

/// Which service an instance belongs to, for changes that name the instance alone.
#[derive(Clone)]
struct Owner {
    service: Name,
    /// Of the last change of what decides whether requests go to it.
    routed: Revision,
}

/// A service with its instances. It may have instances and no record (the record went first), or the reverse.
#[derive(Clone, Default)]
pub struct ServiceState {
    pub service: Option<Service>,
    /// In order of slot, then age.
    pub instances: Vec<Arc<Instance>>,
    /// Of the last change of anything here.
    pub index: Revision,
}

impl ServiceState {
    /// Those of one slot.
    pub fn slot(&self, number: u32) -> &[Arc<Instance>] {
        let start = self.instances.partition_point(|instance| instance.slot < number);
        let end = self.instances.partition_point(|instance| instance.slot <= number);
        &self.instances[start..end]
    }

    /// Those that are found by name and get traffic.
    pub fn routable(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.iter().filter(|instance| instance.is_routable())
    }

    /// Those that are not over.
    pub fn live(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.iter().filter(|instance| !instance.phase.is_final())
    }
}

impl Catalog {
    /// Reads the whole system space. Every index is that of the whole: nobody knows any more what changed before, and no
    /// index may go back.
    pub fn load(keys: &Keys, revision: Revision) -> Catalog {
        let mut catalog = Catalog::at(revision);
        for (key, entry) in keys.iter() {
            catalog.put(Subject::of(key), entry, revision);
        }
        catalog.revision = revision;
        catalog
    }

    /// Empty, and of everything that was there it is only known that it may have changed.
    fn at(revision: Revision) -> Catalog {
        Catalog {
            registry: Registry::at(revision),
            nodes_index: revision,
            removals: revision,
            services_index: revision,
            routing: revision,
            ..Catalog::default()
        }
    }

    /// Takes in a commit; commits come in order.
    pub fn apply(&mut self, commit: &Commit) {
        for change in commit.changes.iter().filter(|change| change.database == Database::System) {
            self.apply_change(change, commit.revision);
        }
        self.revision = commit.revision;
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().map(|(_, node)| node)
    }

    pub fn node(&self, name: &Name) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// Of a node with an agent or without: an address, or the name of one.
    pub fn address_of(&self, node: &str) -> Option<String> {
        let own = node.parse::<Name>().ok().and_then(|name| self.node(&name));
        let own = own.map(|node| node.address.to_string());
        own.or_else(|| self.registry.node(node).map(|node| node.address.clone()))
    }

    /// All services that have a record or an instance, by name.
    pub fn services(&self) -> impl Iterator<Item = (&Name, &Arc<ServiceState>)> {
        self.services.iter()
    }

    /// The services whose name begins with `prefix`.
    pub fn services_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Arc<ServiceState>)> {
        self.services.iter_from(prefix).take_while(move |(name, _)| name.as_str().starts_with(prefix))
    }

    pub fn service(&self, name: &Name) -> Option<&Arc<ServiceState>> {
        self.services.get(name)
    }

    pub fn version(&self, service: &Name, number: u32) -> Option<&Arc<Version>> {
        self.versions.get(&(service.clone(), number))
    }

    /// Those of a service that are kept, oldest first.
    pub fn versions<'a>(&'a self, service: &'a Name) -> impl Iterator<Item = &'a Arc<Version>> {
        let of_service = self.versions.iter_from(&(service.clone(), 0));
        of_service.map(|(_, version)| version).take_while(move |version| version.service == *service)
    }

    pub fn rollout(&self, service: &Name, number: u32) -> Option<&Arc<Rollout>> {
        self.rollouts.get(&(service.clone(), number))
    }

    /// Those of a service that are kept, oldest first.
    pub fn rollouts<'a>(&'a self, service: &'a Name) -> impl Iterator<Item = &'a Arc<Rollout>> {
        let of_service = self.rollouts.iter_from(&(service.clone(), 0));
        of_service.map(|(_, rollout)| rollout).take_while(move |rollout| rollout.service == *service)
    }

    pub fn instance(&self, id: &InstanceId) -> Option<&Arc<Instance>> {
        let service = self.services.get(&self.owners.get(id)?.service)?;
        service.instances.iter().find(|instance| instance.id == *id)
    }

    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.services.iter().flat_map(|(_, state)| &state.instances)
    }

    /// The event log with the ids of its entries, oldest first.
    pub fn events(&self) -> impl Iterator<Item = (&String, &Arc<Event>)> {
        self.events.iter()
    }

    /// What clients have registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All prepared queries, by their ids.
    pub fn queries(&self) -> impl Iterator<Item = &Arc<PreparedQuery>> {
        self.queries.iter().map(|(_, query)| query)
    }

    pub fn query(&self, id: &str) -> Option<&Arc<PreparedQuery>> {
        self.queries.get(id)
    }

    /// The revision at which what is known of a service last changed; never 0, and never going back, for a service
    /// that is unknown too.
    pub fn index(&self, service: &Name) -> Revision {
        self.index_of(service.as_str())
    }

    /// The same for a name that is none of ours, perhaps.
    pub fn index_of(&self, service: &str) -> Revision {
        let own = self.services.get(service).map(|state| state.index);
        let known = own.max(self.registry.index(service));
        let known = known.unwrap_or(self.removals.max(self.registry.removals()));
        known.max(self.registry.nodes_index()).max(Revision(1))
    }

    /// The same for all services under a prefix, of those that run here.
    pub fn index_under(&self, prefix: &str) -> Revision {
        let newest = self.services_under(prefix).map(|(_, state)| state.index).max();
        newest.unwrap_or_default().max(self.removals).max(Revision(1))
    }

    /// The same for everything that runs here or is registered.
    pub fn index_of_all(&self) -> Revision {
        self.index_under("").max(self.registry.changed()).max(self.nodes_index())
    }

    /// The revision at which the set of services or one's tags last changed.
    pub fn services_index(&self) -> Revision {
        self.services_index.max(self.registry.services_index()).max(Revision(1))
    }

    /// The revision at which a node last came, changed or went.
    pub fn nodes_index(&self) -> Revision {
        self.nodes_index.max(self.registry.nodes_index()).max(Revision(1))
    }

    /// The routing revision: that of the last commit that changed where requests go. Whoever routes says up to which
    /// routing revision it has done so, and all other commits (events, restarts, reasons) leave it in peace.
    pub fn routing_revision(&self) -> Revision {
        self.routing.max(Revision(1))
    }

    /// The routing revision from which on requests go to the instance, or do not, as its record says now.
    pub fn routed_since(&self, id: &InstanceId) -> Revision {
        self.owners.get(id).map_or(self.routing, |owner| owner.routed).max(Revision(1))
    }

    fn apply_change(&mut self, change: &Change, revision: Revision) {
        let subject = Subject::of(&change.key);
        match &change.op {
            Op::Put { value: value @ Value::String(_), deadline, .. } => {
                let entry = Entry {
                    value: value.clone(),
                    created: revision,
                    modified: revision,
                    deadline: *deadline,
                };
                self.put(subject, &entry, revision);
            }
            Op::Delete => self.delete(subject, revision),
            // Records are strings.
            Op::Put { .. } | Op::SetDeadline(_) | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => {}
            Op::Clear => *self = Catalog::at(revision),
        }
    }

    fn put(&mut self, subject: Subject, entry: &Entry, revision: Revision) {
        match subject {
            Subject::Node(name) => {
                self.nodes_index = self.nodes_index.max(revision);
                self.nodes.insert(name, Arc::new(decode(entry)));
            }
            Subject::ExternalNode(name) => self.registry.put_node(name, dated(entry)),
            Subject::Registered(key) => self.put_registered(key, dated(entry)),
            Subject::Check(key) => self.registry.put_check(key, dated(entry)),
            Subject::Service(name) => self.put_service(name, decode(entry), revision),
            Subject::Version(service, number) => {
                self.versions.insert((service, number), Arc::new(decode(entry)));
            }
            Subject::Rollout(service, number) => {
                self.touch(&service, revision);
                self.rollouts.insert((service, number), Arc::new(decode(entry)));
            }
            Subject::Instance(id) => self.put_instance(id, decode(entry), revision),
            Subject::Event(id) => {
                self.events.insert(id, Arc::new(decode(entry)));
            }
            Subject::Query(id) => {
                self.queries.insert(id, Arc::new(decode(entry)));
            }
            Subject::Other => {}
        }
    }

    fn delete(&mut self, subject: Subject, revision: Revision) {
        match subject {
            Subject::Node(name) => {
                self.nodes_index = revision;
                self.nodes.remove(&name);
            }
            Subject::ExternalNode(name) => self.registry.delete_node(&name, revision),
            Subject::Registered(key) => self.delete_registered(&key, revision),
            Subject::Check(key) => self.registry.delete_check(&key, revision),
            Subject::Service(name) => {
                self.services_index = revision;
                self.routing = revision;
                self.change(&name, revision, |state| state.service = None);
            }
            Subject::Version(service, number) => {
                self.versions.remove(&(service, number));
            }
            Subject::Rollout(service, number) => {
                self.touch(&service, revision);
                self.rollouts.remove(&(service, number));
            }
            Subject::Instance(id) => {
                if let Some(owner) = self.owners.remove(&id) {
                    self.routing = revision;
                    self.change(&owner.service, revision, |state| state.instances.retain(|i| i.id != id));
                }
            }
            Subject::Event(id) => {
                self.events.remove(&id);
            }
            Subject::Query(id) => {
                self.queries.remove(&id);
            }
            Subject::Other => {}
        }
    }

    fn put_service(&mut self, name: Name, service: Service, revision: Revision) {
        let before = self.services.get(&name).and_then(|state| state.service.as_ref());
        if before.is_none_or(|before| before.spec.tags != service.spec.tags) {
            self.services_index = self.services_index.max(revision);
        }
        if before.is_none_or(|before| !routes_alike(before, &service)) {
            self.routing = self.routing.max(revision);
        }
        self.change(&name, revision, |state| state.service = Some(service));
    }

    fn put_instance(&mut self, id: InstanceId, instance: Instance, revision: Revision) {
        let unchanged = self.instance(&id).is_some_and(|before| before.routing() == instance.routing());
        let routed = if unchanged { self.routed_since(&id) } else { revision };
        self.routing = self.routing.max(routed);
        self.owners.insert(id, Owner { service: instance.service.clone(), routed });
        let owner = instance.service.clone();
        self.change(&owner, revision, |state| {
            state.instances.retain(|other| other.id != instance.id);
            let order = |i: &Instance| (i.slot, i.born, i.id.clone());
            let at = state.instances.partition_point(|other| order(other) < order(&instance));
            state.instances.insert(at, Arc::new(instance));
        });
    }

    fn put_registered(&mut self, key: Key, service: Dated<registered::Service>) {
        if self.registry.service(&key.0, &key.1).is_some_and(|before| before.key() != service.key()) {
            self.delete_registered(&key, service.modified);
        }
        self.registry.put_service(key, service);
    }

    /// Those of the same name that run here are told with a newer index from now on, so that none goes back.
    fn delete_registered(&mut self, key: &Key, revision: Revision) {
        let name = self.registry.service(&key.0, &key.1).map(|service| service.key());
        self.registry.delete_service(key, revision);
        if let Some(name) = name.and_then(|name| name.parse().ok()) {
            self.touch(&name, revision);
        }
    }

    /// What is known of a service beside its record and its instances has changed, if it is there.
    fn touch(&mut self, name: &Name, revision: Revision) {
        if let Some(state) = self.services.get_mut(name) {
            let state = Arc::make_mut(state);
            state.index = state.index.max(revision);
        }
    }

    /// Changes what is known of a service; one of which nothing is left goes.
    fn change(&mut self, name: &Name, revision: Revision, change: impl FnOnce(&mut ServiceState)) {
        if self.services.get(name).is_none() {
            self.services.insert(name.clone(), Arc::default());
        }
        let state = self.services.get_mut(name).expect("it was just put when it was not there");
        let state = Arc::make_mut(state);
        change(state);
        state.index = state.index.max(revision);
        if state.service.is_none() && state.instances.is_empty() {
            self.services.remove(name);
            self.removals = self.removals.max(revision);
            self.registry.touch_known(name.as_str(), revision);
        }
    }
}

pub(crate) fn dated<T: DeserializeOwned>(entry: &Entry) -> Dated<T> {
    Dated { record: decode(entry), created: entry.created, modified: entry.modified }
}

/// Whether two records of a service send its requests to the same places in the same way.
fn routes_alike(one: &Service, other: &Service) -> bool {
    let what =
        |service: &Service| (service.version, service.removed, service.created, service.spec.exclusive);
    what(one) == what(other)
        && one.spec.replicas == other.spec.replicas
        && one.weights == other.weights
        && one.spec.routing == other.spec.routing
        && one.spec.update.drain_timeout == other.spec.update.drain_timeout
        && one.spec.update.order == other.spec.update.order
}

#[cfg(test)]
pub(crate) mod tests;
