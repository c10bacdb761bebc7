//! `GET /api/status`: the agent in one look.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::{ApiState, Faces, Keeper};

#[derive(Serialize)]
struct Status<'a> {
    version: &'a str,
    node: &'a str,
    datacenter: &'a str,
    cluster: String,
    revision: u64,
    durable_revision: u64,
    durability: &'static str,
    faces: &'a Faces,
    keeper: Option<Keeper>,
    services: usize,
    /// Not over.
    instances: usize,
    /// Found by name, getting traffic.
    routable: usize,
    uptime_seconds: u64,
}

pub(crate) async fn get(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let store = &state.store;
    let catalog = store.catalog().await?;
    let (revision, _) = store.transact(|tx| tx.read_revision());
    let status = Status {
        version: &state.about.version,
        node: state.about.node.as_str(),
        datacenter: &state.about.datacenter,
        cluster: store.cluster(),
        revision: revision.0,
        durable_revision: store.durable_revision().0,
        durability: match store.durability() {
            adsum_store::Durability::Always => "always",
            adsum_store::Durability::EverySecond => "everysec",
        },
        faces: &state.about.faces,
        keeper: (state.keeper)(),
        services: catalog.services().filter(|(_, state)| state.service.is_some()).count(),
        instances: catalog.instances().filter(|instance| !instance.phase.is_final()).count(),
        routable: catalog.instances().filter(|instance| instance.is_routable()).count(),
        uptime_seconds: state.about.started.elapsed().as_secs(),
    };
    Ok(json(StatusCode::OK, &status))
}
