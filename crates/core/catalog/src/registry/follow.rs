//! The view follows the records, one change at a time.

use std::hash::Hash;
use std::sync::Arc;

use adsum_keyspace::Tree;
use adsum_model::Revision;
use adsum_model::registered::{Check, Node, Service};

use super::{Dated, Key, Registry};

impl Registry {
    pub(crate) fn put_node(&mut self, name: String, node: Dated<Node>) {
        self.touch_node(node.modified);
        self.forget_place(&name);
        if let Ok(address) = node.address.parse() {
            self.located.insert((address, name.clone()), ());
        }
        insert(&mut self.nodes, name, node);
    }

    pub(crate) fn delete_node(&mut self, name: &str, revision: Revision) {
        self.forget_place(name);
        if self.nodes.remove(name).is_some() {
            self.touch_node(revision);
        }
    }

    /// Where a node was until now.
    fn forget_place(&mut self, name: &str) {
        let before = self.nodes.get(name).and_then(|node| node.address.parse().ok());
        if let Some(address) = before {
            self.located.remove(&(address, name.to_string()));
        }
    }

    /// One that was there under another name has to be deleted first.
    pub(crate) fn put_service(&mut self, key: Key, service: Dated<Service>) {
        let revision = service.modified;
        let before = self.services.get(&key);
        let listed = |service: &Service| (service.key(), service.tags.clone());
        if before.is_none_or(|before| listed(before) != listed(&service)) {
            self.services_index = self.services_index.max(revision);
        }
        self.named.insert((service.key(), key.clone()), ());
        self.touch(&service.key(), revision);
        insert(&mut self.services, key, service);
    }

    pub(crate) fn delete_service(&mut self, key: &Key, revision: Revision) {
        if let Some(before) = self.services.remove(key) {
            self.services_index = self.services_index.max(revision);
            self.forget_name(&before.key(), key, revision);
        }
    }

    pub(crate) fn put_check(&mut self, key: Key, check: Dated<Check>) {
        let revision = check.modified;
        let before = self.checks.get(&key).cloned();
        if before.as_ref().is_none_or(|before| before.definition != check.definition) {
            self.definitions = self.definitions.max(revision);
        }
        if let Some(before) = before.filter(|before| before.service != check.service) {
            self.attached.remove(&((key.0.clone(), before.service.clone()), key.1.clone()));
            self.touch_service(&(key.0.clone(), before.service.clone()), revision);
        }
        let of = (key.0.clone(), check.service.clone());
        self.attached.insert((of.clone(), key.1.clone()), ());
        insert(&mut self.checks, key, check);
        self.touch_service(&of, revision);
    }

    pub(crate) fn delete_check(&mut self, key: &Key, revision: Revision) {
        if let Some(before) = self.checks.remove(key) {
            let of = (key.0.clone(), before.service.clone());
            self.attached.remove(&(of.clone(), key.1.clone()));
            self.definitions = self.definitions.max(revision);
            self.touch_service(&of, revision);
        }
    }

    /// Something else that is told with a service of this name has changed, if there is one.
    pub(crate) fn touch_known(&mut self, name: &str, revision: Revision) {
        if self.indexes.get(name).is_some() {
            self.touch(name, revision);
        }
    }

    fn touch(&mut self, name: &str, revision: Revision) {
        self.changed = self.changed.max(revision);
        self.indexes.insert(name.to_string(), revision.max(self.loaded));
    }

    /// What is told with a service has changed; with all of a node when it is the node's own.
    fn touch_service(&mut self, of: &Key, revision: Revision) {
        match self.services.get(of).map(|service| service.key()) {
            Some(name) => self.touch(&name, revision),
            None => self.touch_node(revision),
        }
    }

    fn touch_node(&mut self, revision: Revision) {
        self.changed = self.changed.max(revision);
        self.nodes_index = self.nodes_index.max(revision);
    }

    /// A name that nobody has any more leaves the revision of its removal to all that are unknown.
    fn forget_name(&mut self, name: &str, key: &Key, revision: Revision) {
        self.named.remove(&(name.to_string(), key.clone()));
        self.touch(name, revision);
        if self.named(name).next().is_none() {
            self.indexes.remove(name);
            self.removals = self.removals.max(revision);
        }
    }
}

/// It was made when it was first there.
fn insert<K: Ord + Hash + Clone, T>(tree: &mut Tree<K, Arc<Dated<T>>>, key: K, mut record: Dated<T>) {
    if let Some(before) = tree.get(&key) {
        record.created = before.created;
    }
    tree.insert(key, Arc::new(record));
}
