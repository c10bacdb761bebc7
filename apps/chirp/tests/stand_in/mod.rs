//! Stands in for the deployment and discovery faces of Adsum, so that chirp can be tested alone: it starts real user
//! services, and answers blocking queries.

// Each test file uses its part of this.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::instance::{Instance, text};

pub struct StandIn {
    pub address: String,
    cluster: Arc<Cluster>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

struct Cluster {
    directory: PathBuf,
    services: Mutex<BTreeMap<String, Service>>,
    index: watch::Sender<u64>,
    /// While it is held back, no new service becomes ready.
    ready: watch::Sender<bool>,
}

struct Service {
    instance: Instance,
    spec: Value,
}

impl StandIn {
    /// The services keep their data below the directory.
    pub fn start(directory: &std::path::Path) -> StandIn {
        let cluster = Arc::new(Cluster {
            directory: directory.to_path_buf(),
            services: Mutex::default(),
            index: watch::Sender::new(1),
            ready: watch::Sender::new(true),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let router = router(cluster.clone());
        let thread = std::thread::spawn(move || serve(listener, router, stopped));
        StandIn { address, cluster, server: Some((stop, thread)) }
    }

    /// As a worker does, but without one.
    pub fn deploy(&self, service: &str) {
        self.cluster.create(service, json!({"env": {"CHIRP_USER": ""}}));
    }

    pub fn remove(&self, service: &str) {
        self.cluster.services().remove(service);
        self.cluster.changed();
    }

    pub fn hold_back(&self, held: bool) {
        self.cluster.ready.send_replace(!held);
        self.cluster.changed();
    }

    pub fn spec(&self, service: &str) -> Option<Value> {
        self.cluster.services().get(service).map(|service| service.spec.clone())
    }

    pub fn services(&self) -> Vec<String> {
        self.cluster.services().keys().cloned().collect()
    }

    pub fn address(&self, service: &str) -> String {
        self.cluster.services()[service].instance.address.clone()
    }

    /// Every stored tweet, of all users.
    pub fn tweets(&self) -> Vec<Value> {
        let list = |service: &Service| service.instance.get("/v1/tweet?limit=200").json()["tweets"].clone();
        let lists: Vec<Value> = self.cluster.services().values().map(list).collect();
        lists.iter().flat_map(|list| list.as_array().unwrap().clone()).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            drop(stop);
            let _ = thread.join();
        }
        self.cluster.services().clear();
    }
}

impl Cluster {
    fn create(&self, name: &str, spec: Value) {
        let directory = self.directory.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let user = spec["env"]["CHIRP_USER"].as_str().unwrap();
        let environment =
            [("ADSUM_DATA_DIR", text(&directory)), ("ADSUM_SERVICE", name), ("CHIRP_USER", user)];
        let instance = Instance::serving("api", &environment);
        self.services().insert(name.to_string(), Service { instance, spec });
        self.changed();
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<String, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.index.send_modify(|index| *index += 1);
    }

    /// The index, once it is above the one asked with, or when the time is up.
    async fn newer(&self, query: &BTreeMap<String, String>) -> u64 {
        let asked: u64 = query.get("index").map_or(0, |index| index.parse().unwrap());
        let wait = query.get("wait").map_or(0, |wait| wait.trim_end_matches('s').parse().unwrap());
        let mut index = self.index.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(wait), index.wait_for(|index| *index > asked)).await;
        *self.index.borrow()
    }

    /// Address and port of every service whose name begins so.
    fn passing(&self, prefix: &str) -> Vec<(String, String, u16)> {
        let is_ready = *self.ready.borrow();
        let services = self.services();
        let found = services.iter().filter(|(name, _)| is_ready && name.starts_with(prefix));
        let place = |(name, service): (&String, &Service)| {
            let (host, port) = service.instance.address.split_once(':').unwrap();
            (name.clone(), host.to_string(), port.parse().unwrap())
        };
        found.map(place).collect()
    }
}

fn router(cluster: Arc<Cluster>) -> Router {
    Router::new()
        .route("/api/services/{name}", put(create))
        .route("/v1/health/service/{name}", get(health))
        .route("/api/instances", get(instances))
        .with_state(cluster)
}

/// Until the stand-in is dropped; connections end with it.
fn serve(listener: std::net::TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::select! { _ = axum::serve(listener, router) => {}, _ = stopped => {} }
    });
}

type Parameters = Query<BTreeMap<String, String>>;

async fn create(
    State(cluster): State<Arc<Cluster>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(spec): Json<Value>,
) -> Response {
    if headers["if-none-match"] != "*" || headers["idempotency-key"].is_empty() || name.contains("refused") {
        return (StatusCode::BAD_REQUEST, Json(json!({"errors": ["no such service here"]}))).into_response();
    }
    if cluster.services().contains_key(&name) {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    tokio::task::spawn_blocking(move || cluster.create(&name, spec)).await.unwrap();
    StatusCode::CREATED.into_response()
}

async fn health(
    State(cluster): State<Arc<Cluster>>,
    Path(name): Path<String>,
    query: Parameters,
) -> Response {
    let index = cluster.newer(&query).await;
    let mut places = cluster.passing(&name);
    places.retain(|(service, ..)| *service == name);
    let entry = |(service, host, port): &(String, String, u16)| {
        json!({"Node": {"Node": "n1", "Address": host},
            "Service": {"ID": "i1", "Service": service, "Address": "", "Port": port}, "Checks": []})
    };
    listing(index, places.iter().map(entry).collect())
}

async fn instances(State(cluster): State<Arc<Cluster>>, query: Parameters) -> Response {
    let index = cluster.newer(&query).await;
    let entry = |(service, host, port): &(String, String, u16)| json!({"service": service, "instance": "i1", "address": host, "port": port, "health": "passing"});
    listing(index, cluster.passing(&query["prefix"]).iter().map(entry).collect())
}

fn listing(index: u64, entries: Vec<Value>) -> Response {
    ([("x-consul-index", index.to_string())], Json(entries)).into_response()
}
