//! What instances do by themselves, as the controllers of nodes and health write it down.

use adsum_catalog::records;
use adsum_model::{Ending, Health, Instance, InstanceId, Phase};

use crate::world::World;

impl World {
    pub(crate) fn change(&mut self, id: &InstanceId, change: impl FnOnce(&mut Instance)) {
        self.run(|tx| {
            if let Some(mut instance) = records::instance(tx, id) {
                change(&mut instance);
                records::put_instance(tx, &mut instance);
            }
        });
    }

    pub(crate) fn start(&mut self, id: &InstanceId) {
        self.change(id, |instance| {
            if matches!(instance.phase, Phase::Planned | Phase::Backoff) {
                instance.restarts += u32::from(instance.phase == Phase::Backoff);
                instance.phase = Phase::Running;
                instance.proven = false;
                instance.health = Health::Starting;
            }
        });
    }

    /// It runs, and its check passes.
    pub(crate) fn pass(&mut self, id: &InstanceId) {
        self.start(id);
        let tick = self.now.tick;
        self.change(id, |instance| {
            if instance.phase != Phase::Running || instance.health == Health::Draining {
                return;
            }
            instance.health = match instance.maintenance {
                Some(_) => Health::Maintenance,
                None => Health::Passing,
            };
            if instance.health == Health::Passing {
                instance.proven = true;
                instance.passed.get_or_insert(tick);
                instance.reason = None;
            }
        });
    }

    pub(crate) fn turn_critical(&mut self, id: &InstanceId, reason: &str) {
        self.start(id);
        self.change(id, |instance| {
            if instance.phase == Phase::Running && instance.health != Health::Draining {
                instance.health = Health::Critical;
                instance.reason = Some(reason.to_string());
            }
        });
    }

    /// Its process ends by itself.
    pub(crate) fn crash(&mut self, id: &InstanceId, reason: &str, next: Phase) {
        self.end_by_itself(id, Ending::Failure, reason, next);
    }

    /// There never was a process.
    pub(crate) fn fail_to_start(&mut self, id: &InstanceId, reason: &str) {
        self.end_by_itself(id, Ending::NotStarted, reason, Phase::Backoff);
    }

    fn end_by_itself(&mut self, id: &InstanceId, ending: Ending, reason: &str, next: Phase) {
        self.change(id, |instance| {
            if matches!(instance.phase, Phase::Planned | Phase::Running) {
                instance.phase = next;
                instance.ending = Some(ending);
                instance.health = Health::Critical;
                instance.reason = Some(reason.to_string());
            }
        });
    }

    /// One that was told to end does.
    pub(crate) fn end(&mut self, id: &InstanceId) {
        self.change(id, |instance| {
            if instance.phase == Phase::Stopping {
                instance.phase = Phase::Stopped;
            }
        });
    }
}
