//! The checks that a session lives with: it cannot begin without them, and ends when one of them is critical or gone.

use adsum_catalog::{Catalog, records, register};
use adsum_keyspace::Transaction;
use adsum_model::registered::Status;
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
    let node = session.node.as_str();
    let runs_here = node.parse::<Name>().is_ok_and(|name| catalog.node(&name).is_some());
    if !runs_here && catalog.registry().node(node).is_none() {
        return Some(Problem::NoNode);
    }
    let of_services = session.service_checks.iter().map(|check| &check.id);
    session.node_checks.iter().chain(of_services).find_map(|check| problem_of(catalog, node, check))
}

/// A check that a client has registered comes before that of an instance.
fn problem_of(catalog: &Catalog, node: &str, check: &str) -> Option<Problem> {
    let is_critical = match (catalog.registry().check(node, check), instance(catalog, node, check)) {
        (Some(registered), _) => registered.status == Status::Critical,
        (None, Some(instance)) => is_critical(instance),
        (None, None) if check == NODE_CHECK => false,
        (None, None) => return Some(Problem::NoCheck(check.to_string())),
    };
    is_critical.then(|| Problem::Critical(check.to_string()))
}

/// Whether something is wrong within a transaction, by what one can have changed: nodes and checks that are registered.
pub(crate) fn has_problem(tx: &mut Transaction<'_>, session: &Session) -> bool {
    let of_services = session.service_checks.iter().map(|check| &check.id);
    let mut checks = session.node_checks.iter().chain(of_services);
    register::expect_node(tx, &session.node).is_err()
        || checks.any(|check| match register::check(tx, &session.node, check) {
            Some(registered) => registered.status == Status::Critical,
            None => check != NODE_CHECK && !is_of_instance(tx, check),
        })
}

fn is_of_instance(tx: &mut Transaction<'_>, check: &str) -> bool {
    let id: Option<InstanceId> = check.strip_prefix("service:").and_then(|id| id.parse().ok());
    id.is_some_and(|id| records::instance(tx, &id).is_some())
}

/// The one that `service:ID` is the check of.
fn instance<'a>(catalog: &'a Catalog, node: &str, check: &str) -> Option<&'a Instance> {
    let id: InstanceId = check.strip_prefix("service:")?.parse().ok()?;
    let instance = catalog.instance(&id)?;
    (instance.node.as_str() == node && !instance.phase.is_final()).then_some(&**instance)
}

fn is_critical(instance: &Instance) -> bool {
    instance.phase != Phase::Running || !matches!(instance.health, Health::Passing | Health::Warning)
}
