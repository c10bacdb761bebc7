//! Real sockets, and the real `dig`.

mod dig;
mod forward;
mod sockets;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::{Catalog, records};
use adsum_dns::Config;
use adsum_keyspace::{Database, Keyspace, Now, Transaction};
use adsum_model::{Berth, Health, Instance, InstanceId, Name, Node, Phase, Service, Spec};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Bound, Directory, Limits, bind, serve};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// `web` with two routable instances, `down` with none, `many` with a hundred.
fn catalog() -> Catalog {
    let mut keyspace = Keyspace::default();
    keyspace
        .transact(Now::default(), |tx| {
            records::put_node(tx, &Node::new(name("n1"), "127.0.0.1".parse().unwrap()));
            put_service(tx, "web", &["10.0.0.1:8001".parse().unwrap(), "10.0.0.2:8002".parse().unwrap()]);
            put_service(tx, "down", &[]);
            let crowd: Vec<SocketAddr> = (1..=100).map(|i| SocketAddr::from(([10, 1, 0, i], 7000))).collect();
            put_service(tx, "many", &crowd);
        })
        .unwrap();
    Catalog::load(keyspace.keys(Database::System), keyspace.revision())
}

fn put_service(tx: &mut Transaction<'_>, service: &str, endpoints: &[SocketAddr]) {
    let spec = Spec::new(name(service), vec!["true".into()]);
    records::put_service(tx, &Service::new(spec, 1, 0));
    for (slot, endpoint) in (1..).zip(endpoints) {
        let id = InstanceId::from_seed(u64::from(service.as_bytes()[0]) * 1000 + u64::from(slot));
        let berth = Berth { id, node: name("n1"), endpoint: *endpoint };
        let mut instance = Instance {
            slot,
            phase: Phase::Running,
            health: Health::Passing,
            proven: true,
            ..Instance::planned(name(service), berth)
        };
        records::put_instance(tx, &mut instance);
    }
}

/// A catalog that notes what was asked for.
#[derive(Clone)]
struct Register {
    catalog: Arc<Catalog>,
    asked: Arc<Mutex<BTreeSet<Name>>>,
}

impl Directory for Register {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn asked(&self, service: &Name) {
        self.asked.lock().insert(service.clone());
    }
}

/// A face that is being served; dropped, it stops.
struct Face {
    addr: SocketAddr,
    asked: Arc<Mutex<BTreeSet<Name>>>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Face {
    fn start() -> Face {
        Face::within(Limits { patience: Duration::from_secs(60), ..Limits::default() })
    }

    fn within(limits: Limits) -> Face {
        let register = Register { catalog: Arc::new(catalog()), asked: Arc::default() };
        let asked = register.asked.clone();
        Face::serve(bind(ANY_PORT).unwrap(), limits, register, asked)
    }

    fn serve<D: Directory>(
        bound: Bound,
        limits: Limits,
        directory: D,
        asked: Arc<Mutex<BTreeSet<Name>>>,
    ) -> Face {
        let (addr, config) = (bound.addr, Config::new(name("dc1"), name("n1")));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or(()) };
        let served = tokio::spawn(serve(limits, bound, directory, config, shutdown));
        Face { addr, asked, stop, served }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}
