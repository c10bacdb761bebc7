//! What is kept of what is over.

use std::collections::BTreeSet;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Instance, Name};

use super::{Plan, Step};

/// Ended instances of a slot that are kept to be looked at.
pub const HISTORY: usize = 5;

impl Plan {
    /// Drops the records of ended instances beyond the newest `kept` of each slot.
    pub(super) fn forget(&mut self, state: &ServiceState, kept: usize) {
        for instance in state.instances.iter().filter(|instance| instance.phase.is_final()) {
            let ended = state.slot(instance.slot).iter().filter(|other| other.phase.is_final());
            let age = |instance: &Instance| (instance.since, instance.id.clone());
            let newer = ended.filter(|other| age(other) > age(instance)).count();
            if newer >= kept {
                self.steps.push(Step::Forget(instance.id.clone()));
            }
        }
    }
}

/// The versions that no instance runs or ran, that no rollout that is kept names, and that are not wanted.
pub(super) fn spent_versions(catalog: &Catalog, name: &Name, state: &ServiceState) -> Vec<u32> {
    let Some(service) = &state.service else { return Vec::new() };
    let mut named: BTreeSet<u32> = state.instances.iter().map(|instance| instance.version).collect();
    named.insert(service.version);
    for rollout in catalog.rollouts(name) {
        named.extend([Some(rollout.to), rollout.from].into_iter().flatten());
    }
    let versions = catalog.versions(name).map(|version| version.number);
    versions.filter(|number| !named.contains(number)).collect()
}
