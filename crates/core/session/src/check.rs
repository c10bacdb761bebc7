//! The checks that a session lives with: it cannot begin without them, and ends when one of them is critical or gone.

use adsum_catalog::Catalog;
use adsum_model::{Health, Instance, InstanceId, Name, Phase};

use crate::Session;
use crate::session::NODE_CHECK;

/// What is wrong with a check of a session. In the words of Consul.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("Missing node registration")]
    NoNode,
    #[error("Missing check '{0}' registration")]
    NoCheck(String),
    #[error("Check '{0}' is in critical state")]
    Critical(String),
}

/// The first of what is wrong with the node and the checks of a session.
pub fn problem(catalog: &Catalog, session: &Session) -> Option<Problem> {
    let node = session.node.parse::<Name>().ok().filter(|name| catalog.node(name).is_some());
    let Some(node) = node else { return Some(Problem::NoNode) };
    let of_services = session.service_checks.iter().map(|check| &check.id);
    session.node_checks.iter().chain(of_services).find_map(|check| problem_of(catalog, &node, check))
}

fn problem_of(catalog: &Catalog, node: &Name, check: &str) -> Option<Problem> {
    if check == NODE_CHECK {
        return None;
    }
    match instance(catalog, node, check) {
        None => Some(Problem::NoCheck(check.to_string())),
        Some(instance) if is_critical(instance) => Some(Problem::Critical(check.to_string())),
        Some(_) => None,
    }
}

/// The one that `service:ID` is the check of.
fn instance<'a>(catalog: &'a Catalog, node: &Name, check: &str) -> Option<&'a Instance> {
    let id: InstanceId = check.strip_prefix("service:")?.parse().ok()?;
    let instance = catalog.instance(&id)?;
    (instance.node == *node && !instance.phase.is_final()).then_some(&**instance)
}

fn is_critical(instance: &Instance) -> bool {
    instance.phase != Phase::Running || !matches!(instance.health, Health::Passing | Health::Warning)
}
