//! The controller of health: probes what runs on this node.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use adsum_catalog::{Catalog, records};
use adsum_keyspace::Transaction;
use adsum_model::{Check, CheckKind, Health, Instance, InstanceId, Phase, Version};
use adsum_probe::{Outcome, Status, Target, probe};
use adsum_rollout::health::{Course, Finding};
use adsum_runtime::{Keeper, Listener, listens};
use adsum_store::{Failed, Store};
use tokio::task::AbortHandle;

use crate::{Settings, event};

/// An instance that takes longer than this to pass has its reason put on record.
const PATIENCE: Duration = Duration::from_millis(500);

/// Follows the catalog for ever, with one task per running process.
pub(crate) async fn run(store: Store, keeper: Keeper, settings: Settings) -> Result<Infallible, Failed> {
    let mut watched: HashMap<InstanceId, Watched> = HashMap::new();
    loop {
        let view = store.catalog().await?;
        watched.retain(|id, watched| watched.is_wanted(view.instance(id).map(AsRef::as_ref)));
        for instance in view.instances().filter(|instance| is_probed(instance, &settings)) {
            if !watched.contains_key(&instance.id)
                && let Some(watching) = Watching::new(&store, &keeper, &settings, &view, instance)
            {
                watched.insert(instance.id.clone(), Watched::spawn(watching));
            }
        }
        store.directory().changed(view.revision()).await?;
    }
}

fn is_probed(instance: &Instance, settings: &Settings) -> bool {
    instance.node == settings.node
        && instance.phase == Phase::Running
        && instance.process.is_some()
        && instance.health != Health::Draining
}

/// The task that watches over one process; ends with this. One that comes out of maintenance is looked at anew, at once.
struct Watched {
    pid: Option<u32>,
    maintained: bool,
    task: AbortHandle,
}

impl Watched {
    fn spawn(watching: Watching) -> Watched {
        let pid = watching.instance.process.as_ref().map(|process| process.pid);
        let maintained = watching.instance.maintenance.is_some();
        Watched { pid, maintained, task: tokio::spawn(watching.run()).abort_handle() }
    }

    fn is_wanted(&self, instance: Option<&Instance>) -> bool {
        instance.is_some_and(|instance| {
            let pid = instance.process.as_ref().map(|process| process.pid);
            let is_same = pid == self.pid && instance.maintenance.is_some() == self.maintained;
            instance.phase == Phase::Running && instance.health != Health::Draining && is_same
        })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One process and its check.
struct Watching {
    store: Store,
    keeper: Keeper,
    instance: Instance,
    check: Check,
    target: Target,
    course: Course,
    started: Instant,
}

impl Watching {
    /// Nothing when the version's record has gone, as then the instance goes too.
    fn new(
        store: &Store,
        keeper: &Keeper,
        settings: &Settings,
        view: &Catalog,
        instance: &Instance,
    ) -> Option<Watching> {
        let version: &Version = view.version(&instance.service, instance.version)?;
        let target = Target {
            endpoint: instance.endpoint,
            env: settings.environment(instance, version),
            workdir: settings.workdir(version),
        };
        Some(Watching {
            store: store.clone(),
            keeper: keeper.clone(),
            instance: instance.clone(),
            check: version.check.clone(),
            target,
            course: Course::from(instance.health),
            started: Instant::now(),
        })
    }

    async fn run(mut self) {
        let mut on_record = self.instance.health;
        let mut reason = self.instance.reason.clone();
        loop {
            let outcome = self.look().await;
            let age = self.started.elapsed();
            let health = self.course.observe(&self.check, finding(outcome.status), age);
            let said = Some(outcome.output.trim_end()).filter(|said| !said.is_empty()).map(str::to_string);
            let why = said.filter(|_| health != Health::Passing);
            let is_news = health != on_record || (why != reason && age > PATIENCE);
            if is_news && self.record(health, why.clone()).await.is_err() {
                return;
            }
            if is_news {
                (on_record, reason) = (health, why);
            }
            tokio::time::sleep(self.course.pause(&self.check)).await;
        }
    }

    /// Probes, and does not take somebody else's answer for the instance's own.
    async fn look(&self) -> Outcome {
        let outcome = probe(&self.check, &self.target).await;
        let proves_listening = matches!(self.check.kind, CheckKind::Http { .. } | CheckKind::Tcp);
        if !proves_listening || outcome.status == Status::Critical {
            return outcome;
        }
        let port = self.instance.endpoint.port();
        let pids = self.keeper.pids(&self.instance.id).await.unwrap_or_default();
        match listens(&pids, port) {
            Listener::Own => outcome,
            Listener::Foreign | Listener::None => Outcome {
                status: Status::Critical,
                output: format!("port {port} is held by a process that does not belong to this instance"),
            },
        }
    }

    async fn record(&self, health: Health, reason: Option<String>) -> Result<(), Failed> {
        let process = self.instance.process.clone();
        self.store
            .commit(|tx| {
                let Some(mut record) = records::instance(tx, &self.instance.id) else { return };
                let still_ours = record.phase == Phase::Running && record.process == process;
                if still_ours && record.health != Health::Draining {
                    // What a check finds does not put back what a person has taken out.
                    let is_out = record.maintenance.is_some();
                    let health = if is_out { Health::Maintenance } else { health };
                    set_health(tx, &mut record, health, reason);
                }
            })
            .await
    }
}

fn set_health(tx: &mut Transaction<'_>, record: &mut Instance, health: Health, reason: Option<String>) {
    let before = record.health;
    record.health = health;
    record.proven |= health == Health::Passing;
    if health == Health::Passing {
        record.passed.get_or_insert(tx.now().tick);
    }
    record.reason.clone_from(&reason);
    records::put_instance(tx, record);
    if before == health {
        return;
    }
    let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = format!("is {health}, was {before}{because}");
    records::log(tx, &event(tx.now().wall, &format!("instance-{health}"), record, &what));
}

fn finding(status: Status) -> Finding {
    match status {
        Status::Passing => Finding::Passing,
        Status::Warning => Finding::Warning,
        Status::Critical => Finding::Critical,
    }
}
