//! The controller of services.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use adsum_catalog::{Catalog, records};
use adsum_keyspace::Transaction;
use adsum_model::{Health, Instance, InstanceId, Name, Phase, Revision};
use adsum_rollout::service::{Cause, Plan, Situation, Step, plan};
use adsum_store::{Failed, Store};

use crate::ports::Ports;
use crate::{Acknowledgements, Settings, event, ports};

/// When a plan could not be carried out, for want of a port or the like.
const RETRY: Duration = Duration::from_secs(1);

struct Controller {
    store: Store,
    settings: Settings,
    ports: Ports,
    acknowledgements: Acknowledgements,
    /// At which index of a service there was nothing to do.
    settled: HashMap<Name, Revision>,
}

/// Follows the catalog, and those who route, for ever.
pub(crate) async fn run(
    store: Store,
    settings: Settings,
    acknowledgements: Acknowledgements,
) -> Result<Infallible, Failed> {
    let ports = Ports::new(settings.ports.clone());
    let mut reports = acknowledgements.subscribe();
    let mut controller = Controller { store, settings, ports, acknowledgements, settled: HashMap::new() };
    loop {
        reports.borrow_and_update();
        let view = controller.store.catalog().await?;
        let look = controller.activate(&view).await?;
        let rest = tokio::time::sleep(look.within.unwrap_or(Duration::MAX));
        tokio::select! {
            changed = controller.store.directory().changed(view.revision()) => drop(changed?),
            // The sender lives in the controller itself.
            _ = reports.changed(), if look.at_reports => {}
            () = rest => {}
        }
    }
}

/// When to plan again although nothing has changed on record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    within: Option<Duration>,
    /// When somebody who routes has said something new.
    at_reports: bool,
}

impl Controller {
    /// One round over the services that may have something to do. Says when to look again even if nothing changes.
    async fn activate(&mut self, view: &Catalog) -> Result<Look, Failed> {
        self.settled.retain(|name, _| view.service(name).is_some());
        let mut next_look = Look::default();
        let mut last = Revision::ZERO;
        let tick = self.store.now().tick;
        for (name, state) in view.services() {
            if self.settled.get(name) == Some(&state.index) {
                continue;
            }
            let asked = self.store.directory().was_asked(name);
            let held = self.acknowledgements.held(view, state, tick);
            let hidden = self.acknowledgements.hidden(view, state);
            let plan = plan(&Situation { state, asked, held, hidden });
            let (carried_out, revision) = self.carry_out(name, &plan);
            last = last.max(revision);
            let look = Look::after(&plan, carried_out);
            if look == Look::default() {
                self.settled.insert(name.clone(), state.index);
            }
            next_look = next_look.or(look);
        }
        self.store.durable(last).await?;
        Ok(next_look)
    }

    /// Carries out all steps of a plan. Whether all of them were possible, and the revision to wait for.
    fn carry_out(&mut self, name: &Name, plan: &Plan) -> (bool, Revision) {
        if plan.steps.is_empty() {
            return (true, Revision::ZERO);
        }
        for step in &plan.steps {
            if let Step::Forget(id) = step {
                self.remove_log(name, id);
            }
        }
        let (settings, ports) = (&self.settings, &mut self.ports);
        self.store.transact(|tx| {
            plan.steps.iter().fold(true, |all, step| match step {
                // One that finds no port speaks for all that follow.
                Step::Create { slot, version } => all && create(tx, settings, ports, name, *slot, *version),
                Step::Drain(id) => {
                    drain(tx, id);
                    all
                }
                Step::Stop(id) => {
                    stop(tx, id);
                    all
                }
                Step::Forget(id) => {
                    records::delete_instance(tx, id);
                    all
                }
                Step::RemoveService => {
                    remove(tx, name);
                    all
                }
            })
        })
    }
}

impl Controller {
    /// The output of an instance goes with its record; the directory with the last of them.
    fn remove_log(&self, service: &Name, id: &InstanceId) {
        let dir = self.settings.log_dir(service);
        for name in [format!("{id}.log"), format!("{id}.log.1")] {
            // Not there is as good as removed.
            let _ = std::fs::remove_file(dir.join(name));
        }
        let _ = std::fs::remove_dir(dir);
    }
}

