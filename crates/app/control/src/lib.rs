//! The controllers: observe, plan, execute, and the loops that drive them.
//!
//! - [`services`]: for each service, from its record and its instances to new, draining, stopping instances.
//! - [`node`]: for each instance of this node, from its record and what the keeper sees to processes.
//! - [`routing`]: from the services and their instances to the route table, for the gateway.
//! - [`locks`]: for each lock that was taken from its holder, to the event log.
//! - [`health`]: for each running instance, from probes to its health.
//! - [`registered`]: for each check that clients have registered on this node, from looking and listening to its status.
//! - [`firings`]: for each expired key with a dead man's switch, to what the switch says.
//! - [`sessions`]: for each session, from its time and its checks to keys that are free again.
//!
//! None takes orders. Each looks at the catalog when it has changed and when a time has come, has a plan made in
//! `core/rollout`, and carries it out without choices of its own; what it does is a commit, which is what the others
//! look at. So each can be stopped at any point, and goes on from what is on record.

mod acknowledgements;
mod commit;
mod faults;
mod firings;
mod health;
mod locks;
mod lot;
mod node;
mod ports;
mod registered;
mod routing;
mod services;
mod sessions;
mod settings;
mod webhook;

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_model::Node;
use adsum_rollout::execute::event;
use adsum_runtime::Keeper;
use adsum_store::{Failed, Store};

pub use acknowledgements::{Acknowledged, Acknowledgements};
pub use routing::{Current, Ejection, Port, Routing};
pub use settings::Settings;

/// Registers the node and runs all controllers until the store fails.
pub async fn run(store: Store, keeper: Keeper, settings: Settings, routing: Routing) -> Failed {
    if let Err(failed) = store.commit(|tx| register(tx, &settings)).await {
        return failed;
    }
    let failed = tokio::try_join!(
        services::run(store.clone(), settings.clone(), routing.clone()),
        routing::run(store.clone(), routing.clone()),
        node::run(store.clone(), keeper.clone(), settings.clone(), routing),
        registered::run(store.clone(), &settings),
        health::run(store.clone(), keeper, settings.clone()),
        firings::run(store.clone()),
        locks::run(store.clone()),
        sessions::run(store),
    );
    match failed {
        Err(failed) => failed,
        Ok((never, ..)) => match never {},
    }
}

/// The node as it is now; whether it runs instances was decided by others, and stays.
fn register(tx: &mut Transaction<'_>, settings: &Settings) {
    let mut this = Node::new(settings.node.clone(), settings.address);
    if let Some(before) = records::node(tx, &this.name) {
        this.availability = before.availability;
    }
    records::put_node(tx, &this);
}
