//! `chirp proxy`: tells where the service of a user is.
//!
//! ```text
//! GET /user          {"users": [{"name": ..., "service": ..., "address": ...}, ...]}
//! GET /user/NAME     302 Found, location: http://ADDRESS/v1/tweet
//! GET /healthz       200, once it knows the users
//! ```
//!
//! It answers from a table that follows the catalog. While Adsum is away it goes on answering from what it knew last:
//! the services themselves do not go away with it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::backoff::Backoff;
use crate::catalog::Catalog;
use crate::environment::Environment;
use crate::log::log;
use crate::server::{self, Refusal};
use crate::stop::Stop;
use crate::table::Table;

/// One answer at least every minute shows that the other side is still there.
const WAIT: Duration = Duration::from_secs(60);

pub async fn run(environment: Environment, stop: Stop) -> anyhow::Result<()> {
    let users = Arc::new(Users::default());
    tokio::select! {
        result = server::serve(router(users.clone()), &environment, stop) => result,
        () = users.follow(Catalog::at(&environment.http)) => Ok(()),
    }
}

/// `None` until the catalog answered for the first time.
#[derive(Default)]
struct Users(RwLock<Option<Table>>);

impl Users {
    async fn follow(&self, catalog: Catalog) {
        let (mut index, mut backoff) = (0, Backoff::network());
        loop {
            match catalog.users_newer(index, WAIT).await {
                Ok(seen) => {
                    self.replace(Table::of(seen.value));
                    index = seen.index;
                }
                Err(error) => {
                    log!("cannot follow the catalog, going on from what is known: {error:#}");
                    index = 0;
                }
            }
            if index > 0 {
                backoff = Backoff::network();
            } else {
                backoff.sleep().await;
            }
        }
    }

    fn replace(&self, table: Table) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref() != Some(&table) {
            log!("users={}", table.len());
            *current = Some(table);
        }
    }

    fn current(&self) -> RwLockReadGuard<'_, Option<Table>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(users: Arc<Users>) -> Router {
    Router::new()
        .route("/user", get(list))
        .route("/user/{name}", get(redirect))
        .route("/healthz", get(health))
        .with_state(users)
}

async fn list(State(users): State<Arc<Users>>) -> Result<Json<Value>, Refusal> {
    match &*users.current() {
        Some(table) => Ok(Json(json!({"users": table.users()}))),
        None => Err(unknown_yet()),
    }
}

async fn redirect(State(users): State<Arc<Users>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let users = users.current();
    let table = users.as_ref().ok_or_else(unknown_yet)?;
    let user = table.find(&name).ok_or_else(|| {
        Refusal(StatusCode::NOT_FOUND, format!("user '{name}' has no service: nothing tweeted so far"))
    })?;
    let location = format!("http://{}/v1/tweet", user.address);
    let headers =
        [(LOCATION, location), (CACHE_CONTROL, "no-cache".to_string()), (CONTENT_LENGTH, "0".to_string())];
    Ok((StatusCode::FOUND, headers).into_response())
}

async fn health(State(users): State<Arc<Users>>) -> Result<&'static str, Refusal> {
    users.current().as_ref().map(|_| "ok\n").ok_or_else(unknown_yet)
}

fn unknown_yet() -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "the catalog has not answered yet".to_string())
}
