//! What clients have registered, as part of the view: nodes without an agent, services, checks.
//!
//! ```text
//! services   (node, id) -> Service        named      (name, node, id)       which places a name has
//! checks     (node, id) -> Check          attached   (node, service, check) which checks a service has; "" is the node
//! nodes      node -> Node                 located    (address, node)        which nodes have an address
//! ```
//!
//! Names of nodes and services are in lower case here, ids as they are.
//!
//! Invariants:
//! - A check whose service is not there, and a service whose node is not there, are in the view all the same: records
//!   come and go one by one, and the reader passes over what has no meaning.
//! - No index goes back, and what was removed leaves none behind that would have to be remembered by name.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use adsum_keyspace::Tree;
use adsum_model::Revision;
use adsum_model::registered::{Check, Node, Service, Status};

/// A clone is a few references.
#[derive(Clone, Default)]
pub struct Registry {
    nodes: Tree<String, Arc<Dated<Node>>>,
    services: Tree<Key, Arc<Dated<Service>>>,
    checks: Tree<Key, Arc<Dated<Check>>>,
    named: Tree<(String, Key), ()>,
    attached: Tree<(Key, String), ()>,
    located: Tree<(IpAddr, String), ()>,
    /// By the name of a service: the last change of anything that is told of it.
    indexes: Tree<String, Revision>,
    /// Of the last change of a node or of a check of a node, which all services there are told with.
    nodes_index: Revision,
    /// Of the last change of the set of services or of their tags.
    services_index: Revision,
    /// Of the last removal of anything that had an index of its own.
    removals: Revision,
    /// Of the last change of what has to be looked at: a check's definition, or that there is one.
    definitions: Revision,
    /// Of the last change of all.
    changed: Revision,
    /// As of which all was read; what had changed before is not known any more.
    loaded: Revision,
}

/// Node and id.
pub type Key = (String, String);

/// A record with the revisions at which it was made and changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    pub record: T,
    pub created: Revision,
    pub modified: Revision,
}

impl<T> Deref for Dated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

pub(crate) fn key(node: &str, id: &str) -> Key {
    (node.to_lowercase(), id.to_string())
}

impl Registry {
    /// One of which nothing is known but that everything may have changed.
    pub(crate) fn at(revision: Revision) -> Registry {
        Registry {
            nodes_index: revision,
            services_index: revision,
            removals: revision,
            definitions: revision,
            changed: revision,
            loaded: revision,
            ..Registry::default()
        }
    }

    /// Nodes without an agent, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Dated<Node>>> {
        self.nodes.iter().map(|(_, node)| node)
    }

    pub fn node(&self, name: &str) -> Option<&Arc<Dated<Node>>> {
        self.nodes.get(&name.to_lowercase())
    }

    /// Nodes without an agent that have an address, by name.
    pub fn nodes_at(&self, address: IpAddr) -> impl Iterator<Item = &Arc<Dated<Node>>> {
        let here = self.located.iter_from(&(address, String::new()));
        let here = here.take_while(move |((of, _), ())| *of == address);
        here.filter_map(|((_, name), ())| self.nodes.get(name))
    }

    /// By node and id.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Dated<Service>>> {
        self.services.iter().map(|(_, service)| service)
    }

    pub fn service(&self, node: &str, id: &str) -> Option<&Arc<Dated<Service>>> {
        self.services.get(&key(node, id))
    }

    /// The places of a service, by node and id.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Arc<Dated<Service>>> + use<'a> {
        let name = name.to_lowercase();
        let from = (name.clone(), Key::default());
        let keys = self.named.iter_from(&from).take_while(move |((of, _), ())| *of == name);
        keys.filter_map(|((_, key), ())| self.services.get(key))
    }

    /// What runs on a node, by id.
    pub fn services_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Arc<Dated<Service>>> + use<'a> {
        let node = node.to_lowercase();
        let here = self.services.iter_from(&(node.clone(), String::new()));
        here.take_while(move |((of, _), _)| *of == node).map(|(_, service)| service)
    }

    /// By node and id.
    pub fn checks(&self) -> impl Iterator<Item = &Arc<Dated<Check>>> {
        self.checks.iter().map(|(_, check)| check)
    }

    pub fn check(&self, node: &str, id: &str) -> Option<&Arc<Dated<Check>>> {
        self.checks.get(&key(node, id))
    }

    /// Those of a node and of the services there, by id.
    pub fn checks_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Arc<Dated<Check>>> + use<'a> {
        let node = node.to_lowercase();
        let here = self.checks.iter_from(&(node.clone(), String::new()));
        here.take_while(move |((of, _), _)| *of == node).map(|(_, check)| check)
    }

    /// Those of one service; of the node itself when the id is empty.
    pub fn checks_of<'a>(
        &'a self,
        node: &str,
        service: &str,
    ) -> impl Iterator<Item = &'a Arc<Dated<Check>>> + use<'a> {
        let of = key(node, service);
        let keys = self.attached.iter_from(&(of.clone(), String::new()));
        let keys = keys.take_while(move |((attached, _), ())| *attached == of);
        keys.filter_map(|(((node, _), id), ())| self.checks.get(&(node.clone(), id.clone())))
    }

    /// The worst of the checks of a node itself; passing when it has none.
    pub fn node_status(&self, node: &str) -> Status {
        // Most have none, and resolvers ask for each instance.
        if self.attached.is_empty() {
            return Status::Passing;
        }
        self.checks_of(node, "").map(|check| check.status).max().unwrap_or(Status::Passing)
    }

    /// The worst of a service's own checks and of its node's; passing when there are none.
    pub fn status(&self, service: &Service) -> Status {
        let own = self.checks_of(&service.node, &service.id).map(|check| check.status).max();
        own.unwrap_or(Status::Passing).max(self.node_status(&service.node))
    }

    /// None of a service that is unknown here.
    pub(crate) fn index(&self, name: &str) -> Option<Revision> {
        self.indexes.get(&name.to_lowercase()).copied()
    }

    pub(crate) fn nodes_index(&self) -> Revision {
        self.nodes_index
    }

    pub(crate) fn services_index(&self) -> Revision {
        self.services_index
    }

    pub(crate) fn removals(&self) -> Revision {
        self.removals
    }

    /// The revision from which on all of it is as it is.
    pub fn changed(&self) -> Revision {
        self.changed
    }

    /// The revision from which on whoever looks at things has had nothing else to look at.
    pub fn definitions(&self) -> Revision {
        self.definitions
    }
}

mod follow;
#[cfg(test)]
mod tests;
