//! The controller of sessions: ends those whose time has run out, or whose node or checks are not well any more, and
//! takes out what is left over of keys that Redis clients have deleted.
//!
//! ```text
//! session-ttl/ID expires      the session ends: its keys are released or deleted, in the commit in which it goes
//! a check turns critical      the same
//! ```
//!
//! A session that is over is found again, whoever has been killed since: its record is there until it holds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use adsum_catalog::records;
use adsum_keyspace::{Commit, Database, Keys, Op, Space, Transaction};
use adsum_model::{Event, Revision};
use adsum_session::end::{self, Ended};
use adsum_session::session::{self, Behavior};
use adsum_session::{SESSION, Session, check, kv, session_of_time, sweep};
use adsum_store::{Ended as WatchEnded, Failed, Store};

use crate::commit::commit;

/// What is left over is looked for when there are so many more records than twice what was kept the last time.
const SWEPT_FROM: usize = 1000;
/// What sessions live with, as [`check::problem`] looks at it: nodes with and without an agent, instances, checks.
const LIVED_WITH: [&[u8]; 4] = [b"node/", b"external/", b"instance/", b"check/"];
/// Records that are taken out at once.
const AT_ONCE: usize = 500;
const OUT_OF_TIME: &str = "its time has run out";

struct Controller {
    store: Store,
    /// All that live, by their ids.
    living: BTreeMap<String, Session>,
    /// Records beside keys that were kept by the last sweep.
    kept: usize,
}

/// Follows the system space for ever.
pub(crate) async fn run(store: Store) -> Result<Infallible, Failed> {
    Controller { store, living: BTreeMap::new(), kept: 0 }.follow().await
}

impl Controller {
    async fn follow(mut self) -> Result<Infallible, Failed> {
        loop {
            let revision = self.look().await?;
            let mut watch = self.store.watch(Space::System, revision);
            loop {
                match watch.next().await {
                    Ok(commits) => self.take(&commits).await?,
                    Err(WatchEnded::Compacted(_)) => break,
                    Err(WatchEnded::Failed(failed)) => return Err(failed),
                }
            }
        }
    }

    /// Looks at everything that there is.
    async fn look(&mut self) -> Result<Revision, Failed> {
        let (system, revision) = self.system();
        self.store.durable(revision).await?;
        let (over, living): (Vec<_>, Vec<_>) = session::all(&system).partition(|(_, over)| *over);
        drop(system);
        let by_id = |(listed, _): (session::Listed, bool)| (listed.session.id.clone(), listed.session);
        self.living = living.into_iter().map(by_id).collect();
        for (listed, _) in over {
            self.end(&listed.session.id, OUT_OF_TIME).await?;
        }
        self.drop_queries().await?;
        self.check().await?;
        self.sweep().await?;
        Ok(revision)
    }

    async fn take(&mut self, commits: &[Arc<Commit>]) -> Result<(), Failed> {
        let (mut over, mut begun, mut may_be_ill, mut beside) = (Vec::new(), BTreeSet::new(), false, false);
        for change in commits.iter().flat_map(|commit| &commit.changes) {
            if let Some(id) = session_of_time(&change.key) {
                over.extend((change.op == Op::Delete).then(|| id.to_string()));
            } else if let Some(id) = change.key.strip_prefix(SESSION) {
                begun.insert(String::from_utf8_lossy(id).into_owned());
            } else if change.key.starts_with(b"kv/") {
                beside = true;
            } else {
                may_be_ill |= is_looked_at(&change.key);
            }
        }
        may_be_ill |= !begun.is_empty();
        self.note(begun).await?;
        for id in over {
            self.end(&id, OUT_OF_TIME).await?;
        }
        if may_be_ill {
            self.check().await?;
        }
        if beside {
            self.sweep().await?;
        }
        Ok(())
    }

