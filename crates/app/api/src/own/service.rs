//! The JSON of a service: as it stands in a list, as a whole, and as the subject of a write.

use std::sync::Arc;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::rollout::Rollout;
use adsum_model::{Instance, Name, Revision, Service, Spec};
use adsum_rollout::desire::{Novelty, Taken};
use adsum_rollout::service::{Plan, Situation, Step, plan};
use adsum_stack::Draft;
use serde::Serialize;
use serde_json::Value;

use super::hold::Holds;
use super::instance::{Full, restart_in};
use super::rollout::Brief;
use super::{draft, waiting};
use crate::ApiState;

/// One of a list.
#[derive(Serialize)]
pub(crate) struct Summary<'a> {
    name: &'a str,
    version: u32,
    /// Wanted.
    replicas: u32,
    /// Found by name, getting traffic.
    passing: usize,
    /// Not over.
    instances: usize,
    exclusive: bool,
    command: &'a [String],
    check: &'static str,
    tags: &'a [String],
    /// The rules of all routes, those of labels too.
    routes: Vec<String>,
    /// Published on the gateway.
    ports: Vec<String>,
    removed: bool,
    maintenance: bool,
    /// Where its last rollout stands.
    stage: Option<&'static str>,
    converged: bool,
}

/// All there is to say of it.
#[derive(Serialize)]
pub(crate) struct Whole<'a> {
    name: &'a str,
    version: u32,
    /// The form in which a service is put; none when the record has gone before the last instance.
    spec: Option<Value>,
    removed: bool,
    /// Taken out of routing by a person, with the reason.
    maintenance: Option<&'a str>,
    /// Grows with every wish.
    generation: u64,
    /// The one that is under way, or the last one.
    rollout: Option<Brief<'a>>,
    /// Unix milliseconds.
    created: Option<u64>,
    instances: Vec<Full<'a>>,
    converged: bool,
    waiting_on: Vec<String>,
    /// The same, each with its kind.
    waiting: Vec<waiting::Shape>,
    /// What the controllers are about to do.
    steps: Vec<String>,
    index: u64,
}

/// The answer to a write.
#[derive(Serialize)]
pub(crate) struct Written {
    service: Wanted,
    what: &'static str,
    /// Of the write; the index of the service is not less once it is done.
    revision: u64,
}

#[derive(Serialize)]
struct Wanted {
    name: Name,
    version: u32,
    rollout: u32,
    generation: u64,
    spec: Value,
    removed: bool,
}

/// What the controllers make of a service as it is.
pub(crate) fn plan_of(state: &ApiState, catalog: &Catalog, name: &Name, service: &ServiceState) -> Plan {
    let asked = state.store.directory().was_asked(name);
    let tick = state.store.now().tick;
    let held = state.routing.acknowledgements().held(catalog, service, tick);
    let hidden = state.routing.acknowledgements().hidden(catalog, service);
    plan(&Situation { asked, held, hidden, ..Situation::of(catalog, name, service, tick) })
}

/// Nothing to do and nothing to wait for.
pub(crate) fn is_converged(plan: &Plan) -> bool {
    plan.steps.is_empty() && plan.waiting_on.is_empty()
}

impl<'a> Summary<'a> {
    pub(crate) fn of(name: &'a Name, state: &'a ServiceState, plan: &Plan, catalog: &Catalog) -> Summary<'a> {
        let service = state.service.as_ref();
        let draft = service.map(|service| Draft::of(&service.spec)).unwrap_or_default();
        Summary {
            name: name.as_str(),
            version: service.map_or(0, |service| service.version),
            replicas: service.map_or(0, |service| service.spec.replicas),
            passing: state.routable().count(),
            instances: state.live().count(),
            exclusive: service.is_some_and(|service| service.spec.exclusive),
            command: service.map_or(&[], |service| &service.spec.task.command),
            check: service.map_or("", |service| service.spec.check.kind.as_str()),
            tags: service.map_or(&[], |service| &service.spec.tags),
            routes: service.map_or_else(Vec::new, |service| rules(&service.spec)),
            ports: draft.publish.unwrap_or_default(),
            removed: service.is_none_or(|service| service.removed),
            maintenance: service.is_some_and(|service| service.maintenance.is_some()),
            stage: last_rollout(catalog, state).map(|rollout| rollout.stage.as_str()),
            converged: is_converged(plan),
        }
    }
}

/// The one that is under way, or the last one.
pub(crate) fn last_rollout<'a>(catalog: &'a Catalog, state: &ServiceState) -> Option<&'a Rollout> {
    let service = state.service.as_ref()?;
    catalog.rollout(&service.spec.name, service.rollout).map(|rollout| &**rollout)
}

/// Of all routes of a service, those of labels too.
fn rules(spec: &Spec) -> Vec<String> {
    spec.routing.routes.iter().map(|route| route.rule.to_string()).collect()
}

impl<'a> Whole<'a> {
    pub(crate) fn of(
        name: &'a Name,
        state: &'a ServiceState,
        plan: &Plan,
        catalog: &'a Catalog,
        holds: &Holds,
        tick: u64,
    ) -> Whole<'a> {
        let service = state.service.as_ref();
        let full = |it: &'a Arc<Instance>| Full::of(it, restart_in(it, service, tick), holds.on(it));
        Whole {
            name: name.as_str(),
            version: service.map_or(0, |service| service.version),
            spec: service.map(|service| draft::write(&Draft::of(&service.spec))),
            removed: service.is_none_or(|service| service.removed),
            maintenance: service.and_then(|service| service.maintenance.as_deref()),
            generation: service.map_or(0, |service| service.generation),
            rollout: last_rollout(catalog, state).map(Brief::of),
            created: service.map(|service| service.created),
            instances: state.instances.iter().map(full).collect(),
            converged: is_converged(plan),
            waiting_on: plan.waiting_on.iter().map(ToString::to_string).collect(),
            waiting: plan.waiting_on.iter().map(waiting::Shape::of).collect(),
            steps: plan.steps.iter().map(step).collect(),
            index: catalog.index(name).0,
        }
    }
}

impl Written {
    pub(crate) fn of(taken: Taken, revision: Revision) -> Written {
        let Taken { service, what } = taken;
        let Service { spec, version, rollout, generation, removed, .. } = service;
        let draft = draft::write(&Draft::of(&spec));
        Written {
            service: Wanted { name: spec.name, version, rollout, generation, spec: draft, removed },
            what: novelty(what),
            revision: revision.0,
        }
    }
}

pub(crate) fn novelty(what: Novelty) -> &'static str {
    match what {
        Novelty::Created => "created",
        Novelty::NewVersion => "new-version",
        Novelty::RolledBack => "rolled-back",
        Novelty::Changed => "changed",
        Novelty::Nothing => "nothing",
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::Create { slot, version } => format!("slot {slot}: create an instance of version {version}"),
        Step::Drain(id) => format!("take {id} out of routing"),
        Step::Stop(id) => format!("end the process of {id}"),
        Step::Advance(advance) => format!("write down how far the rollout is: {advance:?}"),
        Step::ForgetVersion(number) => format!("forget version {number}, which nobody names"),
        Step::Forget(id) => format!("forget {id}, which is over"),
        Step::RemoveService => "remove the service's record".to_string(),
    }
}
