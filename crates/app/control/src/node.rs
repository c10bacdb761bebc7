//! The controller of this node's processes.

mod begin;

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::{Catalog, records};
use adsum_keyspace::Transaction;
use adsum_model::{
    Ending, Event, Health, Instance, InstanceId, Offer, Phase, Process, Restart, Revision, Stop, spell_size,
};
use adsum_rollout::node::{AfterEnd, Exit, Seen, Step, not_started, plan, restart_at, streak_after};
use adsum_runtime::{ExitStatus, Keeper, Observed, Signal, Start, State, TreeKind};
use adsum_store::{Failed, Store};
use tokio::task::JoinSet;

use crate::{Routing, Settings, event, lot};
use begin::{Begun, begin};

/// When the keeper could not be asked.
const RETRY: Duration = Duration::from_secs(1);

/// How many starts the keeper is asked for before what it said is put on record.
const AT_ONCE: usize = 16;

struct Controller {
    store: Store,
    keeper: Keeper,
    settings: Settings,
    routing: Routing,
    /// Told to end by this controller: the keeper goes on with it by itself.
    signalled: HashSet<InstanceId>,
    /// Something could not be asked of the keeper, and is to be asked again.
    again: bool,
}

/// Follows the catalog and the keeper for ever.
pub(crate) async fn run(
    store: Store,
    keeper: Keeper,
    settings: Settings,
    routing: Routing,
) -> Result<Infallible, Failed> {
    let mut processes = keeper.changes();
    announce(&store, &keeper, &settings);
    let signalled = HashSet::new();
    let mut controller = Controller { store, keeper, settings, routing, signalled, again: false };
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
        let mut seen: BTreeMap<InstanceId, Seen> =
            observed.into_iter().map(|observed| seen_of(view, observed)).collect();
        let tick = self.store.now().tick;
        let mut next_look: Option<u64> = None;
        let mut last = Revision::ZERO;
        self.again = false;
        let mine = view.instances().filter(|instance| instance.node == self.settings.node);
        let mine: Vec<_> = mine.cloned().collect();
        let strangers = self.clear_away(&mine, &seen).await;
        let mut starts = Vec::new();
        for instance in mine {
            let seen = seen.remove(&instance.id).unwrap_or(Seen::Nothing);
            let (restart, stop) = policies(view, &instance);
            if let Some(step) = plan(&instance, &restart, &seen, tick) {
                if step != Step::Start {
                    last = last.max(self.carry_out(&instance, &stop, &restart, step).await);
                } else if !strangers || !is_exclusive(view, &instance) {
                    // Otherwise it may be the slot's own, from before records were lost: its end wakes us.
                    starts.push((instance, restart));
                }
            } else if instance.phase == Phase::Backoff {
                let rest = restart_at(&instance, &restart).saturating_sub(tick);
                next_look = Some(next_look.map_or(rest, |other| other.min(rest)));
            }
        }
        for some in starts.chunks(AT_ONCE) {
            last = last.max(self.start(view, some).await);
        }
        self.store.durable(last).await?;
        self.routing.looked(last);
        let next_look = next_look.map(Duration::from_millis);
        Ok(if self.again { Some(next_look.map_or(RETRY, |look| look.min(RETRY))) } else { next_look })
    }

    async fn carry_out(
        &mut self,
        instance: &Instance,
        stop: &Stop,
        restart: &Restart,
        step: Step,
    ) -> Revision {
        match step {
            Step::Start => unreachable!("starts are carried out together"),
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

    /// Starts the processes that are on record as wanted, and records what became of them in one commit: each commit has
    /// everybody look who follows the catalog, and all of them look at all instances.
    async fn start(&mut self, view: &Catalog, wanted: &[(Arc<Instance>, Restart)]) -> Revision {
        let mut starting = JoinSet::new();
        for (at, (instance, _)) in wanted.iter().enumerate() {
            let Some(start) = self.wish(view, instance) else { continue };
            let (keeper, data_dir) = (self.keeper.clone(), self.settings.data_dir.clone());
            starting.spawn(async move { (at, begin(&keeper, start, &data_dir).await) });
        }
        let begun = starting.join_all().await;
        self.again |= begun.iter().any(|(_, begun)| matches!(begun, Begun::Unknown));
        let ((), revision) = self.store.transact(|tx| {
            for (at, begun) in &begun {
                let (planned, restart) = &wanted[*at];
                with_record(tx, planned, |tx, record| record_begun(tx, record, restart, begun));
            }
        });
        revision
    }

    /// What the keeper is to start. None when the version's record has gone, as then the instance goes too.
    fn wish(&self, view: &Catalog, instance: &Instance) -> Option<Start> {
        let version = view.version(&instance.service, instance.version)?;
        Some(Start {
            id: instance.id.clone(),
            command: version.task.command.clone(),
            env: self.settings.environment(instance, version),
            workdir: self.settings.workdir(version),
            log: self.settings.log_file(instance),
            rotation: adsum_runtime::Rotation::default(),
            user: version.task.user.clone(),
            data_dir: Some(self.settings.slot_dir(instance)),
            limits: version.task.limits,
            ulimits: version.task.ulimits.clone(),
        })
    }

    /// Tells an instance to end, once.
    async fn signal(&mut self, id: &InstanceId, stop: &Stop) {
        if self.signalled.contains(id) {
            return;
        }
        let signal = stop.signal.parse().unwrap_or(Signal::TERM);
        match self.keeper.stop(id, signal, stop.grace).await {
            Ok(()) => drop(self.signalled.insert(id.clone())),
            Err(error) => {
                tracing::warn!(instance = %id, %error, "cannot be told to end");
                self.again = true;
            }
        }
    }

    /// Ends what the keeper has and no record knows of. Whether anything of it still runs.
    async fn clear_away(&mut self, mine: &[Arc<Instance>], seen: &BTreeMap<InstanceId, Seen>) -> bool {
        let known: HashSet<&InstanceId> = mine.iter().map(|instance| &instance.id).collect();
        let mut running = false;
        for (id, seen) in seen.iter().filter(|(id, _)| !known.contains(id)) {
            match seen {
                Seen::Running(_) => {
                    running = true;
                    self.signal(id, &Stop::default()).await;
                }
                Seen::Exited(_) => self.forget(id).await,
                Seen::Nothing => {}
            }
        }
        running
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
        let ((), revision) = self.store.transact(|tx| with_record(tx, planned, change));
        revision
    }
}

/// The record of an instance, if it is still in the phase for which something was planned.
fn with_record(
    tx: &mut Transaction<'_>,
    planned: &Instance,
    change: impl FnOnce(&mut Transaction<'_>, &mut Instance),
) {
    if let Some(mut record) = records::instance(tx, &planned.id)
        && record.phase == planned.phase
    {
        change(tx, &mut record);
    }
}

fn record_begun(tx: &mut Transaction<'_>, record: &mut Instance, restart: &Restart, begun: &Begun) {
    match begun {
        Begun::Started(process) => record_process(tx, record, process.clone()),
        Begun::Failed(why) => {
            if let Step::Ended { exit, next } = not_started(record, restart, why, tx.now().tick) {
                record_end(tx, record, restart, &exit, next);
            }
        }
        Begun::Unknown => {}
    }
}

fn record_process(tx: &mut Transaction<'_>, record: &mut Instance, process: Process) {
    let what = format!("runs as process {}", process.pid);
    record.restarts += u32::from(record.phase == Phase::Backoff);
    record.phase = Phase::Running;
    record.process = Some(process);
    record.proven = false;
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
    record.lot = lot::draw() as u32;
    record.ending = Some(exit.ending);
    record.reason = Some(exit.description.clone());
    let (phase, follows) = match next {
        AfterEnd::Restart => (Phase::Backoff, "it is started again after a pause"),
        AfterEnd::Complete => (Phase::Complete, "it is not started again"),
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

fn seen_of(view: &Catalog, observed: Observed) -> (InstanceId, Seen) {
    let seen = match observed.state {
        State::Running { process } => Seen::Running(process),
        State::Exited { status, oom, .. } => {
            let memory = || {
                let instance = view.instance(&observed.id)?;
                view.version(&instance.service, instance.version)?.task.limits.memory
            };
            Seen::Exited(exit(status, (oom == Some(true)).then(|| out_of_memory(memory()))))
        }
    };
    (observed.id, seen)
}

/// `starved` when the kernel killed something of it for want of memory, which need not have been the process itself.
fn exit(status: ExitStatus, starved: Option<String>) -> Exit {
    let description = match (status, starved) {
        (ExitStatus::Signal(9) | ExitStatus::Unknown, Some(starved)) => {
            format!("ended by the kernel: {starved}")
        }
        (ExitStatus::Code(code @ 1..), Some(starved)) => {
            format!("exited with code {code} after the kernel had ended a process of it: {starved}")
        }
        (ExitStatus::Code(code), _) => format!("exited with code {code}"),
        (ExitStatus::Signal(signal), _) => format!("was killed by {}", signal_name(signal)),
        (ExitStatus::Unknown, None) => "ended while its keeper was away".to_string(),
    };
    let ending = if status == ExitStatus::Code(0) { Ending::Success } else { Ending::Failure };
    Exit { ending, description }
}

fn out_of_memory(limit: Option<u64>) -> String {
    match limit {
        Some(bytes) => format!("out of memory (limit {})", spell_size(bytes)),
        None => "out of memory".to_string(),
    }
}

/// Says in the event log what this node's driver can do.
fn announce(store: &Store, keeper: &Keeper, settings: &Settings) {
    let message = format!("node {} {}", settings.node, means(keeper.tree(), &keeper.offer()));
    store.transact(|tx| {
        let (time, kind) = (tx.now().wall, "node-driver".to_string());
        records::log(tx, &Event { time, kind, service: None, instance: None, message });
    });
}

fn means(tree: TreeKind, offer: &Offer) -> String {
    let names: Vec<&str> = offer.controllers.iter().map(|controller| controller.as_str()).collect();
    let limits =
        if names.is_empty() { "no limits".to_string() } else { format!("limits on {}", names.join(", ")) };
    let users = if offer.any_user { "any user" } else { "the agent's user only" };
    format!("keeps processes together by {}, with {limits}, as {users}", tree.as_str())
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

fn is_exclusive(view: &Catalog, instance: &Instance) -> bool {
    let service = view.service(&instance.service).and_then(|state| state.service.as_ref());
    service.is_some_and(|service| service.spec.exclusive)
}

#[cfg(test)]
mod tests {
    use adsum_model::Controller;

    use super::*;

    #[test]
    fn an_end_for_want_of_memory_is_told_with_its_limit() {
        #[track_caller]
        fn check(status: ExitStatus, starved: Option<u64>, expect: &str) {
            let starved = starved.map(|bytes| out_of_memory((bytes > 0).then_some(bytes)));
            assert_eq!(exit(status, starved).description, expect);
        }
        let limit = Some(256 << 20);
        check(ExitStatus::Signal(9), limit, "ended by the kernel: out of memory (limit 256 MiB)");
        check(ExitStatus::Signal(9), Some(0), "ended by the kernel: out of memory");
        check(ExitStatus::Signal(9), None, "was killed by SIGKILL");
        check(ExitStatus::Signal(15), limit, "was killed by SIGTERM");
        check(ExitStatus::Unknown, limit, "ended by the kernel: out of memory (limit 256 MiB)");
        let child =
            "exited with code 137 after the kernel had ended a process of it: out of memory (limit 256 MiB)";
        check(ExitStatus::Code(137), limit, child);
        check(ExitStatus::Code(0), limit, "exited with code 0");
    }

    #[test]
    fn what_a_driver_can_do_is_said_in_a_sentence() {
        let all = Offer { controllers: Controller::ALL.into(), any_user: true };
        let expect = "keeps processes together by cgroup2, with limits on memory, cpu, pids, as any user";
        assert_eq!(means(TreeKind::Cgroup2, &all), expect);
        let expect = "keeps processes together by process-group, with no limits, as the agent's user only";
        assert_eq!(means(TreeKind::ProcessGroup, &Offer::default()), expect);
    }
}
