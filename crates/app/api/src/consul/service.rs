//! `PUT /v1/agent/service/register` and `/deregister/ID`: services that run beside Adsum, on the node of this agent.

use adsum_catalog::register::{self, Others};
use adsum_keyspace::Transaction;
use adsum_model::InstanceId;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use super::answer::Refusal;
use super::commit::commit;
use super::definition;
use super::fields::Fields;
use crate::ApiState;
use crate::query::Query;

/// A service with its checks, in one commit.
pub(crate) async fn register(
    State(state): State<ApiState>,
    query: Query,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body).await?;
    let service = definition::service(state.about.node.as_str(), &fields)?;
    let checks = definition::checks_with(&service, &fields)?;
    definition::refuse_scripts(&checks, state.about.script_checks)?;
    refuse_growth(&state)?;
    let others = if query.asks("replace-existing-checks") { Others::Go } else { Others::Stay };
    commit(&state, |tx| register::register_service(tx, &service, checks, others)).await??;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn deregister(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    refuse_own(&state, &id).await?;
    let node = state.about.node.as_str();
    let remove = |tx: &mut Transaction<'_>| register::deregister_service(tx, node, &id);
    let first = commit(&state, remove).await?;
    let mut more = first.more;
    while more {
        more = commit(&state, remove).await?.more;
    }
    if first.was_there { Ok(StatusCode::OK.into_response()) } else { Err(unknown(&id)) }
}

/// What Adsum runs is not taken away here.
async fn refuse_own(state: &ApiState, id: &str) -> Result<(), Refusal> {
    let view = state.store.catalog().await?;
    let instance = id.parse().ok().and_then(|id: InstanceId| view.instance(&id).cloned());
    match instance {
        None => Ok(()),
        Some(instance) => Err(Refusal::bad(format!(
            "Service ID \"{id}\" is an instance of {0} that Adsum runs: use 'adsum service scale {0}=N' or \
             'adsum service rm {0}'",
            instance.service
        ))),
    }
}

pub(crate) fn unknown(id: &str) -> Refusal {
    let text =
        format!("Unknown service ID \"{id}\". Ensure that the service ID is passed, not the service name.");
    Refusal::new(StatusCode::NOT_FOUND, text)
}

/// What takes room is not taken when there is none left.
pub(crate) fn refuse_growth(state: &ApiState) -> Result<(), Refusal> {
    match state.store.refuses_growth() {
        Some(reason) => Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason)),
        None => Ok(()),
    }
}

impl From<register::Refusal> for Refusal {
    fn from(refusal: register::Refusal) -> Refusal {
        let status = match &refusal {
            register::Refusal::UnknownService(_)
            | register::Refusal::NoService
            | register::Refusal::NoNode => StatusCode::INTERNAL_SERVER_ERROR,
            register::Refusal::Full(..) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Refusal::new(status, refusal.to_string())
    }
}