impl Look {
    /// After a plan; by default when nothing is to be waited for but a change on record.
    fn after(plan: &Plan, carried_out: bool) -> Look {
        let look = Look { within: (!carried_out).then_some(RETRY), at_reports: false };
        plan.waiting_on.iter().fold(look, |look, waiting| match &waiting.on {
            Cause::Drain { rest } => look.or(Look { within: Some(*rest), at_reports: false }),
            Cause::Barrier(held) => look.or(Look { within: Some(held.rest), at_reports: true }),
            Cause::Start
            | Cause::Check { .. }
            | Cause::Restart { .. }
            | Cause::GivenUp { .. }
            | Cause::Exit => look,
        })
    }

    /// At whichever comes first.
    fn or(self, other: Look) -> Look {
        let within = self.within.into_iter().chain(other.within).min();
        Look { within, at_reports: self.at_reports || other.at_reports }
    }
}

/// Puts a new instance on record, with its port. Nothing when the service has changed since the plan was made; false
/// when there is no port to be had.
fn create(
    tx: &mut Transaction<'_>,
    settings: &Settings,
    ports: &mut Ports,
    service: &Name,
    slot: u32,
    version: u32,
) -> bool {
    let is_current = records::service(tx, service)
        .is_some_and(|record| !record.removed && record.version == version && slot <= record.spec.replicas);
    if !is_current {
        return true;
    }
    let id = InstanceId::from_seed(random());
    let is_free = |port| ports::is_free(settings.address, port);
    let Some(port) = ports.take(tx, &settings.node, &id, is_free) else {
        tracing::warn!(%service, range = ?settings.ports, "no free port in the range: widen --port-range");
        return false;
    };
    let mut instance = Instance {
        id,
        service: service.clone(),
        version,
        slot,
        node: settings.node.clone(),
        endpoint: SocketAddr::new(settings.address, port),
        phase: Phase::Planned,
        health: Health::Starting,
        proven: false,
        maintenance: None,
        passed: None,
        process: None,
        restarts: 0,
        streak: 0,
        reason: None,
        created: tx.now().wall,
        changed: 0,
        since: 0,
    };
    records::put_instance(tx, &mut instance);
    let what = format!("planned on {} at {}, version {version}", instance.node, instance.endpoint);
    records::log(tx, &event(tx.now().wall, "instance-planned", &instance, &what));
    true
}

fn drain(tx: &mut Transaction<'_>, id: &InstanceId) {
    let Some(mut instance) = records::instance(tx, id) else { return };
    if instance.phase == Phase::Running && instance.health != Health::Draining {
        instance.health = Health::Draining;
        records::put_instance(tx, &mut instance);
        records::log(tx, &event(tx.now().wall, "instance-draining", &instance, "gets no new requests"));
    }
}

fn stop(tx: &mut Transaction<'_>, id: &InstanceId) {
    let Some(mut instance) = records::instance(tx, id) else { return };
    if !instance.phase.is_final() && instance.phase != Phase::Stopping {
        instance.phase = Phase::Stopping;
        instance.health = Health::Draining;
        records::put_instance(tx, &mut instance);
        records::log(tx, &event(tx.now().wall, "instance-stopping", &instance, "is told to end"));
    }
}

fn remove(tx: &mut Transaction<'_>, name: &Name) {
    if records::service(tx, name).is_none() {
        return;
    }
    records::versions(tx, name).into_iter().for_each(|version| records::delete_version(tx, name, version));
    let rollouts = records::rollouts(tx, name);
    rollouts.iter().for_each(|rollout| records::delete_rollout(tx, name, rollout.number));
    records::delete_service(tx, name);
    let time = tx.now().wall;
    let message = format!("service {name} has gone");
    let kind = "service-gone".to_string();
    records::log(
        tx,
        &adsum_model::Event { time, kind, service: Some(name.clone()), instance: None, message },
    );
}

/// Ids must not repeat over restarts, so they come from the system's randomness.
fn random() -> u64 {
    getrandom::u64().expect("the kernel's randomness is there once the machine has started")
}
