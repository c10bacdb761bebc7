//! What runs in an agent: store, faces, keeper, controllers, from the first to the last of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_api::{About, ApiState, Logs};
use adsum_control::Routing;
use adsum_listen::{dns, resp};
use adsum_model::Instance;
use adsum_runtime::Keeper;
use adsum_store::{Failed, Locked, Store};
use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::ground::{GRACE, Ground, Keepers, Opened};
use super::settings::DataDir;
use super::sockets::{self, Given, Sockets};
use super::{Settings, vitals};

/// How long requests of the HTTP face have to be answered when it closes.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A running agent.
pub(crate) struct Node {
    pub(crate) addresses: Addresses,
    pub(crate) store: Store,
    keeper: Keeper,
    ground: Ground,
    /// Doubles of what is served.
    sockets: Sockets,
    end: watch::Sender<bool>,
    http: JoinHandle<()>,
    faces: JoinSet<()>,
    /// There until the faces are closed.
    resp: Option<resp::Bound>,
    control: JoinHandle<Failed>,
}

/// An agent without its journal: the gateway serves by its last table, who comes to the other faces waits in their sockets.
pub(super) struct Frozen {
    pub(super) ground: Ground,
    pub(super) sockets: Sockets,
}

impl Frozen {
    /// Goes on with the journal, which is this one's again.
    pub(super) async fn resume(self, locked: Locked) -> anyhow::Result<Node> {
        match self.ground.open(locked, self.sockets.into_given(), Keepers::Sought).await {
            Ok(opened) => Node::begin(self.ground, opened),
            Err(error) => {
                self.ground.close().await;
                Err(error)
            }
        }
    }
}

/// Where the faces are, once they are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) resp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) dns: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) gateway_tls: Option<SocketAddr>,
}

impl Node {
    /// Starts everything, or says what is in the way. The data directory is locked first, so that a second agent on it
    /// touches nothing and takes nobody's request.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Node> {
        Node::start_on(settings, Given::default()).await
    }

    /// The same with sockets that were opened elsewhere.
    pub(super) async fn start_on(settings: Settings, mut given: Given) -> anyhow::Result<Node> {
        let locked = super::ground::lock(&settings.data_dir.path())?;
        let ground = Ground::lay(settings, &locked, std::mem::take(&mut given.gateway))?;
        // Before the journal is read, which may take a while: requests go where they went last.
        ground.routing.open();
        match ground.open(locked, given, Keepers::Needed).await {
            Ok(opened) => Node::begin(ground, opened),
            Err(error) => {
                // It has taken requests already.
                ground.close().await;
                Err(error)
            }
        }
    }

    /// Serves and decides from here on.
    pub(super) fn begin(ground: Ground, opened: Opened) -> anyhow::Result<Node> {
        let Ground { settings, routing } = &ground;
        let Opened { store, keeper, sockets } = opened;
        let keeper = keeper.begin();
        let serving = sockets.try_clone()?;
        let limits = resp::Limits::default();
        let resp = resp::serve_all(serving.resp, sockets::resp_threads(), store.clone(), limits)?;
        let adsum_gateway::Addresses { plain: gateway, tls: gateway_tls } = routing.addresses();
        let (http, dns) = (sockets.http.local_addr()?, serving.dns.addr);
        let addresses = Addresses { resp: resp.addr, http, dns, gateway, gateway_tls };
        let dir = settings.data_dir.path();

        let (end, ended) = watch::channel(false);
        let mut faces = JoinSet::new();
        let state = api_state(settings, &store, &keeper, addresses, &dir, routing);
        let http = TcpListener::from_std(serving.http)?;
        let over = until(ended.clone());
        let http = tokio::spawn(async move {
            if let Err(error) = adsum_api::serve(http, adsum_api::router(state), over).await {
                tracing::error!(%error, "the HTTP face has ended");
            }
        });
        let naming = &settings.naming;
        let zones = naming.config(settings.datacenter.clone(), settings.node.clone());
        let answering = dns::serve(naming.limits.clone(), serving.dns, store.clone(), zones, until(ended));
        faces.spawn(async move {
            if let Err(error) = answering.await {
                tracing::error!(%error, "the DNS face has ended");
            }
        });
        faces.spawn(vitals::report(store.clone()));
        let controlled = control_settings(settings, addresses, &dir);
        let control = adsum_control::run(store.clone(), keeper.clone(), controlled, routing.clone());
        let control = tokio::spawn(control);
        let resp = Some(resp);
        Ok(Node { addresses, store, keeper, ground, sockets, end, http, faces, resp, control })
    }

    /// Ends all but the gateway, politely, and gives the journal up: what was acknowledged is in it.
    pub(super) async fn freeze(mut self) -> Frozen {
        self.control.abort();
        // Nothing of it runs any more when this returns, and how it ended is known.
        let _ = (&mut self.control).await;
        let routing = self.ground.routing.clone();
        let _ = tokio::task::spawn_blocking(move || routing.save()).await;
        self.close_faces().await;
        drop(self.keeper);
        if let Err(error) = self.store.release().await {
            tracing::error!(%error, "not everything could be brought to disk");
        }
        Frozen { ground: self.ground, sockets: self.sockets }
    }

    /// Comes when it can no longer keep its word.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            failed = self.store.until_failed() => anyhow!(failed).context("the agent ends"),
            failed = &mut self.control => match failed {
                Ok(failed) => anyhow!(failed).context("the controllers have ended"),
                Err(panic) => anyhow!(panic).context("a controller has panicked"),
            },
        }
    }

    /// Tells a person where everything is.
    pub(crate) fn announce(&self) {
        let Addresses { resp, http, dns, gateway, gateway_tls } = self.addresses;
        eprintln!("Adsum is here.");
        eprintln!("  redis-cli -h {} -p {}", resp.ip(), resp.port());
        eprintln!("  http://{http}");
        eprintln!("  dig @{} -p {} NAME.service.adsum SRV", dns.ip(), dns.port());
        eprintln!("  gateway on http://{gateway}");
        if let Some(tls) = gateway_tls {
            eprintln!("  gateway on https://{tls}");
        }
        match &self.ground.settings.data_dir {
            DataDir::Kept(path) => eprintln!("  data in {}", path.display()),
            DataDir::Temporary(dir) => eprintln!("  data in {}, gone when this ends", dir.path().display()),
        }
        if self.ground.settings.stops_instances {
            eprintln!("  instances end with this agent");
        }
    }

    /// Ends the faces, and the instances where they belong to this agent, and brings everything to disk. Says where a
    /// temporary directory is that is to be kept.
    pub(crate) async fn finish(mut self, keep: bool) -> anyhow::Result<Option<PathBuf>> {
        self.control.abort();
        self.ground.close().await;
        if self.ground.settings.stops_instances {
            self.keeper.shutdown(GRACE).await.context("cannot stop the instances")?;
        }
        self.close_faces().await;
        self.store.close();
        self.store.end().await.context("cannot bring everything to disk")?;
        Ok(match self.ground.settings.data_dir {
            DataDir::Temporary(dir) if keep => Some(dir.keep()),
            DataDir::Temporary(_) | DataDir::Kept(_) => None,
        })
    }

    /// Ends without the disk: the faces first, since nothing they could say holds any more.
    pub(crate) async fn abandon(mut self) {
        self.control.abort();
        self.ground.close().await;
        self.close_faces().await;
        if self.ground.settings.stops_instances
            && let Err(error) = self.keeper.shutdown(GRACE).await
        {
            tracing::error!(%error, "the instances could not be stopped");
        }
    }

    /// Lets what is in flight be answered for a moment.
    async fn close_faces(&mut self) {
        self.end.send_replace(true);
        if let Some(resp) = self.resp.take() {
            // It waits for its threads.
            let _ = tokio::task::spawn_blocking(move || resp.stop()).await;
        }
        // Whoever is not answered by then is not answered at all, and nothing of it is acknowledged.
        let _ = tokio::time::timeout(LAST_ANSWERS, &mut self.http).await;
        self.http.abort();
        self.faces.shutdown().await;
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.ground.settings
    }

    pub(super) fn routing(&self) -> &Routing {
        &self.ground.routing
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.ground.settings.data_dir.path()
    }
}

