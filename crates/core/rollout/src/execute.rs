//! A plan, carried out on the record.
//!
//! The part of it that is a transaction: whoever calls this gives each new instance its place, and starts and ends
//! processes by what the records say then. A plan that was made for an earlier wish is not carried out.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::rollout::{DoneStep, Rollout, Stage};
use adsum_model::{Berth, Event, Health, Instance, InstanceId, Name, Phase, Service};

use crate::desire;
use crate::service::{Advance, Plan, Step, note};

/// What came of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The service has another generation: the plan was for a wish that is no longer the newest. What was carried out
    /// before that was seen stays.
    Stale,
    /// Some instance could not be given a place; everything else was done.
    NoBerth,
}

/// Carries out the steps in their order. `berth` gives a place to an instance of the service, if there is one.
pub fn carry_out(
    tx: &mut Transaction<'_>,
    name: &Name,
    plan: &Plan,
    mut berth: impl FnMut(&mut Transaction<'_>) -> Option<Berth>,
) -> Outcome {
    let mut outcome = Outcome::Done;
    for step in &plan.steps {
        let service = records::service(tx, name);
        if service.as_ref().map(|service| service.generation) != plan.generation {
            return Outcome::Stale;
        }
        match step {
            Step::Advance(advance) => {
                if let Some(service) = service {
                    carry_forward(tx, service, advance);
                }
            }
            // One that finds no place speaks for all that follow.
            Step::Create { .. } if outcome == Outcome::NoBerth => {}
            Step::Create { slot, version } => match berth(tx) {
                Some(berth) => create(tx, service.as_ref(), berth, name, *slot, *version),
                None => outcome = Outcome::NoBerth,
            },
            Step::Drain(id) => drain(tx, service.as_ref(), id),
            Step::Stop(id) => stop(tx, service.as_ref(), id),
            Step::Forget(id) => records::delete_instance(tx, id),
            Step::ForgetVersion(number) => records::delete_version(tx, name, *number),
            Step::RemoveService => remove(tx, name),
        }
    }
    outcome
}

/// An event about one instance.
pub fn event(time: u64, kind: &str, instance: &Instance, what: &str) -> Event {
    Event {
        time,
        kind: kind.to_string(),
        service: Some(instance.service.clone()),
        instance: Some(instance.id.clone()),
        message: format!("{} ({}) {what}", instance.title(), instance.id),
    }
}

fn carry_forward(tx: &mut Transaction<'_>, service: Service, advance: &Advance) {
    let Some(mut rollout) = records::rollout(tx, &service.spec.name, service.rollout) else { return };
    advance.apply(&mut rollout, tx.now());
    records::put_rollout(tx, &rollout);
    tell(tx, &rollout, advance);
    if let Advance::RollBack { reason } = advance
        && desire::roll_back(tx, service, reason).is_none()
    {
        let why = format!("{reason}, but that version is not on record any more");
        let stage = Advance::Stage { stage: Stage::Paused, reason: Some(why) };
        stage.apply(&mut rollout, tx.now());
        records::put_rollout(tx, &rollout);
        tell(tx, &rollout, &stage);
    }
}

/// Says in the event log what has become of the rollout.
fn tell(tx: &mut Transaction<'_>, rollout: &Rollout, advance: &Advance) {
    let (number, to) = (rollout.number, rollout.to);
    let (kind, what) = match advance {
        // Of these the instances' own events tell.
        Advance::Note { .. } => return,
        Advance::Failed { reason, .. } => ("rollout-failure", format!("has a failure: {reason}")),
        Advance::Proven => ("rollout-proven", "is proven by its first batch".to_string()),
        Advance::RollBack { reason } => ("rollout-failed", format!("has failed: {reason}")),
        Advance::Stage { stage, reason } => {
            let because = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            let kind = match stage {
                Stage::Rolling => "rollout-resumed",
                Stage::Paused => "rollout-paused",
                Stage::Verifying => "rollout-verifying",
                Stage::Complete => "rollout-complete",
                Stage::RolledBack | Stage::Superseded | Stage::Removed => "rollout-ended",
            };
            (kind, format!("is {}{because}", stage.as_str()))
        }
    };
    let message = format!("rollout {number} of service {} to version {to} {what}", rollout.service);
    let (time, service) = (tx.now().wall, Some(rollout.service.clone()));
    records::log(tx, &Event { time, kind: kind.to_string(), service, instance: None, message });
}

/// Puts a new instance on record, with its port.
fn create(
    tx: &mut Transaction<'_>,
    service: Option<&Service>,
    berth: Berth,
    name: &Name,
    slot: u32,
    version: u32,
) {
    let mut instance = Instance {
        version,
        slot,
        maintenance: service.and_then(|service| service.maintenance.clone()),
        created: tx.now().wall,
        born: tx.now().tick,
        ..Instance::planned(name.clone(), berth)
    };
    records::put_instance(tx, &mut instance);
    let what = format!("planned on {} at {}, version {version}", instance.node, instance.endpoint);
    records::log(tx, &event(tx.now().wall, "instance-planned", &instance, &what));
    write_down(tx, service, &instance, DoneStep::Created);
}

fn drain(tx: &mut Transaction<'_>, service: Option<&Service>, id: &InstanceId) {
    let Some(mut instance) = records::instance(tx, id) else { return };
    if instance.phase == Phase::Running && instance.health != Health::Draining {
        instance.health = Health::Draining;
        records::put_instance(tx, &mut instance);
        records::log(tx, &event(tx.now().wall, "instance-draining", &instance, "gets no new requests"));
        write_down(tx, service, &instance, DoneStep::Draining);
    }
}

fn stop(tx: &mut Transaction<'_>, service: Option<&Service>, id: &InstanceId) {
    let Some(mut instance) = records::instance(tx, id) else { return };
    if !instance.phase.is_final() && instance.phase != Phase::Stopping {
        instance.phase = Phase::Stopping;
        instance.health = Health::Draining;
        records::put_instance(tx, &mut instance);
        records::log(tx, &event(tx.now().wall, "instance-stopping", &instance, "is told to end"));
        write_down(tx, service, &instance, DoneStep::Stopping);
    }
}

/// Adds a step to the log of the rollout that is under way.
fn write_down(tx: &mut Transaction<'_>, service: Option<&Service>, instance: &Instance, step: DoneStep) {
    let Some(service) = service else { return };
    let rollout = records::rollout(tx, &service.spec.name, service.rollout);
    if let Some(mut rollout) = rollout.filter(|rollout| !rollout.stage.is_final())
        && note(&mut rollout, instance.slot, &instance.id, step, tx.now())
    {
        records::put_rollout(tx, &rollout);
    }
}

fn remove(tx: &mut Transaction<'_>, name: &Name) {
    records::versions(tx, name).into_iter().for_each(|version| records::delete_version(tx, name, version));
    let rollouts = records::rollouts(tx, name);
    rollouts.iter().for_each(|rollout| records::delete_rollout(tx, name, rollout.number));
    records::delete_service(tx, name);
    let message = format!("service {name} has gone");
    let (time, kind) = (tx.now().wall, "service-gone".to_string());
    records::log(tx, &Event { time, kind, service: Some(name.clone()), instance: None, message });
}
