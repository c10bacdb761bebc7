//! `chirp api`: the service of one user, which keeps that user's tweets.
//!
//! ```text
//! POST /v1/tweet                   201 with the tweet, also when it was there already
//! GET  /v1/tweet?limit=&cursor=    {"tweets": [...], "next": cursor or null}, newest first
//! GET  /healthz                    200
//! ```

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{self, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::environment::Environment;
use crate::log::log;
use crate::name::PREFIX;
use crate::page::{Page, Query};
use crate::server::{self, Refusal};
use crate::stop::Stop;
use crate::tweet::Tweet;
use crate::tweets::Tweets;

const LARGEST_TWEET: usize = 64 * 1024;

pub async fn run(environment: Environment, stop: Stop) -> anyhow::Result<()> {
    let tweets = Tweets::open(&environment.data_dir)?;
    log!("keeping the tweets of user={} in {}", environment.user, environment.data_dir.display());
    server::serve(router(Api { tweets, service: environment.service.clone() }), &environment, stop).await
}

struct Api {
    tweets: Tweets,
    /// The name under which this was deployed, empty by hand.
    service: String,
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/tweet", get(list).post(publish))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(LARGEST_TWEET))
        .with_state(Arc::new(api))
}

async fn publish(
    State(api): State<Arc<Api>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let body = body.map_err(|refused| Refusal(refused.status(), refused.body_text()))?;
    let json = std::str::from_utf8(&body).map_err(|_| bad("not UTF-8".to_string()))?;
    let tweet = Tweet::parse(json).map_err(bad)?;
    api.is_mine(&tweet)?;
    let stored = api.tweets.put(&tweet).map_err(broken)?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], stored).into_response())
}

async fn list(
    State(api): State<Arc<Api>>,
    query: Result<extract::Query<Query>, QueryRejection>,
) -> Result<Json<Listing>, Refusal> {
    let extract::Query(query) = query.map_err(|refused| bad(refused.body_text()))?;
    let found = api.tweets.find(&Page::try_from(query).map_err(bad)?).map_err(broken)?;
    let tweets = found.tweets.into_iter().map(RawValue::from_string).collect::<Result<_, _>>();
    Ok(Json(Listing { tweets: tweets.map_err(broken)?, next: found.next.map(|id| id.to_string()) }))
}

/// The tweets go out byte by byte as they came in.
#[derive(Serialize)]
struct Listing {
    tweets: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Api {
    /// Somebody with an old address would store a tweet with the wrong user, for ever. 421 tells them to look again.
    fn is_mine(&self, tweet: &Tweet) -> Result<(), Refusal> {
        let theirs = tweet.user.service();
        if self.service.starts_with(PREFIX) && self.service != theirs {
            let reason = format!("this is {}, the tweet belongs to {theirs}", self.service);
            return Err(Refusal(StatusCode::MISDIRECTED_REQUEST, reason));
        }
        Ok(())
    }
}

fn bad(reason: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, reason)
}

fn broken(error: impl std::error::Error) -> Refusal {
    log!("cannot use the database: {error}");
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
