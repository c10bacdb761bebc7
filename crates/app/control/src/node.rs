//! The controller of this node's processes.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use adsum_catalog::{Catalog, records};
use adsum_keyspace::Transaction;
use adsum_model::{Health, Instance, InstanceId, Phase, Process, Restart, Revision, Stop};
use adsum_rollout::node::{AfterEnd, Exit, Seen, Step, plan, restart_at, streak_after};
use adsum_runtime::{ExitStatus, Keeper, Observed, Signal, Start, State};
use adsum_store::{Failed, Store};

use crate::{Settings, event};

/// When the keeper could not be asked.
const RETRY: Duration = Duration::from_secs(1);

struct Controller {
    store: Store,
    keeper: Keeper,
    settings: Settings,
    /// Told to end by this controller: the keeper goes on with it by itself.
    signalled: HashSet<InstanceId>,
}

/// Follows the catalog and the keeper for ever.
pub(crate) async fn run(store: Store, keeper: Keeper, settings: Settings) -> Result<Infallible, Failed> {
    let mut processes = keeper.changes();
    let mut controller = Controller { store, keeper, settings, signalled: HashSet::new() };
    loop {
        processes.borrow_and_update();
        let view = controller.store.catalog().await?;
        let next_look = controller.activate(&view).await?;
        tokio::select! {
            changed = controller.store.directory().changed(view.revision()) => drop(changed?),
            changed = processes.changed() => {
                if changed.is_err() {
                    // The keeper was shut down: the node ends.
                    std::future::pending::<()>().await;
                }
            }
            () = tokio::time::sleep(next_look.unwrap_or(Duration::MAX)) => {}
        }
    }
}

impl Controller {
    /// One round over the instances of this node. Says when to look again even if nothing changes.
    async fn activate(&mut self, view: &Catalog) -> Result<Option<Duration>, Failed> {
        let observed = match self.keeper.list().await {
            Ok(observed) => observed,
            Err(error) => {
                tracing::warn!(%error, "the keeper cannot be asked");
                return Ok(Some(RETRY));
            }
        };
        let mut seen: BTreeMap<InstanceId, Seen> = observed.into_iter().map(seen).collect();
        let tick = self.store.now().tick;
        let mut next_look: Option<u64> = None;
        let mut last = Revision::ZERO;
        let mine = view.instances().filter(|instance| instance.node == self.settings.node);
        for instance in mine.cloned().collect::<Vec<_>>() {
            let seen = seen.remove(&instance.id).unwrap_or(Seen::Nothing);
            let (restart, stop) = policies(view, &instance);
            if let Some(step) = plan(&instance, &restart, &seen, tick) {
                last = last.max(self.carry_out(view, &instance, &stop, &restart, step).await);
            } else if instance.phase == Phase::Backoff {
                let rest = restart_at(&instance, &restart).saturating_sub(tick);
                next_look = Some(next_look.map_or(rest, |other| other.min(rest)));
            }
        }
        for (id, seen) in seen {
            self.clear_away(&id, &seen).await;
        }
        self.store.durable(last).await?;
        Ok(next_look.map(Duration::from_millis))
    }

    async fn carry_out(
        &mut self,
        view: &Catalog,
        instance: &Instance,
        stop: &Stop,
        restart: &Restart,
        step: Step,
    ) -> Revision {
        match step {
            Step::Start => self.start(view, instance, restart).await,
            Step::Record(process) => self.change(instance, |tx, record| record_process(tx, record, process)),
            Step::Ended { exit, next } => self.change(instance, |tx, record| {
                record_end(tx, record, restart, &exit, next);
            }),
            Step::Signal => {
                self.signal(&instance.id, stop).await;
                Revision::ZERO
            }
            Step::Stopped => {
                self.signalled.remove(&instance.id);
                self.change(instance, record_stopped)
            }
            Step::Clear => {
                self.forget(&instance.id).await;
                Revision::ZERO
            }
        }
    }

    /// Starts the process that is on record as wanted, and records it.
    async fn start(&mut self, view: &Catalog, instance: &Instance, restart: &Restart) -> Revision {
        let Some(version) = view.version(&instance.service, instance.version) else { return Revision::ZERO };
        let start = Start {
            id: instance.id.clone(),
            command: version.task.command.clone(),
            env: self.settings.environment(instance, version),
            workdir: version.task.workdir.as_ref().map_or_else(current_dir, Into::into),
            log: self.settings.log_file(instance),
            rotation: adsum_runtime::Rotation::default(),
        };
        let started = match std::fs::create_dir_all(self.settings.slot_dir(instance)) {
            Ok(()) => self.keeper.start(start).await.map_err(|error| sentence(&error)),
            Err(error) => Err(format!(
                "its data directory {} cannot be made: {error}",
                self.settings.slot_dir(instance).display()
            )),
        };
        match started {
            Ok(process) => self.change(instance, |tx, record| record_process(tx, record, process)),
            Err(description) => self.change(instance, |tx, record| {
                let exit = Exit { success: false, description: format!("cannot be started: {description}") };
                let max = restart.max_attempts.unwrap_or(u32::MAX);
                let next = if record.streak < max { AfterEnd::Restart } else { AfterEnd::GiveUp };
                record_end(tx, record, restart, &exit, next);
            }),
        }
    }

