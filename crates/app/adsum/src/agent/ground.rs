//! What a node stands on: what was asked for and the gateway, which stay while the journal changes hands; and what is
//! opened on it before anything is served.

use std::path::Path;
use std::time::{Duration, Instant};

use adsum_control::Routing;
use adsum_listen::resp;
use adsum_runtime::Access;
use adsum_store::{Locked, OpenError, Store};
use anyhow::{Context, anyhow};

use super::sockets::{Given, Sockets, taken};
use super::{Durability, Settings, identity};

/// How long requests in flight have at the end, and then the instances of an agent that takes them along.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// What runs, also when another program is in the place of its file by now.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Between two looks whether the directory's lock is free.
const LOOK: Duration = Duration::from_millis(5);

pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) routing: Routing,
}

/// Whether there is anything without a keeper.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keepers {
    Needed,
    /// Whoever has served before goes on without one, and looks for it meanwhile.
    Sought,
}

/// The journal is read and everything is bound, and nobody is served.
pub(super) struct Opened {
    pub(super) store: Store,
    /// One of another release is left in its place until this one serves.
    pub(super) keeper: Access,
    pub(super) sockets: Sockets,
}

/// Makes the data directory this process's own.
pub(super) fn lock(dir: &Path) -> anyhow::Result<Locked> {
    Store::lock(&dir.join("journal")).with_context(|| unusable(dir))
}

/// The same, as soon as whoever has it lets go; fails when that is not so within the patience.
pub(super) async fn lock_within(dir: &Path, patience: Duration) -> anyhow::Result<Locked> {
    let (journal, deadline) = (dir.join("journal"), Instant::now() + patience);
    loop {
        match Store::lock(&journal) {
            Err(error) if OpenError::is_in_use(&error) && Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
            }
            locked => return locked.with_context(|| unusable(dir)),
        }
    }
}

impl Ground {
    /// The gateway has the table that it had last, and accepts nothing yet.
    pub(super) fn lay(
        settings: Settings,
        locked: &Locked,
        sockets: adsum_gateway::Sockets,
    ) -> anyhow::Result<Ground> {
        let dir = settings.data_dir.path();
        identity::keep(&dir, &settings.node)?;
        let cluster = locked.cluster().map(|cluster| cluster.to_string());
        let (node, gateway) = (settings.node.clone(), settings.gateway.clone());
        let routing = Routing::prepare(node, gateway, &dir, cluster, sockets)
            .map_err(|error| no_gateway(&settings.gateway, error))?;
        Ok(Ground { settings, routing })
    }

    pub(super) async fn open(
        &self,
        locked: Locked,
        given: Given,
        keepers: Keepers,
    ) -> anyhow::Result<Opened> {
        let dir = self.settings.data_dir.path();
        let begun = Instant::now();
        let store = open_store(&self.settings, &dir, locked).await?;
        tracing::info!(took = ?begun.elapsed(), "the journal is read");
        let sockets = Sockets::open(&self.settings, given)?;
        let begun = Instant::now();
        let keeper = find_keeper(&store, &dir, keepers).await?;
        tracing::debug!(took = ?begun.elapsed(), "the keeper is found");
        Ok(Opened { store, keeper, sockets })
    }

    /// Takes nothing more through the gateway, and lets what is in flight come to its end: it needs its instances.
    pub(super) async fn close(&self) {
        let routing = self.routing.clone();
        // It waits for its threads.
        let _ = tokio::task::spawn_blocking(move || routing.stop(GRACE)).await;
    }
}

/// Beside everything else that this thread does, since there may be much to read.
async fn open_store(settings: &Settings, dir: &Path, locked: Locked) -> anyhow::Result<Store> {
    let about = adsum_resp::About {
        version: env!("CARGO_PKG_VERSION").to_string(),
        node: settings.node.to_string(),
        run_id: run_id()?,
        port: settings.resp.port(),
        process_id: std::process::id(),
        seed: getrandom::u64().map_err(|error| anyhow!("no randomness: {error}"))?,
        max_clients: resp::Limits::default().clients,
        cluster: settings.resp_cluster,
        random: Some(|bytes| getrandom::fill(bytes).is_ok()),
        ..adsum_resp::About::default()
    };
    let (durability, name) = match settings.durability {
        Durability::Always => (adsum_store::Durability::Always, "always"),
        Durability::Everysec => (adsum_store::Durability::EverySecond, "everysec"),
    };
    let options = adsum_store::Options { dir: dir.join("journal"), durability, about };
    let opening = tokio::task::spawn_blocking(move || Store::open_locked(locked, options));
    let store = opening.await.context("reading the journal")?.with_context(|| unusable(dir))?;
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

async fn find_keeper(store: &Store, dir: &Path, keepers: Keepers) -> anyhow::Result<Access> {
    let config = adsum_runtime::Config::new(dir.join("keeper"), store.cluster(), THIS_PROGRAM.into());
    match (Access::seek(config.clone()).await, keepers) {
        (Ok(access), Keepers::Needed | Keepers::Sought) => Ok(access),
        (Err(error), Keepers::Needed) => {
            Err(anyhow!(error).context("cannot start the keeper of the instances"))
        }
        (Err(error), Keepers::Sought) => {
            tracing::error!(%error, "there is no keeper of the instances now: it is looked for");
            Ok(Access::later(config))
        }
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
