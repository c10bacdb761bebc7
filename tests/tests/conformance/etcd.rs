//! The engine on a real etcd. Each node is an engine of its own, as in a process of its own.

use std::future::Future;
use std::sync::Arc;

use adsum_etcd::{Engine, Error, Options, Published, raise_base};
use adsum_keyspace::{Blob, Commit, Space, Transaction};
use adsum_model::Revision;
use adsum_tests::{Etcd, require};
use tokio::sync::broadcast::Receiver;
use tokio::task::block_in_place;

use crate::proxy::Proxy;
use crate::world::{Done, Ear, Ended, Local, Node, Refusal, Watch, World};

pub(crate) struct OnEtcd {
    pub(crate) etcd: Etcd,
}

#[derive(Clone)]
pub(crate) struct EtcdNode {
    pub(crate) engine: Engine,
}

impl OnEtcd {
    pub(crate) fn options(&self) -> Options {
        Options { endpoints: vec![self.etcd.endpoint()], name: "test".to_string() }
    }

    /// A participant whose connections somebody stands in.
    pub(crate) async fn behind_a_proxy(&self) -> (Proxy, Engine) {
        let proxy = Proxy::start(self.etcd.address()).await;
        let options = Options { endpoints: vec![proxy.endpoint()], ..self.options() };
        (proxy, Engine::open(options).await.unwrap())
    }
}

impl World for OnEtcd {
    type Node = EtcdNode;
    const NAME: &'static str = "etcd";
    const TOO_BIG: (usize, usize, &'static str) = (200, 10, "128");
    const HISTORY: (usize, usize) = (40, 500_000);

    #[track_caller]
    fn is_here() -> bool {
        require("etcd") && require("etcdctl")
    }

    async fn start() -> OnEtcd {
        OnEtcd { etcd: block_in_place(Etcd::start) }
    }

    async fn node(&mut self) -> EtcdNode {
        EtcdNode { engine: Engine::open(self.options()).await.unwrap() }
    }

    async fn crash(&mut self, node: EtcdNode) -> EtcdNode {
        block_in_place(|| {
            self.etcd.kill();
            self.etcd.start_again();
        });
        node
    }

    async fn save(&mut self) {
        block_in_place(|| self.etcd.save("snapshot"));
    }

    async fn restore(&mut self, node: EtcdNode) -> EtcdNode {
        let above = node.engine.revision();
        block_in_place(|| self.etcd.restore("snapshot"));
        raise_base(&self.options(), above).await.unwrap();
        node
    }
}

impl Node for EtcdNode {
    type Watch = adsum_etcd::Watch;
    type Ear = EtcdEar;

    fn transact<T: Send>(
        &self,
        body: impl FnMut(&mut Transaction<'_>) -> T + Send,
    ) -> impl Future<Output = Result<Done<T>, Refusal>> + Send {
        let transacted = self.engine.transact(body);
        async {
            match transacted.await {
                Ok(done) => Ok(Done { reply: done.reply, revision: done.revision }),
                Err(Error::TooBig(too_big)) => Err(Refusal::TooBig(too_big.to_string())),
                Err(error) => Err(Refusal::Other(error.to_string())),
            }
        }
    }

    fn local<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> Local<T> {
        let local = self.engine.local(body);
        Local { reply: local.reply, revision: local.revision, age: local.age }
    }

    fn watch(&self, space: Space, after: Revision) -> adsum_etcd::Watch {
        self.engine.watch(space, after)
    }

    fn listen(&self, channel: &str) -> EtcdEar {
        EtcdEar { channel: channel.into(), published: self.engine.published(), heard: Vec::new() }
    }
}

impl Watch for adsum_etcd::Watch {
    fn next(&mut self) -> impl Future<Output = Result<Vec<Arc<Commit>>, Ended>> + Send {
        let next = adsum_etcd::Watch::next(self);
        async {
            next.await.map_err(|ended| match ended {
                adsum_etcd::Ended::Compacted(compacted) => Ended::Compacted(compacted),
                other => Ended::Other(other.to_string()),
            })
        }
    }

    fn seen(&self) -> Revision {
        adsum_etcd::Watch::seen(self)
    }
}

pub(crate) struct EtcdEar {
    channel: Blob,
    published: Receiver<Arc<Published>>,
    heard: Vec<Blob>,
}

impl Ear for EtcdEar {
    fn has_heard(&mut self, payload: &str) -> bool {
        while let Ok(published) = self.published.try_recv() {
            let ours = published.publishes.iter().filter(|publish| publish.channel == self.channel);
            self.heard.extend(ours.map(|publish| publish.payload.clone()));
        }
        self.heard.contains(&Blob::from(payload))
    }
}
