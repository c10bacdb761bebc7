//! The controller of what clients have registered on this node: looks where a check says so, notes what has given no
//! sign of life, has aliases say what they stand for, and takes out what was critical for too long. Programs are started
//! only where the agent was told so; else their checks are critical, and say why.
//!
//! What is decided is decided in `catalog::checks`; the records are changed by the verbs of `catalog::register`, which
//! look again at what is true by then. Nothing here is kept over a restart: a check that is probed is probed at once, and
//! whether there was a sign of life in time is on record.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::{Catalog, Dated, checks, register};
use adsum_keyspace::{Op, Space};
use adsum_model::registered::{Check, Definition, Kind, Status};
use adsum_model::{Name, Revision};
use adsum_probe::{Outcome, look};
use adsum_store::{Ended, Failed, Store};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::commit::commit;
use crate::{Settings, lot};

/// How many checks are looked at at a time: each look has a socket, or a process. The others wait for their turn.
const LOOKS: usize = 256;
const NO_SCRIPTS: &str =
    "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' to true";

/// Follows the catalog and the signs of life for ever.
pub(crate) async fn run(store: Store, settings: &Settings) -> Result<Infallible, Failed> {
    Controller::new(store, settings, LOOKS).run().await
}

#[derive(Clone)]
struct Controller {
    store: Store,
    node: Name,
    script_checks: bool,
    /// One permit for each look that is under way.
    looks: Arc<Semaphore>,
}

impl Controller {
    fn new(store: Store, settings: &Settings, looks: usize) -> Controller {
        let (node, script_checks) = (settings.node.clone(), settings.script_checks);
        Controller { store, node, script_checks, looks: Arc::new(Semaphore::new(looks)) }
    }

    async fn run(&self) -> Result<Infallible, Failed> {
        let (never, _) = tokio::try_join!(self.follow(), self.listen())?;
        match never {}
    }

    async fn follow(&self) -> Result<Infallible, Failed> {
        let mut watched: HashMap<String, Watched> = HashMap::new();
        let mut seen = None;
        loop {
            let view = self.store.catalog().await?;
            let registry = view.registry();
            if seen != Some(registry.definitions()) {
                seen = Some(registry.definitions());
                self.watch(&view, &mut watched);
            }
            self.conclude(&view).await?;
            let next = self.reap(&view).await?;
            self.news(&view, next).await?;
        }
    }

