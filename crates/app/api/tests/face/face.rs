//! A face on a store in a directory of its own, and what tests do with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use adsum_api::{About, ApiState, Faces, Keeper, Logs, Monitor, router};
use adsum_catalog::records;
use adsum_control::{Acknowledged, Routing};
use adsum_model::{Berth, Controller, Event, Health, Instance, InstanceId, Node, Offer, Phase, Process};
use adsum_store::{Durability, Options, Store};
use axum::Router;
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Face {
    pub(crate) store: Store,
    pub(crate) routing: Routing,
    service: TowerToHyperService<Router>,
    dir: TempDir,
}

/// Tests give their own instances lower ids than [`Face::deploy`].
static NEXT: AtomicU64 = AtomicU64::new(1000);

/// Each instance has a file by its id.
struct Files(PathBuf);

impl Logs for Files {
    fn files(&self, instance: &Instance) -> Vec<PathBuf> {
        vec![self.0.join(instance.id.as_str())]
    }
}

/// A gateway that gets a table when the test says so.
fn routing(dir: &Path) -> Routing {
    let settings =
        adsum_gateway::Settings { workers: 1, ..adsum_gateway::Settings::new(([127, 0, 0, 1], 0).into()) };
    Routing::start("one".parse().unwrap(), settings, dir, None).unwrap()
}

impl Face {
    pub(crate) async fn new() -> Face {
        Face::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut About)) -> Face {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        let options = Options { dir: journal, durability: Durability::Always, about: Default::default() };
        let store = Store::open(options).unwrap();
        let mut about = about();
        change(&mut about);
        let node = Node::new(about.node.clone(), "127.0.0.1".parse().unwrap());
        store.commit(|tx| records::put_node(tx, &node)).await.unwrap();
        let routing = routing(dir.path());
        let state = ApiState {
            monitor: Monitor::default(),
            routing: routing.clone(),
            store: store.clone(),
            about: Arc::new(about),
            logs: Arc::new(Files(dir.path().to_path_buf())),
            keeper: Arc::new(|| {
                let offer = Offer { controllers: [Controller::Pids].into(), any_user: false };
                Some(Keeper { pid: 7, tree: "cgroup2".into(), offer })
            }),
        };
        Face { store, routing, service: TowerToHyperService::new(router(state)), dir }
    }

    /// Gives the gateway a table of what is on record, and waits until it has it.
    pub(crate) async fn route(&self) {
        let view = self.store.catalog().await.unwrap();
        self.routing.take_in(&view);
        let mut reports = self.routing.acknowledgements().subscribe();
        let applied = |member: &Acknowledged| member.applied >= view.routing_revision();
        while !self.routing.acknowledgements().members(&view).iter().all(applied) {
            reports.changed().await.unwrap();
        }
    }

    /// `GET /path`, with headers as `name: value`.
    pub(crate) async fn open(&self, line: &str, headers: &[&str], body: impl Into<Body>) -> Opened {
        let (method, path) = line.split_once(' ').unwrap();
        let own = ["host: 127.0.0.1:8500"];
        let own = if headers.iter().any(|header| header.starts_with("host: ")) { &[][..] } else { &own };
        let mut request = Request::builder().method(method).uri(path);
        for header in own.iter().chain(headers) {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let response = self.service.call(request.body(body.into()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Opened { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn send(&self, line: &str, headers: &[&str], body: impl Into<Body>) -> Answer {
        self.open(line, headers, body).await.whole().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], Body::empty()).await
    }

    /// A write of the own API.
    pub(crate) async fn write(&self, line: &str, body: &Value) -> Answer {
        self.send(line, &["content-type: application/json"], body.to_string()).await
    }

    /// Creates a service with one instance, which passes.
    pub(crate) async fn deploy(&self, name: &str) -> Instance {
        let body = serde_json::json!({"command": ["serve"], "tags": ["v1", "primary"]});
        let created = self.write(&format!("PUT /api/services/{name}"), &body).await;
        assert_eq!(created.status, 201, "{}", created.text());
        let seed = NEXT.fetch_add(1, Ordering::Relaxed);
        self.put(instance(seed, name, 1)).await
    }

    pub(crate) async fn put(&self, mut instance: Instance) -> Instance {
        self.store.commit(|tx| records::put_instance(tx, &mut instance)).await.unwrap();
        instance
    }

    pub(crate) async fn log_event(&self, kind: &str) {
        let event =
            Event { time: 5, kind: kind.into(), service: None, instance: None, message: format!("{kind}!") };
        self.store.commit(|tx| records::log(tx, &event)).await.unwrap();
    }

    pub(crate) fn log_file(&self, instance: &Instance) -> PathBuf {
        self.dir.path().join(instance.id.as_str())
    }
}

fn about() -> About {
    let http: SocketAddr = "127.0.0.1:8500".parse().unwrap();
    About {
        version: "0.1.0".into(),
        node: "node1".parse().unwrap(),
        datacenter: "dc1".into(),
        faces: Faces { http: Some(http), ..Faces::default() },
        names: Vec::new(),
        script_checks: false,
        session_ttl_multiplier: 1,
        started: Instant::now(),
    }
}

pub(crate) fn instance(seed: u64, service: &str, slot: u32) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(seed),
        node: "node1".parse().unwrap(),
        endpoint: SocketAddr::from(([127, 0, 0, 1], 20_000 + slot as u16)),
    };
    Instance {
        slot,
        phase: Phase::Running,
        health: Health::Passing,
        proven: true,
        process: Some(Process { pid: 4711, start_time: 1, boot_id: "b".into() }),
        ..Instance::planned(service.parse().unwrap(), berth)
    }
}

/// An answer whose body has not been read.
pub(crate) struct Opened {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Body,
}

impl Opened {
    pub(crate) async fn whole(self) -> Answer {
        let body = self.body.collect().await.unwrap().to_bytes();
        Answer { status: self.status, headers: self.headers, body }
    }

    /// The next piece of a stream; none at its end.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        let frame = soon(self.body.frame()).await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    /// Reads on until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            text.push_str(&self.piece().await.unwrap_or_else(|| panic!("no '{end}' in {text}")));
        }
        text
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn index(&self) -> u64 {
        self.header("x-consul-index").expect("an index").parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<String> {
        serde_json::from_value(self.json()["errors"].clone()).unwrap()
    }
}

/// What has to come, within a time that only a broken build takes.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes in time")
}

/// Whether a future goes on waiting although it was given the chance to see all there is.
pub(crate) async fn still_waits<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}
