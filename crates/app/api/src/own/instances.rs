//! `GET /api/instances`: where the instances are, for whoever follows many services at once.

use std::sync::Arc;

use adsum_catalog::Catalog;
use adsum_model::{Instance, Name, Revision};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;

use super::Refusal;
use super::answer::{indexed, json};
use super::instance::Brief;
use crate::ApiState;
use crate::blocking::Blocking;
use crate::closing::Closing;
use crate::query::Query;

/// Which instances are meant.
enum Subject {
    Service(Name),
    Under(String),
}

/// Those that are not over, of `?service=`, or of services under `?prefix=`, or all; with `?passing` only those that
/// get traffic. Blocks by the index of just these.
pub(crate) async fn list(
    State(state): State<ApiState>,
    query: Query,
    mut closing: Closing,
) -> Result<Response, Refusal> {
    let subject = Subject::of(&query)?;
    let passing = query.asks("passing");
    let blocking = Blocking::of(&query)?;
    let catalog =
        blocking.catalog(&state.store, false, &mut closing, |catalog| subject.index(catalog)).await?;
    let mut found = subject.instances(&catalog);
    found.retain(|instance| if passing { instance.is_routable() } else { !instance.phase.is_final() });
    // Instances of a service stand together.
    let mut asked: Vec<&Name> = found.iter().map(|instance| &instance.service).collect();
    asked.dedup();
    asked.into_iter().for_each(|name| state.store.directory().asked(name));
    let shapes: Vec<Brief<'_>> = found.iter().map(|instance| Brief::of(instance)).collect();
    Ok(indexed(subject.index(&catalog), json(StatusCode::OK, &shapes)))
}

impl Subject {
    fn of(query: &Query) -> Result<Subject, Refusal> {
        let Some(text) = query.text("service") else {
            return Ok(Subject::Under(query.text("prefix").unwrap_or_default()));
        };
        let name =
            text.parse().map_err(|error| Refusal::bad(format!("service '{text}' is no name: {error}")))?;
        Ok(Subject::Service(name))
    }

    fn index(&self, catalog: &Catalog) -> Revision {
        match self {
            Subject::Service(name) => catalog.index(name),
            Subject::Under(prefix) => catalog.index_under(prefix),
        }
    }

    fn instances<'a>(&'a self, catalog: &'a Catalog) -> Vec<&'a Arc<Instance>> {
        match self {
            Subject::Service(name) => {
                catalog.service(name).map_or_else(Vec::new, |service| service.instances.iter().collect())
            }
            Subject::Under(prefix) => {
                let services = catalog.services_under(prefix);
                let services: Vec<_> = services.map(|(_, service)| &service.instances).collect();
                services.into_iter().flatten().collect()
            }
        }
    }
}
