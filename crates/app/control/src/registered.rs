//! The controller of what clients have registered on this node: looks where a check says so, notes what has given no
//! sign of life, has aliases say what they stand for, and takes out what was critical for too long.
//!
//! What is decided is decided in `catalog::checks`; the records are changed by the verbs of `catalog::register`, which
//! look again at what is true by then. Nothing here is kept over a restart: a check that is probed is probed at once, and
//! whether there was a sign of life in time is on record.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use adsum_catalog::{Catalog, checks, register};
use adsum_keyspace::{Op, Space};
use adsum_model::registered::{Check, Kind};
use adsum_model::{Name, Revision};
use adsum_probe::look;
use adsum_store::{Ended, Failed, Store};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::lot;

/// Follows the catalog and the signs of life for ever.
pub(crate) async fn run(store: Store, node: Name) -> Result<Infallible, Failed> {
    let (never, _) = tokio::try_join!(follow(store.clone(), node.as_str()), listen(store, node.as_str()))?;
    match never {}
}

async fn follow(store: Store, node: &str) -> Result<Infallible, Failed> {
    let mut watched: HashMap<String, Watched> = HashMap::new();
    let mut seen = None;
    loop {
        let view = store.catalog().await?;
        let registry = view.registry();
        if seen != Some(registry.definitions()) {
            seen = Some(registry.definitions());
            watch(&store, &view, node, &mut watched);
        }
        mirror(&store, &view, node).await?;
        let next = reap(&store, &view, node).await?;
        news(&store, &view, next).await?;
    }
}

/// Returns when something that is registered has changed, or at the tick at which something is to be taken out.
async fn news(store: &Store, view: &Catalog, next: Option<u64>) -> Result<(), Failed> {
    let changed = async {
        let mut seen = view.revision();
        loop {
            let now = store.directory().changed(seen).await?;
            if now.registry().changed() != view.registry().changed() {
                return Ok(());
            }
            seen = now.revision();
        }
    };
    let due = async {
        match next {
            Some(tick) => sleep(Duration::from_millis(tick.saturating_sub(store.now().tick))).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        changed = changed => changed,
        () = due => Ok(()),
    }
}

/// One task for each check that is made by looking, as it is defined now.
fn watch(store: &Store, view: &Catalog, node: &str, watched: &mut HashMap<String, Watched>) {
    let defined = |id: &str| view.registry().check(node, id);
    watched
        .retain(|id, watched| defined(id).is_some_and(|check| check.definition == watched.check.definition));
    for check in view.registry().checks_on(node).filter(|check| check.definition.kind.is_probed()) {
        if !watched.contains_key(&check.id) {
            watched.insert(check.id.clone(), Watched::spawn(store.clone(), check.record.clone()));
        }
    }
}

/// A check and the task that makes it; the task ends with this.
struct Watched {
    check: Check,
    task: AbortHandle,
}

impl Watched {
    fn spawn(store: Store, check: Check) -> Watched {
        let task = tokio::spawn(probe(store, check.clone())).abort_handle();
        Watched { check, task }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks at once, and then again and again.
async fn probe(store: Store, mut check: Check) -> Result<(), Failed> {
    let mut course = checks::Course::default();
    let mut written: Option<Instant> = None;
    for probes in 1.. {
        let Some(outcome) = look(&check.definition).await else { return Ok(()) };
        let status = course.observe(&check.definition.thresholds, outcome.status.into());
        if let Some(status) = status {
            let age = written.map_or(checks::OUTPUT_PAUSE, |written| written.elapsed());
            if checks::is_news((check.status, &check.output), (status, &outcome.output), age) {
                store.commit(|tx| register::observed(tx, &check, status, &outcome.output)).await?;
                (check.status, check.output) = (status, outcome.output);
                written = Some(Instant::now());
            }
        }
        sleep(checks::pause(check.definition.interval, probes, lot::draw() as u32)).await;
    }
    Ok(())
}

/// Aliases follow what they stand for.
async fn mirror(store: &Store, view: &Catalog, node: &str) -> Result<(), Failed> {
    for check in view.registry().checks_on(node) {
        let mirrored = checks::mirrored(view, check);
        let mirrored = mirrored.filter(|(status, output)| (*status, output) != (check.status, &check.output));
        if let Some((status, output)) = mirrored {
            store.commit(|tx| register::observed(tx, check, status, &output)).await?;
        }
    }
    Ok(())
}

/// Takes out what was critical for too long; the tick at which the next is.
async fn reap(store: &Store, view: &Catalog, node: &str) -> Result<Option<u64>, Failed> {
    let mut next: Option<u64> = None;
    for check in view.registry().checks_on(node) {
        match checks::reaped_at(check) {
            Some(at) if at <= store.now().tick => store.commit(|tx| register::reap(tx, check)).await?,
            Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
            None => {}
        }
    }
    Ok(next)
}

/// Follows the signs of life of this node.
async fn listen(store: Store, node: &str) -> Result<Infallible, Failed> {
    loop {
        let seen = note_silent(&store, node).await?;
        follow_beats(&store, node, seen).await?;
    }
}

/// All that is silent now, as of the revision that is returned.
async fn note_silent(store: &Store, node: &str) -> Result<Revision, Failed> {
    let view = store.catalog().await?;
    let is_ttl = |check: &Check| matches!(check.definition.kind, Kind::Ttl(_));
    for check in view.registry().checks_on(node).filter(|check| is_ttl(check)) {
        store.commit(|tx| register::expired(tx, node, &check.id)).await?;
    }
    Ok(view.revision())
}

/// Notes each that falls silent, until so much has happened that the history has some of it no more.
async fn follow_beats(store: &Store, node: &str, seen: Revision) -> Result<(), Failed> {
    let mut watch = store.watch(Space::System, seen);
    loop {
        let commits = match watch.next().await {
            Ok(commits) => commits,
            Err(Ended::Compacted(_)) => return Ok(()),
            Err(Ended::Failed(failed)) => return Err(failed),
        };
        let changes = commits.iter().flat_map(|commit| &commit.changes);
        let silent = changes.filter(|change| matches!(change.op, Op::Delete));
        let silent: Vec<_> = silent.filter_map(|change| register::beat_of(&change.key)).collect();
        for (of, id) in silent.iter().filter(|(of, _)| of.eq_ignore_ascii_case(node)) {
            store.commit(|tx| register::expired(tx, of, id)).await?;
        }
    }
}

#[cfg(test)]
mod tests;