    /// Returns when something that is registered has changed, or an instance where an alias is of one, or at the tick at
    /// which something is to be taken out.
    async fn news(&self, view: &Catalog, next: Option<u64>) -> Result<(), Failed> {
        let checks = || view.registry().checks_on(self.node.as_str());
        let mirrors = checks().any(|check| checks::mirrors_instance(view, check));
        let changed = async {
            let mut seen = view.revision();
            loop {
                let now = self.store.directory().changed(seen).await?;
                let routed = now.routing_revision() != view.routing_revision();
                if now.registry().changed() != view.registry().changed() || (mirrors && routed) {
                    return Ok(());
                }
                seen = now.revision();
            }
        };
        let due = async {
            match next {
                Some(tick) => sleep(Duration::from_millis(tick.saturating_sub(self.store.now().tick))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changed => changed,
            () = due => Ok(()),
        }
    }

    /// One task for each check that is made by looking, as it is defined now.
    fn watch(&self, view: &Catalog, watched: &mut HashMap<String, Watched>) {
        let node = self.node.as_str();
        watched
            .retain(|id, watched| view.registry().check(node, id).is_some_and(|check| watched.is_of(check)));
        for check in view.registry().checks_on(node).filter(|check| self.is_watched(check)) {
            if !watched.contains_key(&check.id) {
                watched.insert(check.id.clone(), Watched::spawn(self.clone(), check));
            }
        }
    }

    fn is_watched(&self, check: &Check) -> bool {
        check.definition.kind.is_probed() && !self.is_refused(check)
    }

    /// A check may have been registered when programs were still started for checks.
    fn is_refused(&self, check: &Check) -> bool {
        !self.script_checks && matches!(check.definition.kind, Kind::Script { .. } | Kind::Docker { .. })
    }

    /// Looks at once, and then again and again.
    async fn probe(self, check: Check) -> Result<(), Failed> {
        let mut course = checks::Course::default();
        let mut written: Option<Instant> = None;
        for probes in 1.. {
            let Some(Outcome { status, output }) = self.look(&check.definition).await else { return Ok(()) };
            let status = course.observe(&check.definition.thresholds, status.into());
            if let Some(status) = status.filter(|status| self.is_news(&check, (*status, &output), written)) {
                self.note(&check, status, &output).await?;
                written = Some(Instant::now());
            }
            sleep(checks::pause(check.definition.interval, probes, lot::draw() as u32)).await;
        }
        Ok(())
    }

    /// The time that a look may take begins with its turn.
    async fn look(&self, definition: &Definition) -> Option<Outcome> {
        let _turn = self.looks.acquire().await.expect("nobody closes it");
        look(definition).await
    }

    /// Against what is on record now, which others may have written.
    fn is_news(&self, check: &Check, found: (Status, &str), written: Option<Instant>) -> bool {
        let age = written.map_or(checks::OUTPUT_PAUSE, |written| written.elapsed());
        let view = self.store.directory().view();
        let on_record = view.registry().check(&check.node, &check.id);
        on_record.is_some_and(|on_record| checks::is_news((on_record.status, &on_record.output), found, age))
    }

    async fn note(&self, check: &Check, status: Status, output: &str) -> Result<(), Failed> {
        let what = format!("the status of check {:?}", check.id);
        commit(&self.store, &what, |tx| register::observed(tx, check, status, output)).await?;
        Ok(())
    }

    /// Writes what needs no look: aliases follow what they stand for, and programs that are not started are critical.
    async fn conclude(&self, view: &Catalog) -> Result<(), Failed> {
        for check in view.registry().checks_on(self.node.as_str()) {
            let refused = || self.is_refused(check).then(|| (Status::Critical, NO_SCRIPTS.to_string()));
            let concluded = checks::mirrored(view, check).or_else(refused);
            let is_new =
                |(status, output): &(Status, String)| (*status, output) != (check.status, &check.output);
            if let Some((status, output)) = concluded.filter(is_new) {
                self.note(check, status, &output).await?;
            }
        }
        Ok(())
    }

    /// Takes out what was critical for too long; the tick at which the next is.
    async fn reap(&self, view: &Catalog) -> Result<Option<u64>, Failed> {
        let mut next: Option<u64> = None;
        for check in view.registry().checks_on(self.node.as_str()) {
            match checks::reaped_at(check) {
                Some(at) if at <= self.store.now().tick => self.take_out(check).await?,
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        Ok(next)
    }

    /// In pieces, since a service may have many checks.
    async fn take_out(&self, check: &Check) -> Result<(), Failed> {
        let what = format!("the end of service {:?}, whose check is critical,", check.service);
        while commit(&self.store, &what, |tx| register::reap(tx, check)).await? == Some(true) {}
        Ok(())
    }

    /// Follows the signs of life of this node.
    async fn listen(&self) -> Result<Infallible, Failed> {
        loop {
            let seen = self.note_silent().await?;
            self.follow_beats(seen).await?;
        }
    }

    /// All that is silent now, as of the revision that is returned.
    async fn note_silent(&self) -> Result<Revision, Failed> {
        let view = self.store.catalog().await?;
        let is_ttl = |check: &Check| matches!(check.definition.kind, Kind::Ttl(_));
        for check in view.registry().checks_on(self.node.as_str()).filter(|check| is_ttl(check)) {
            self.expire(&check.id).await?;
        }
        Ok(view.revision())
    }

    /// Notes each that falls silent, until so much has happened that the history has some of it no more.
    async fn follow_beats(&self, seen: Revision) -> Result<(), Failed> {
        let mut watch = self.store.watch(Space::System, seen);
        loop {
            let commits = match watch.next().await {
                Ok(commits) => commits,
                Err(Ended::Compacted(_)) => return Ok(()),
                Err(Ended::Failed(failed)) => return Err(failed),
            };
            let changes = commits.iter().flat_map(|commit| &commit.changes);
            let silent = changes.filter(|change| matches!(change.op, Op::Delete));
            let silent: Vec<_> = silent.filter_map(|change| register::beat_of(&change.key)).collect();
            for (_, id) in silent.iter().filter(|(of, _)| of.eq_ignore_ascii_case(self.node.as_str())) {
                self.expire(id).await?;
            }
        }
    }

    async fn expire(&self, id: &str) -> Result<(), Failed> {
        let what = format!("the silence of check {id:?}");
        commit(&self.store, &what, |tx| register::expired(tx, self.node.as_str(), id)).await?;
        Ok(())
    }
}

/// A check, which is another when it was taken out in between, and the task that makes it; the task ends with this.
struct Watched {
    definition: Definition,
    created: Revision,
    task: AbortHandle,
}

impl Watched {
    fn spawn(controller: Controller, check: &Dated<Check>) -> Watched {
        let task = tokio::spawn(controller.probe(check.record.clone())).abort_handle();
        Watched { definition: check.definition.clone(), created: check.created, task }
    }

    fn is_of(&self, check: &Dated<Check>) -> bool {
        (self.created, &self.definition) == (check.created, &check.definition)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
