//! `GET /api/nodes`.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::ApiState;

#[derive(Serialize)]
struct Shape {
    name: String,
    address: String,
    /// Not over.
    instances: usize,
    routable: usize,
}

pub(crate) async fn list(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let shape = |node: &adsum_model::Node| {
        let here = || catalog.instances().filter(|instance| instance.node == node.name);
        Shape {
            name: node.name.to_string(),
            address: node.address.to_string(),
            instances: here().filter(|instance| !instance.phase.is_final()).count(),
            routable: here().filter(|instance| instance.is_routable()).count(),
        }
    };
    let nodes: Vec<Shape> = catalog.nodes().map(|node| shape(node)).collect();
    Ok(json(StatusCode::OK, &nodes))
}
