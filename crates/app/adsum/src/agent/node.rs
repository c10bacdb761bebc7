//! What runs in an agent: store, faces, keeper, controllers, from the first to the last of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
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
use tokio::task::JoinSet;

use super::settings::DataDir;
use super::{Durability, Settings, ToldToEnd, identity, vitals};

/// How long requests in flight have at the end, and then the instances of an agent that takes them along.
const GRACE: Duration = Duration::from_secs(10);

/// A running agent.
pub(crate) struct Node {
    pub(crate) addresses: Addresses,
    pub(crate) store: Store,
    keeper: Keeper,
    routing: Routing,
    data_dir: DataDir,
    stops_instances: bool,
    end: watch::Sender<bool>,
    faces: JoinSet<()>,
    /// There until the faces are closed.
    resp: Option<resp::Bound>,
    control: tokio::task::JoinHandle<Failed>,
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
        let dir = settings.data_dir.path();
        let locked = Store::lock(&dir.join("journal")).with_context(|| unusable(&dir))?;
        identity::keep(&dir, &settings.node)?;
        // Before the journal is read, which may take a while: requests go where they went last.
        let cluster = locked.cluster().map(|cluster| cluster.to_string());
        let routing = Routing::start(settings.node.clone(), settings.gateway.clone(), &dir, cluster)
            .map_err(|error| no_gateway(&settings.gateway, error))?;
        let started = Node::start_behind(routing.clone(), settings, locked).await;
        if started.is_err() {
            // It has taken requests already.
            close_gateway(routing).await;
        }
        started
    }

    /// Starts all that is not there while the journal is being read.
    async fn start_behind(routing: Routing, settings: Settings, locked: Locked) -> anyhow::Result<Node> {
        let dir = settings.data_dir.path();
        let store = open_store(&settings, &dir, locked)?;
        let (end, ended) = watch::channel(false);
        let mut faces = JoinSet::new();

        let http = TcpListener::bind(settings.http).await;
        let http =
            http.map_err(|error| taken(settings.http, "--http-addr", "Consul or another agent", error))?;
        let dns = dns::bind(settings.dns);
        let dns = dns.map_err(|error| taken(settings.dns, "--dns-addr", "another agent", error.source))?;
        let resp = resp::spawn(settings.resp, cores(), store.clone(), resp::Limits::default());
        let resp = resp.map_err(|error| no_resp(settings.resp, error))?;
        let adsum_gateway::Addresses { plain: gateway, tls: gateway_tls } = routing.addresses();
        let http_addr = http.local_addr()?;
        let addresses = Addresses { resp: resp.addr, http: http_addr, dns: dns.addr, gateway, gateway_tls };
        let keeper = start_keeper(&store, &dir).await?;

        let state = api_state(&settings, &store, &keeper, addresses, &dir, &routing);
        let over = until(ended.clone());
        faces.spawn(async move {
            if let Err(error) = adsum_api::serve(http, adsum_api::router(state), over).await {
                tracing::error!(%error, "the HTTP face has ended");
            }
        });
        let zones = adsum_dns::Config::new(settings.datacenter.clone(), settings.node.clone());
        let answering = dns::serve(dns, store.clone(), zones, until(ended.clone()));
        faces.spawn(async move {
            if let Err(error) = answering.await {
                tracing::error!(%error, "the DNS face has ended");
            }
        });
        faces.spawn(vitals::report(store.clone()));
        let control = adsum_control::run(
            store.clone(),
            keeper.clone(),
            control_settings(&settings, addresses, &dir),
            routing.clone(),
        );
        let control = tokio::spawn(control);
        let Settings { data_dir, stops_instances, .. } = settings;
        Ok(Node {
            addresses,
            store,
            keeper,
            routing,
            data_dir,
            stops_instances,
            end,
            faces,
            resp: Some(resp),
            control,
        })
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
        match &self.data_dir {
            DataDir::Kept(path) => eprintln!("  data in {}", path.display()),
            DataDir::Temporary(dir) => eprintln!("  data in {}, gone when this ends", dir.path().display()),
        }
        if self.stops_instances {
            eprintln!("  instances end with this agent");
        }
    }

    /// Runs until it is told to end, then ends in order; or until the engine has failed, then at once.
    pub(crate) async fn until(mut self, mut told: ToldToEnd) -> anyhow::Result<ExitCode> {
        let failed = tokio::select! {
            () = told.wait() => None,
            failed = self.store.until_failed() => Some(anyhow!(failed).context("the agent ends")),
            failed = &mut self.control => Some(match failed {
                Ok(failed) => anyhow!(failed).context("the controllers have ended"),
                Err(panic) => anyhow!(panic).context("a controller has panicked"),
            }),
        };
        match failed {
            None => self.finish(false).await.map(|_| ExitCode::SUCCESS),
            Some(failed) => {
                self.abandon().await;
                Err(failed)
            }
        }
    }

    /// Ends the faces, and the instances where they belong to this agent, and brings everything to disk. Says where a
    /// temporary directory is that is to be kept.
    pub(crate) async fn finish(mut self, keep: bool) -> anyhow::Result<Option<PathBuf>> {
        self.control.abort();
        close_gateway(self.routing.clone()).await;
        if self.stops_instances {
            self.keeper.shutdown(GRACE).await.context("cannot stop the instances")?;
        }
        self.close_faces().await;
        self.store.close();
        self.store.end().await.context("cannot bring everything to disk")?;
        Ok(match self.data_dir {
            DataDir::Temporary(dir) if keep => Some(dir.keep()),
            DataDir::Temporary(_) | DataDir::Kept(_) => None,
        })
    }

    /// Ends without the disk: the faces first, since nothing they could say holds any more.
    pub(crate) async fn abandon(mut self) {
        self.control.abort();
        close_gateway(self.routing.clone()).await;
        self.close_faces().await;
        if self.stops_instances
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
        self.faces.abort_all();
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.path()
    }
}

