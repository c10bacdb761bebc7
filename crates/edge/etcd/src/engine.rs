//! The handle.

use std::sync::Arc;
use std::time::Duration;

use adsum_keyspace::{Space, Transaction};
use adsum_model::Revision;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::error::{Broken, Error, OpenError, Unavailable};
use crate::layout::Layout;
use crate::link::{Link, txn};
use crate::load::head;
use crate::protocol::TxnRequest;
use crate::requests::{is_of, put};
use crate::shared::Shared;
use crate::watch::{Published, Watch};
use crate::{feed, session, timekeeper};

/// For the first view of etcd.
const OPENING: Duration = Duration::from_secs(10);

/// Which keyspace, on which etcd.
#[derive(Clone, Debug)]
pub struct Options {
    /// `http://HOST:2379`, of one cluster; one at a time is used.
    pub endpoints: Vec<String>,
    /// Several keyspaces can share an etcd. Lower-case letters, digits and hyphens.
    pub name: String,
}

/// One process' handle on the keyspace. Clones are the same handle; the last one ends its tasks.
#[derive(Clone)]
pub struct Engine {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What came of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<T> {
    pub reply: T,
    /// Its own, or that which it has read from when it has changed nothing.
    pub revision: Revision,
    pub committed: bool,
}

/// What was read of the view, whether or not etcd is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local<T> {
    pub reply: T,
    pub revision: Revision,
    /// So long ago there was nothing newer.
    pub age: Duration,
}

impl Engine {
    /// Connects, and reads what is there.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(options: Options) -> Result<Engine, OpenError> {
        check_name(&options.name)?;
        let link = Link::new(&options.endpoints)?;
        let shared = Arc::new(Shared::new(Layout::new(&options.name), link, process_id()?));
        let engine = Engine { running: Arc::new(Running::start(shared)) };
        engine.until_loaded().await?;
        Ok(engine)
    }

    /// Runs `body` until what it has read holds when etcd commits it. What it is to do outside of the transaction it
    /// has to return: only the last run counts, and the others may read what was true a moment ago. A transaction that
    /// changes nothing reads what is true now.
    pub async fn transact<T: Send>(
        &self,
        body: impl FnMut(&mut Transaction<'_>) -> T + Send,
    ) -> Result<Done<T>, Error> {
        self.shared().transact(Vec::new(), body).await
    }

    /// Reads the view as it is. Changes are taken back.
    pub fn local<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Local<T> {
        let mut view = self.shared().view.lock();
        let now = view.now();
        let reply = view.attempt(now, body).reply;
        Local { reply, revision: view.revision(), age: view.age() }
    }

    /// Of the view.
    pub fn revision(&self) -> Revision {
        self.shared().level.borrow().revision
    }

    /// Everything in a space after `after`, in order and without a gap.
    pub fn watch(&self, space: Space, after: Revision) -> Watch {
        Watch::new(self.shared().clone(), space, after)
    }

    /// Messages that any process publishes from now on. Who is too far behind is told how many it has lost.
    pub fn published(&self) -> broadcast::Receiver<Arc<Published>> {
        self.shared().published.subscribe()
    }

    /// Whether this process expires keys for all.
    pub fn is_timekeeper(&self) -> bool {
        self.shared().session.borrow().is_some_and(|session| session.timekeeper.is_some())
    }

    /// Whether etcd serves, as far as is known.
    pub async fn available(&self) -> Result<(), Unavailable> {
        self.shared().link.channel(Instant::now()).await.map(drop)
    }

    /// Ends the watches, and gives the lease back, so that another timekeeper need not wait for its end.
    pub async fn close(self) {
        self.shared().close();
        session::end(self.shared()).await;
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.running.shared
    }

    async fn until_loaded(&self) -> Result<(), Unavailable> {
        let shared = self.shared();
        let loaded = async {
            shared.link.until_up().await;
            let mut session = shared.session.subscribe();
            let _ = session.wait_for(Option::is_some).await;
        };
        match timeout(OPENING, loaded).await {
            Ok(()) => Ok(()),
            Err(_) => Err(shared
                .link
                .channel(Instant::now())
                .await
                .err()
                .unwrap_or_else(|| shared.link.unavailable("it has given this process no lease"))),
        }
    }
}

impl Running {
    fn start(shared: Arc<Shared>) -> Running {
        let (one, two, three) = (shared.clone(), shared.clone(), shared.clone());
        let tasks = vec![
            tokio::spawn(async move { feed::run(&one).await }),
            tokio::spawn(async move { session::run(&two).await }),
            tokio::spawn(async move { timekeeper::run(&three).await }),
        ];
        Running { shared, tasks }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.close();
    }
}

/// After a snapshot of etcd was restored: from now on all revisions are above `above`, which has to be as high as any
/// that was given before. Engines that are open begin anew. Returns the base; it never falls.
pub async fn raise_base(options: &Options, above: Revision) -> Result<Revision, OpenError> {
    check_name(&options.name)?;
    let (link, layout) = (Link::new(&options.endpoints)?, Layout::new(&options.name));
    let raised = raise(&link, &layout, above).await;
    raised.map_err(|broken| link.unavailable(broken).into())
}

async fn raise(link: &Link, layout: &Layout, above: Revision) -> Result<Revision, Broken> {
    let channel = link.connect(0).await?;
    loop {
        let known = head(&channel, layout).await?.base;
        let base = above.0.max(known.revision);
        let request = TxnRequest {
            compare: vec![is_of(layout.base(), known.put_by)],
            success: vec![put(layout.base(), base.to_string().into_bytes(), 0).into()],
            failure: Vec::new(),
        };
        if txn(&channel, request).await?.succeeded {
            return Ok(Revision(base));
        }
    }
}

fn check_name(name: &str) -> Result<(), OpenError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=63).contains(&name.len()) && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(OpenError::Name(name.to_string())),
    }
}

fn process_id() -> Result<String, OpenError> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(|error| OpenError::Random(error.to_string()))?;
    Ok(format!("{:016x}", u64::from_be_bytes(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_part_of_a_path() {
        assert_eq!(check_name("prod-2"), Ok(()));
        for name in ["", "a/b", "A", "é"] {
            assert_eq!(check_name(name), Err(OpenError::Name(name.to_string())));
        }
    }
}
