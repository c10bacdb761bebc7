//! `GET /api/nodes`, `POST /api/nodes/NAME/drain` and `.../activate`.

use adsum_catalog::Catalog;
use adsum_model::{Availability, Name, Node, Offer};
use adsum_rollout::desire;
use adsum_stack::Problem;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Refusal;
use super::answer::json;
use super::write::{Answer, Write};
use crate::ApiState;

#[derive(Serialize)]
struct Shape {
    name: String,
    address: String,
    availability: &'static str,
    /// Not over.
    instances: usize,
    routable: usize,
    /// None of a node that is not this one, and while this one has no keeper.
    driver: Option<Driver>,
}

/// What runs the instances of a node, and how.
#[derive(Serialize)]
struct Driver {
    kind: &'static str,
    /// What keeps the processes of an instance together: `cgroup2`, `cgroup1`, or nothing but `process-group`.
    tree: String,
    #[serde(flatten)]
    offer: Offer,
}

#[derive(Serialize)]
struct Written {
    name: Name,
    availability: &'static str,
    revision: u64,
}

pub(crate) async fn list(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    let driver = |node: &Node| {
        let keeper = (state.keeper)().filter(|_| node.name == state.about.node)?;
        Some(Driver { kind: "process", tree: keeper.tree, offer: keeper.offer })
    };
    let nodes: Vec<Shape> = catalog.nodes().map(|node| Shape::of(node, &catalog, driver(node))).collect();
    Ok(json(StatusCode::OK, &nodes))
}

/// `{"force": true}` drains the only active node, too.
pub(crate) async fn drain(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let name = name(&text)?;
    let force = match write.fields(&["force"])?.get("force") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(force)) => *force,
        Some(other) => {
            let problem = Problem::new("force", other, "is neither true nor false: give one of them");
            return Err(Refusal::of_problems(&[problem]));
        }
    };
    write
        .carry_out(&state.store, |tx| {
            let node = desire::drain_node(tx, &name, force)?;
            Ok(Answer::new(StatusCode::OK, &Written::of(node, tx.revision().0)))
        })
        .await
}

pub(crate) async fn activate(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    write: Write,
) -> Result<Response, Refusal> {
    let name = name(&text)?;
    write.fields(&[])?;
    write
        .carry_out(&state.store, |tx| {
            let node = desire::activate_node(tx, &name)?;
            Ok(Answer::new(StatusCode::OK, &Written::of(node, tx.revision().0)))
        })
        .await
}

fn name(text: &str) -> Result<Name, Refusal> {
    let unknown = || format!("there is no node '{text}': GET /api/nodes lists them");
    text.parse().map_err(|_| Refusal::new(StatusCode::NOT_FOUND, unknown()))
}

impl Shape {
    fn of(node: &Node, catalog: &Catalog, driver: Option<Driver>) -> Shape {
        let here = || catalog.instances().filter(|instance| instance.node == node.name);
        Shape {
            name: node.name.to_string(),
            address: node.address.to_string(),
            availability: availability(node.availability),
            instances: here().filter(|instance| !instance.phase.is_final()).count(),
            routable: here().filter(|instance| instance.is_routable()).count(),
            driver,
        }
    }
}

impl Written {
    fn of(node: Node, revision: u64) -> Written {
        Written { name: node.name, availability: availability(node.availability), revision }
    }
}

pub(crate) fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::Active => "active",
        Availability::Drain => "drain",
    }
}