/// Takes nothing more through the gateway, and lets what is in flight come to its end: it needs its instances.
async fn close_gateway(routing: Routing) {
    // It waits for its threads.
    let _ = tokio::task::spawn_blocking(move || routing.stop(GRACE)).await;
}

fn open_store(settings: &Settings, dir: &Path, locked: Locked) -> anyhow::Result<Store> {
    let about = adsum_resp::About {
        version: env!("CARGO_PKG_VERSION").to_string(),
        node: settings.node.to_string(),
        run_id: run_id()?,
        port: settings.resp.port(),
        process_id: std::process::id(),
        seed: getrandom::u64().map_err(|error| anyhow!("no randomness: {error}"))?,
        max_clients: resp::Limits::default().clients,
        ..adsum_resp::About::default()
    };
    let (durability, name) = match settings.durability {
        Durability::Always => (adsum_store::Durability::Always, "always"),
        Durability::Everysec => (adsum_store::Durability::EverySecond, "everysec"),
    };
    let options = adsum_store::Options { dir: dir.join("journal"), durability, about };
    let store = Store::open_locked(locked, options).with_context(|| unusable(dir))?;
    store.enter(|server, _| server.set_durability(name));
    Ok(store)
}

fn unusable(dir: &Path) -> String {
    format!("cannot use the data directory {}", dir.display())
}

fn run_id() -> anyhow::Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn start_keeper(store: &Store, dir: &Path) -> anyhow::Result<Keeper> {
    let program = std::env::current_exe().context("cannot find this program to start the keeper with")?;
    let config = adsum_runtime::Config::new(dir.join("keeper"), store.cluster(), program);
    Keeper::connect_or_start(config).await.context("cannot start the keeper of the instances")
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
        started: Instant::now(),
    };
    let keeper = keeper.clone();
    ApiState {
        routing: routing.clone(),
        store: store.clone(),
        about: Arc::new(about),
        logs: Arc::new(LogFiles(control_settings(settings, addresses, dir))),
        keeper: Arc::new(move || {
            Some(adsum_api::Keeper { pid: keeper.pid(), tree: keeper.tree().as_str().to_string() })
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
    }
}

/// Threads of the RESP face: one per core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Ends when the agent ends.
async fn until(mut ended: watch::Receiver<bool>) {
    // An error means that the agent has gone, which is the end as well.
    let _ = ended.wait_for(|ended| *ended).await;
}

fn no_resp(address: SocketAddr, error: resp::Error) -> anyhow::Error {
    match error {
        resp::Error::Bind { source, .. } => taken(address, "--resp-addr", "Redis", source),
        resp::Error::Thread { .. } => anyhow!(error),
    }
}

fn no_gateway(settings: &adsum_gateway::Settings, error: adsum_gateway::StartError) -> anyhow::Error {
    match error {
        adsum_gateway::StartError::Bind { addr, source } if addr == settings.addr => {
            taken(addr, "--gateway-addr", "another web server", source)
        }
        adsum_gateway::StartError::Bind { addr, source } => {
            taken(addr, "--gateway-tls-addr", "another web server", source)
        }
        error => anyhow!(error).context("the gateway cannot be started"),
    }
}

/// `port 6379 is taken (is Redis running?): pass --resp-addr`.
fn taken(address: SocketAddr, flag: &str, who: &str, error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow!("port {} is taken (is {who} running?): pass {flag}", address.port())
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!(
                "port {} needs more rights than this user has: pass {flag} with one above 1023",
                address.port()
            )
        }
        _ => anyhow!(error).context(format!("cannot listen on {address}: pass another {flag}")),
    }
}