    /// Notes sessions that have begun or ended. Of one that was destroyed there may be more to end.
    async fn note(&mut self, ids: BTreeSet<String>) -> Result<(), Failed> {
        let mut has_ended = false;
        for id in ids {
            match self.store.transact(|tx| session::valid(tx, &id)).0 {
                Some(listed) => drop(self.living.insert(id, listed.session)),
                None => {
                    self.end(&id, "it was destroyed").await?;
                    has_ended = true;
                }
            }
        }
        if has_ended { self.drop_queries().await } else { Ok(()) }
    }

    /// A prepared query goes with the session that it is bound to.
    async fn drop_queries(&self) -> Result<(), Failed> {
        let catalog = self.store.catalog().await?;
        for query in catalog.queries().filter(|query| !query.session.is_empty()) {
            let what = format!("the end of prepared query {:?}", query.id);
            commit(&self.store, &what, |tx| drop_query(tx, &query.id, &query.session)).await?;
        }
        Ok(())
    }

    /// Ends those whose node or checks are not well.
    async fn check(&mut self) -> Result<(), Failed> {
        if self.living.is_empty() {
            return Ok(());
        }
        let catalog = self.store.catalog().await?;
        let problem =
            |session: &Session| check::problem(&catalog, session).map(|problem| problem.to_string());
        let ill: Vec<(String, String)> = self
            .living
            .values()
            .filter_map(|session| Some((session.id.clone(), problem(session)?)))
            .collect();
        for (id, problem) in ill {
            self.end(&id, &problem).await?;
        }
        Ok(())
    }

    async fn end(&mut self, id: &str, why: &str) -> Result<(), Failed> {
        self.living.remove(id);
        let what = format!("the end of session {id:?}");
        while commit(&self.store, &what, |tx| end_and_tell(tx, id, why)).await? == Some(true) {}
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Failed> {
        let (system, _) = self.system();
        let count = sweep::count(&system);
        if count <= 2 * self.kept + SWEPT_FROM {
            return Ok(());
        }
        let keys = self.store.transact(|tx| tx.keys(kv::DATABASE).clone()).0;
        let left = sweep::left_over(&system, &keys);
        drop((system, keys));
        for some in left.chunks(AT_ONCE) {
            let what = "the end of what is left over of keys";
            commit(&self.store, what, |tx| some.iter().for_each(|name| sweep::take_out(tx, name))).await?;
        }
        self.kept = count - left.len();
        Ok(())
    }

    fn system(&self) -> (Keys, Revision) {
        self.store.transact(|tx| (tx.keys(Database::System).clone(), tx.read_revision())).0
    }
}

/// Whether a session may be over by a change of this key.
fn is_looked_at(key: &[u8]) -> bool {
    LIVED_WITH.iter().any(|kind| key.starts_with(kind))
}

fn drop_query(tx: &mut Transaction<'_>, id: &str, session: &str) {
    if session::valid(tx, session).is_none() {
        records::delete_query(tx, id);
    }
}

/// Whether there is more to end.
fn end_and_tell(tx: &mut Transaction<'_>, id: &str, why: &str) -> bool {
    let Some(ended) = end::end(tx, id) else { return false };
    if ended.keys > 0 {
        let (time, kind) = (tx.now().wall, "session-ended".to_string());
        let message = message(&ended, why);
        records::log(tx, &Event { time, kind, service: None, instance: None, message });
    }
    ended.more
}

/// `session 'deploy' (ID) of node n1 is over, its time has run out: 2 keys released`.
fn message(ended: &Ended, why: &str) -> String {
    let Session { id, name, node, behavior, .. } = &ended.session;
    let done = match behavior {
        Behavior::Release => "released",
        Behavior::Delete => "deleted",
    };
    let keys = if ended.keys == 1 { "1 key".to_string() } else { format!("{} keys", ended.keys) };
    format!("session '{}' ({id}) of node {node} is over, {why}: {keys} {done}", name.escape_debug())
}

#[cfg(test)]
pub(crate) mod tests;
