//! The embedded engine: a store on a directory. It has one process, so all nodes are the same.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adsum_keyspace::{Commit, Now, Space, Transaction};
use adsum_model::Revision;
use adsum_resp::{About, Outbox, Request, Server, Session, Wake};
use adsum_store::{Durability, OpenError, Options, Store};
use adsum_tests::Scratch;

use crate::world::{Done, Ear, Ended, Local, Node, Refusal, Watch, World, until};

pub(crate) struct Embedded {
    // Dropped before its directory is.
    node: Option<EmbeddedNode>,
    scratch: Scratch,
}

#[derive(Clone)]
pub(crate) struct EmbeddedNode {
    store: Store,
}

impl World for Embedded {
    type Node = EmbeddedNode;
    const NAME: &'static str = "embedded";
    const TOO_BIG: (usize, usize, &'static str) = (9, 8 * 1024 * 1024, "67108864");
    const HISTORY: (usize, usize) = (40, 500_000);

    fn is_here() -> bool {
        true
    }

    async fn start() -> Embedded {
        let scratch = Scratch::new();
        let node = open(scratch.path()).await;
        Embedded { node: Some(node), scratch }
    }

    async fn node(&mut self) -> EmbeddedNode {
        self.node.clone().expect("it is open but for a crash")
    }

    /// The directory is opened anew. That a kill of the process leaves the same is for the tests with the binary.
    async fn crash(&mut self, node: EmbeddedNode) -> EmbeddedNode {
        self.node = None;
        node.store.close();
        node.store.flush().await.unwrap();
        drop(node);
        self.node = Some(open(self.scratch.path()).await);
        self.node().await
    }

    async fn save(&mut self) {}

    /// A directory cannot be set back, so this is what is left of a restore: another begin.
    async fn restore(&mut self, node: EmbeddedNode) -> EmbeddedNode {
        self.crash(node).await
    }
}

/// Opens the directory, once its last owner has let go of it.
async fn open(path: &Path) -> EmbeddedNode {
    let options =
        || Options { dir: path.join("data"), durability: Durability::Always, about: About::default() };
    let store = until("the directory is free", || match Store::open(options()) {
        Ok(store) => Some(store),
        Err(OpenError::Journal(error)) if error.to_string().contains("in use") => None,
        Err(error) => panic!("{error:?}"),
    });
    EmbeddedNode { store: store.await }
}

impl EmbeddedNode {
    fn enter<T>(
        &self,
        body: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Result<(T, Revision), adsum_keyspace::TooBig> {
        self.store.enter(|server, now| {
            let reply = server.transact(now, body)?;
            Ok((reply, server.keyspace().revision()))
        })
    }
}

impl Node for EmbeddedNode {
    type Watch = adsum_store::Watch;
    type Ear = EmbeddedEar;

    fn transact<T: Send>(
        &self,
        body: impl FnMut(&mut Transaction<'_>) -> T + Send,
    ) -> impl Future<Output = Result<Done<T>, Refusal>> + Send {
        let entered = self.enter(body);
        let store = self.store.clone();
        async move {
            let (reply, revision) = entered.map_err(|too_big| Refusal::TooBig(too_big.to_string()))?;
            store.durable(revision).await.map_err(|failed| Refusal::Other(failed.to_string()))?;
            Ok(Done { reply, revision })
        }
    }

    fn local<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Local<T> {
        let (reply, revision) = self.enter(body).unwrap();
        Local { reply, revision, age: Duration::ZERO }
    }

    fn watch(&self, space: Space, after: Revision) -> adsum_store::Watch {
        self.store.watch(space, after)
    }

    fn listen(&self, channel: &str) -> EmbeddedEar {
        let heard = Arc::new(Heard::default());
        let subscribe = |server: &mut Server, now: Now| {
            let mut session = server.connect(heard.clone(), "127.0.0.1:1".to_string(), now);
            let args = [b"SUBSCRIBE".as_slice(), channel.as_bytes()].into_iter().collect();
            server.execute(&mut session, &Request { args }, now);
            session
        };
        let session = self.store.enter(subscribe);
        EmbeddedEar { heard, _session: session }
    }
}

impl Watch for adsum_store::Watch {
    fn next(&mut self) -> impl Future<Output = Result<Vec<Arc<Commit>>, Ended>> + Send {
        let next = adsum_store::Watch::next(self);
        async {
            next.await.map_err(|ended| match ended {
                adsum_store::Ended::Compacted(compacted) => Ended::Compacted(compacted),
                other => Ended::Other(other.to_string()),
            })
        }
    }

    fn seen(&self) -> Revision {
        adsum_store::Watch::seen(self)
    }
}

/// A client that has subscribed.
pub(crate) struct EmbeddedEar {
    heard: Arc<Heard>,
    _session: Session,
}

#[derive(Default)]
struct Heard {
    bytes: Mutex<Vec<u8>>,
}

impl Outbox for Heard {
    fn push(&self, _revision: Revision, bytes: &[u8], _wake: Wake) {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
    }
}

impl Ear for EmbeddedEar {
    fn has_heard(&mut self, payload: &str) -> bool {
        let bytes = self.heard.bytes.lock().unwrap();
        String::from_utf8_lossy(&bytes).contains(&format!("\r\n{payload}\r\n"))
    }
}
