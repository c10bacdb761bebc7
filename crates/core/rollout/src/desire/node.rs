//! Whether a node runs instances.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::{Availability, Event, Name, Node};

use super::Refusal;

/// No instance comes to the node any more, and those that it has leave. The last node that takes instances is not to be
/// drained by mistake.
pub fn drain_node(tx: &mut Transaction<'_>, name: &Name, force: bool) -> Result<Node, Refusal> {
    let node = records::node(tx, name).ok_or_else(|| Refusal::UnknownNode(name.clone()))?;
    let nodes = records::nodes(tx);
    let takes = |other: &Node| other.name != *name && other.availability == Availability::Active;
    if node.availability == Availability::Active && !force && !nodes.iter().any(takes) {
        let wanted = records::services(tx);
        let services = wanted.iter().filter(|service| !service.removed && service.spec.replicas > 0).count();
        if services > 0 {
            return Err(Refusal::LastNode { node: name.clone(), services });
        }
    }
    Ok(set(tx, node, Availability::Drain))
}

/// The node takes instances again.
pub fn activate_node(tx: &mut Transaction<'_>, name: &Name) -> Result<Node, Refusal> {
    let node = records::node(tx, name).ok_or_else(|| Refusal::UnknownNode(name.clone()))?;
    Ok(set(tx, node, Availability::Active))
}

fn set(tx: &mut Transaction<'_>, mut node: Node, availability: Availability) -> Node {
    if node.availability == availability {
        return node;
    }
    node.availability = availability;
    records::put_node(tx, &node);
    let (kind, what) = match availability {
        Availability::Active => ("node-activated", "takes instances again"),
        Availability::Drain => ("node-drained", "takes no instances any more, and those that it has leave"),
    };
    let message = format!("node {} {what}", node.name);
    let time = tx.now().wall;
    records::log(tx, &Event { time, kind: kind.into(), service: None, instance: None, message });
    node
}