    /// Tells an instance to end, once.
    async fn signal(&mut self, id: &InstanceId, stop: &Stop) {
        if self.signalled.contains(id) {
            return;
        }
        let signal = stop.signal.parse().unwrap_or(Signal::TERM);
        match self.keeper.stop(id, signal, stop.grace).await {
            Ok(()) => drop(self.signalled.insert(id.clone())),
            Err(error) => tracing::warn!(instance = %id, %error, "cannot be told to end"),
        }
    }

    /// Ends what the keeper has and no record knows of.
    async fn clear_away(&mut self, id: &InstanceId, seen: &Seen) {
        match seen {
            Seen::Running(_) => self.signal(id, &Stop::default()).await,
            Seen::Exited(_) => self.forget(id).await,
            Seen::Nothing => {}
        }
    }

    async fn forget(&mut self, id: &InstanceId) {
        self.signalled.remove(id);
        if let Err(error) = self.keeper.forget(id).await {
            tracing::warn!(instance = %id, %error, "the keeper does not forget");
        }
    }

    /// Changes the instance's record, if it is still in the phase for which the step was planned.
    fn change(
        &self,
        planned: &Instance,
        change: impl FnOnce(&mut Transaction<'_>, &mut Instance),
    ) -> Revision {
        let ((), revision) = self.store.transact(|tx| {
            if let Some(mut record) = records::instance(tx, &planned.id)
                && record.phase == planned.phase
            {
                change(tx, &mut record);
            }
        });
        revision
    }
}

fn record_process(tx: &mut Transaction<'_>, record: &mut Instance, process: Process) {
    let what = format!("runs as process {}", process.pid);
    record.restarts += u32::from(record.phase == Phase::Backoff);
    record.phase = Phase::Running;
    record.process = Some(process);
    if record.health != Health::Draining {
        record.health = Health::Starting;
    }
    records::put_instance(tx, record);
    records::log(tx, &event(tx.now().wall, "instance-started", record, &what));
}

fn record_end(
    tx: &mut Transaction<'_>,
    record: &mut Instance,
    restart: &Restart,
    exit: &Exit,
    next: AfterEnd,
) {
    record.streak = streak_after(record, restart, tx.now().tick);
    record.health = Health::Critical;
    record.process = None;
    record.reason = Some(exit.description.clone());
    let (phase, follows) = match next {
        AfterEnd::Restart => (Phase::Backoff, "it is started again after a pause"),
        AfterEnd::Complete => (Phase::Stopped, "it is not started again"),
        AfterEnd::GiveUp => (Phase::Failed, "it is given up"),
    };
    record.phase = phase;
    if phase.is_final() {
        records::release_port(tx, &record.node, record.endpoint.port());
    }
    records::put_instance(tx, record);
    let what = format!("{}; {follows}", exit.description);
    records::log(tx, &event(tx.now().wall, "instance-ended", record, &what));
}

fn record_stopped(tx: &mut Transaction<'_>, record: &mut Instance) {
    record.phase = Phase::Stopped;
    record.process = None;
    records::release_port(tx, &record.node, record.endpoint.port());
    records::put_instance(tx, record);
    records::log(tx, &event(tx.now().wall, "instance-stopped", record, "has ended as wished"));
}

/// The policies that hold for an instance; the defaults when its service's record has gone.
fn policies(view: &Catalog, instance: &Instance) -> (Restart, Stop) {
    let service = view.service(&instance.service).and_then(|state| state.service.as_ref());
    service.map(|service| (service.spec.restart.clone(), service.spec.stop.clone())).unwrap_or_default()
}

fn seen(observed: Observed) -> (InstanceId, Seen) {
    let seen = match observed.state {
        State::Running { process } => Seen::Running(process),
        State::Exited { status, oom, .. } => Seen::Exited(exit(status, oom)),
    };
    (observed.id, seen)
}

fn exit(status: ExitStatus, oom: Option<bool>) -> Exit {
    let description = match status {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(_) if oom == Some(true) => "was killed for using too much memory".to_string(),
        ExitStatus::Signal(signal) => format!("was killed by {}", signal_name(signal)),
        ExitStatus::Unknown => "ended while its keeper was away".to_string(),
    };
    Exit { success: status == ExitStatus::Code(0), description }
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

fn current_dir() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_else(|_| "/".into())
}

/// An error with its sources, in one line.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
