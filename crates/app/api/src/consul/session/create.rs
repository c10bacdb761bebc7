//! `PUT /v1/session/create`.

use adsum_session::check;
use adsum_session::session::{self, Behavior, LOCK_DELAY, NODE_CHECK, ServiceCheck, Session};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::{Request, StatusCode};

use crate::consul::answer::{Created, Refusal, json};
use crate::consul::given::{self, Given};
use crate::consul::question::check_datacenter;
use crate::query::Query;
use crate::{ApiState, limits};

pub(crate) async fn create(
    State(state): State<ApiState>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    check_datacenter(&query, &state.about.datacenter)?;
    let given = Given::of(given::value(request.into_body(), limits::SESSION).await?)?;
    let mut session = session_of(&given, state.about.node.as_str())?;
    session.lasts = session.lasts.map(|lasts| lasts * state.about.session_ttl_multiplier);
    if let Some(reason) = state.store.refuses_growth() {
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
    }
    // Should a check turn critical after this, the session is ended as any other.
    let catalog = state.store.catalog().await?;
    if let Some(problem) = check::problem(&catalog, &session) {
        return Err(Refusal::failed(format!("apply failed: {problem}")));
    }
    let created = state.store.try_commit(|tx| session::create(tx, &session)).await?;
    created.map_err(|full| Refusal::new(StatusCode::TOO_MANY_REQUESTS, full.to_string()))?;
    Ok(json(query.asks("pretty"), &Created { id: session.id }))
}

fn session_of(given: &Given, own_node: &str) -> Result<Session, Refusal> {
    let behavior = given.text("Behavior")?;
    let Some(behavior) = Behavior::parse(&behavior) else {
        return Err(Refusal::failed(format!("Invalid Behavior setting '{behavior}'")));
    };
    let ttl = given.text("TTL")?;
    let lasts = session::parse_ttl(&ttl).map_err(|error| Refusal::failed(error.to_string()))?;
    let node = given.text("Node")?;
    Ok(Session {
        id: given::id()?,
        name: given.text("Name")?,
        node: if node.is_empty() { own_node.to_string() } else { node },
        behavior,
        lock_delay: given.duration("LockDelay")?.unwrap_or(LOCK_DELAY),
        ttl,
        lasts,
        node_checks: node_checks(given)?,
        service_checks: service_checks(given)?,
        over: false,
    })
}

/// `Checks` is what older clients call them.
fn node_checks(given: &Given) -> Result<Vec<String>, Refusal> {
    let checks = given.texts("NodeChecks")?.or(given.texts("Checks")?);
    Ok(checks.unwrap_or_else(|| vec![NODE_CHECK.to_string()]))
}

fn service_checks(given: &Given) -> Result<Vec<ServiceCheck>, Refusal> {
    let list = given.list("ServiceChecks")?.unwrap_or_default();
    let check = |value: &serde_json::Value| {
        let check = Given::of(Some(value.clone()))?;
        Ok(ServiceCheck { id: check.text("ID")?, namespace: check.text("Namespace")? })
    };
    list.iter().map(check).collect()
}
