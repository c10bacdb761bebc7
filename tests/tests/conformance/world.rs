//! What the suite asks of an engine, and nothing more.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use adsum_keyspace::{Blob, Commit, Compacted, Database, Entry, Notice, Space, Transaction, Value};
use adsum_model::Revision;

pub(crate) const DB: Database = Database::User(0);
/// For anything that is expected to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An engine with its data, for one test.
pub(crate) trait World: Sized + Send + 'static {
    type Node: Node;
    const NAME: &'static str;
    /// How many keys of how many bytes are too many for one transaction, and what the refusal says of the limit.
    const TOO_BIG: (usize, usize, &'static str);
    /// More of these than the history keeps.
    const HISTORY: (usize, usize);

    /// Whether its programs are installed.
    fn is_here() -> bool;
    async fn start() -> Self;
    /// A participant. On an engine for one process all of them are the same.
    async fn node(&mut self) -> Self::Node;
    /// The engine is killed and comes back; the node goes on, or another one where it left off.
    async fn crash(&mut self, node: Self::Node) -> Self::Node;
    /// Remembers the data of now.
    async fn save(&mut self);
    /// Goes back to the data that was saved, as its users are told to, and lets `node` go on with it.
    async fn restore(&mut self, node: Self::Node) -> Self::Node;
}

/// A participant.
pub(crate) trait Node: Clone + Send + Sync + 'static {
    type Watch: Watch;
    type Ear: Ear;

    /// Returns when it is committed, durable, and readable here.
    fn transact<T: Send>(
        &self,
        body: impl FnMut(&mut Transaction<'_>) -> T + Send,
    ) -> impl Future<Output = Result<Done<T>, Refusal>> + Send;

    /// Reads what this node knows, at once.
    fn local<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Local<T>;
    fn watch(&self, space: Space, after: Revision) -> Self::Watch;
    /// Hears what is published on a channel from now on.
    fn listen(&self, channel: &str) -> Self::Ear;
}

pub(crate) trait Watch: Send {
    fn next(&mut self) -> impl Future<Output = Result<Vec<Arc<Commit>>, Ended>> + Send;
    fn seen(&self) -> Revision;
}

pub(crate) trait Ear: Send {
    fn has_heard(&mut self, payload: &str) -> bool;
}

#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) reply: T,
    pub(crate) revision: Revision,
}

#[derive(Debug)]
pub(crate) struct Local<T> {
    pub(crate) reply: T,
    pub(crate) revision: Revision,
    pub(crate) age: Duration,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the words of a refusal are read when a test fails by it")]
pub(crate) enum Refusal {
    TooBig(String),
    Other(String),
}

#[derive(Debug)]
#[expect(dead_code, reason = "the words of an end are read when a test fails by it")]
pub(crate) enum Ended {
    Compacted(Compacted),
    Other(String),
}

/// Runs a case in a runtime of its own, unless what it needs is missing.
#[track_caller]
pub(crate) fn run<W: World, F: Future<Output = ()>>(case: impl FnOnce(W) -> F) {
    if !W::is_here() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { case(W::start().await).await });
}

/// Waits for what is expected to happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {SOON:?} until {what}"),
    }
}

/// Polls for a level.
pub(crate) async fn until<T>(what: &str, mut level: impl FnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            match level() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
}

/// The next commits of a watch that is expected to go on.
pub(crate) async fn next(watch: &mut impl Watch) -> Vec<Arc<Commit>> {
    soon("the watch delivers", watch.next()).await.unwrap()
}

/// A watch, commit by commit, however many it delivers at once.
pub(crate) struct Commits<W: Watch> {
    watch: W,
    ready: VecDeque<Arc<Commit>>,
}

impl<W: Watch> Commits<W> {
    pub(crate) fn of(watch: W) -> Commits<W> {
        Commits { watch, ready: VecDeque::new() }
    }

    pub(crate) async fn one(&mut self) -> Arc<Commit> {
        loop {
            match self.ready.pop_front() {
                Some(commit) => return commit,
                None => self.ready.extend(next(&mut self.watch).await),
            }
        }
    }

    /// The notices of the next commit.
    pub(crate) async fn notices(&mut self) -> Vec<(String, &'static str)> {
        notices(self.one().await.as_ref())
    }
}

/// Commits of a watch until one of them is the last that is wanted.
pub(crate) async fn commits_until(
    watch: &mut impl Watch,
    mut last: impl FnMut(&Commit) -> bool,
) -> Vec<Arc<Commit>> {
    let mut commits = Vec::new();
    loop {
        commits.extend(next(watch).await);
        if commits.last().is_some_and(|commit| last(commit)) {
            return commits;
        }
    }
}

pub(crate) fn put(tx: &mut Transaction<'_>, key: &str, value: &str) {
    tx.put(DB, key, Value::String(Blob::from(value)), None, &[Notice::Set]);
}

pub(crate) fn text(tx: &mut Transaction<'_>, key: &str) -> Option<String> {
    match &tx.get(DB, key.as_bytes())?.value {
        Value::String(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => panic!("{key} is no string: {other:?}"),
    }
}

pub(crate) fn number(tx: &mut Transaction<'_>, key: &str) -> u64 {
    text(tx, key).map_or(0, |text| text.parse().unwrap())
}

/// The keys that begin with a prefix, in order.
pub(crate) fn under(tx: &mut Transaction<'_>, prefix: &str) -> Vec<String> {
    let keys = tx.keys_under(DB, prefix.as_bytes());
    let inside = keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
    inside.filter(|key| key.starts_with(prefix)).collect()
}

/// Everything that a node knows of a database.
pub(crate) fn entries(node: &impl Node, database: Database) -> Vec<(Blob, Entry)> {
    let read = |tx: &mut Transaction<'_>| {
        tx.keys(database).iter().map(|(key, entry)| (key.clone(), Entry::clone(entry))).collect()
    };
    node.local(read).reply
}

/// The notices of a commit with the keys they are about, in order.
pub(crate) fn notices(commit: &Commit) -> Vec<(String, &'static str)> {
    let of_change = |change: &'_ adsum_keyspace::Change| {
        let key = String::from_utf8_lossy(&change.key).into_owned();
        change.notices.iter().map(move |notice| (key.clone(), notice.as_str())).collect::<Vec<_>>()
    };
    commit.changes.iter().flat_map(of_change).collect()
}
