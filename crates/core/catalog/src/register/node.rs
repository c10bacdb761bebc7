//! Nodes without an agent.

use adsum_keyspace::Transaction;
use adsum_model::registered::Node;

use super::check::delete_check_at;
use super::key::{checks_prefix, node_key, node_part};
use super::{Refusal, log_event, piece};
use crate::records::{self, delete, read, write};

/// With all that is registered there, of which a piece goes at a time, the node last. Whether there is more: whoever
/// calls this goes on until there is none.
pub fn deregister_node(tx: &mut Transaction<'_>, name: &str) -> bool {
    let any = |_: &str| true;
    let (services, more) = piece(tx, &format!("registered/{}/", node_part(name)), any);
    services.iter().for_each(|key| delete(tx, key));
    if more {
        return true;
    }
    let (checks, more) = piece(tx, &checks_prefix(name), any);
    checks.iter().for_each(|key| delete_check_at(tx, key));
    if more {
        return true;
    }
    if node(tx, name).is_some() || !services.is_empty() || !checks.is_empty() {
        delete(tx, &node_key(name));
        let message = format!("node {name} is deregistered with all that was registered there");
        log_event(tx, "node-deregistered", None, message);
    }
    false
}

/// # Errors
/// When there is no such node, with an agent or without.
pub fn expect_node(tx: &mut Transaction<'_>, name: &str) -> Result<(), Refusal> {
    let has_agent = name.parse().is_ok_and(|name| records::node(tx, &name).is_some());
    if has_agent || node(tx, name).is_some() { Ok(()) } else { Err(Refusal::NoNode) }
}

pub fn node(tx: &mut Transaction<'_>, name: &str) -> Option<Node> {
    read(tx, &node_key(name))
}

pub(super) fn put_node(tx: &mut Transaction<'_>, node: &Node) {
    let key = node_key(&node.name);
    if read(tx, &key).as_ref() != Some(node) {
        write(tx, key, node);
    }
}