fn api_state(
    settings: &Settings,
    store: &Store,
    keeper: &Keeper,
    addresses: Addresses,
    dir: &Path,
    routing: &Routing,
) -> ApiState {
    let faces = adsum_api::Faces {
        resp: Some(addresses.resp),
        http: Some(addresses.http),
        dns: Some(addresses.dns),
        gateway: Some(addresses.gateway),
        gateway_tls: addresses.gateway_tls,
    };
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_string(),
        node: settings.node.clone(),
        datacenter: settings.datacenter.to_string(),
        faces,
        names: Vec::new(),
        script_checks: settings.script_checks,
        session_ttl_multiplier: settings.session_ttl_multiplier,
        started: Instant::now(),
    };
    let keeper = keeper.clone();
    ApiState {
        monitor: super::MONITOR.clone(),
        routing: routing.clone(),
        store: store.clone(),
        about: Arc::new(about),
        logs: Arc::new(LogFiles(control_settings(settings, addresses, dir))),
        keeper: Arc::new(move || {
            let tree = keeper.tree().as_str().to_string();
            Some(adsum_api::Keeper { pid: keeper.pid(), tree, offer: keeper.offer() })
        }),
    }
}

/// Where the controllers let instances write.
struct LogFiles(adsum_control::Settings);

impl Logs for LogFiles {
    fn files(&self, instance: &Instance) -> Vec<PathBuf> {
        vec![self.0.log_file(instance)]
    }
}

fn control_settings(settings: &Settings, addresses: Addresses, dir: &Path) -> adsum_control::Settings {
    let faces = BTreeMap::from([
        ("ADSUM_HTTP_ADDR".to_string(), addresses.http.to_string()),
        ("ADSUM_RESP_ADDR".to_string(), addresses.resp.to_string()),
        ("ADSUM_GATEWAY_ADDR".to_string(), addresses.gateway.to_string()),
    ]);
    adsum_control::Settings {
        node: settings.node.clone(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: settings.ports.clone(),
        data_dir: dir.to_path_buf(),
        faces,
        script_checks: settings.script_checks,
    }
}

/// Ends when the agent ends.
async fn until(mut ended: watch::Receiver<bool>) {
    // An error means that the agent has gone, which is the end as well.
    let _ = ended.wait_for(|ended| *ended).await;
}
