//! A write: one transaction, done once for each client token.
//!
//! The answer to a write that carried a token is recorded in the transaction of the write itself. The same request
//! again gets that answer and changes nothing; another request under the same token is a mistake of the client's.
//! Refusals change nothing and are not recorded: what was wrong may be right by then.

use adsum_catalog::records;
use adsum_keyspace::Transaction;
use adsum_stack::Problem;
use adsum_store::Store;
use axum::body::Body;
use axum::extract::FromRequest;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::to_json;
use super::{Refusal, token};
use crate::fingerprint::fingerprint;
use crate::{body, limits};

/// A write that has been read.
#[derive(Debug)]
pub(crate) struct Write {
    token: Option<String>,
    fingerprint: String,
    /// Whether it takes room.
    grows: bool,
    pub(crate) headers: HeaderMap,
    body: Bytes,
}

/// What a write is answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

/// An answer as the system space keeps it.
#[derive(Serialize, Deserialize)]
struct Recorded {
    fingerprint: String,
    status: u16,
    body: String,
}

struct Told {
    status: StatusCode,
    body: Vec<u8>,
    replayed: bool,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, shape: &impl Serialize) -> Answer {
        Answer { status, body: to_json(shape) }
    }
}

impl<S: Sync> FromRequest<S> for Write {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Write, Refusal> {
        let (parts, body) = request.into_parts();
        let token = token::of(&parts.headers)?;
        let body = body::read(body, limits::BODY).await?;
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let fingerprint = fingerprint(&[parts.method.as_str().as_bytes(), target.as_bytes(), &body]);
        let fingerprint = format!("{fingerprint:032x}");
        Ok(Write { token, fingerprint, grows: parts.method != Method::DELETE, headers: parts.headers, body })
    }
}

impl Write {
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad(format!("the body is no JSON: {error}: send an object")))
    }

    /// The object that a verb takes: no body is an empty one, and a field that is not known is a mistake.
    pub(crate) fn fields(&self, known: &[&str]) -> Result<Value, Refusal> {
        let body = if self.body.is_empty() { Value::Object(Map::new()) } else { self.json()? };
        let Value::Object(fields) = &body else {
            let problem = Problem::new("body", &body, "is no object: send {}");
            return Err(Refusal::of_problems(&[problem]));
        };
        let problems: Vec<Problem> = fields
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, value)| Problem::new(name.as_str(), value, unknown(known)))
            .collect();
        if problems.is_empty() { Ok(body) } else { Err(Refusal::of_problems(&problems)) }
    }

    /// Runs `work` in a transaction, unless it has been done. `work` must refuse before it changes anything.
    pub(crate) async fn carry_out(
        self,
        store: &Store,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Response, Refusal> {
        if let Some(reason) = store.refuses_growth().filter(|_| self.grows) {
            return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, &*reason));
        }
        let told = store.try_commit(|tx| self.once(tx, work)).await??;
        Ok(told.into_response())
    }

    fn once(
        &self,
        tx: &mut Transaction<'_>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Told, Refusal> {
        let Some(token) = &self.token else { return Ok(Told::now(work(tx)?)) };
        let scope = format!("api/{token}");
        if let Some(recorded) = records::request::<Recorded>(tx, &scope) {
            return self.again(token, recorded);
        }
        if !records::has_room_for_request(tx) {
            let text = format!(
                "{} answers to client tokens are kept, and there is no room for another: try without Idempotency-Key, \
                 or when some are older than a day",
                records::REQUESTS
            );
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        let answer = work(tx)?;
        let kept = if answer.body.len() <= limits::KEPT_ANSWER { &*answer.body } else { b"{}" };
        let body = String::from_utf8_lossy(kept).into_owned();
        let (fingerprint, status) = (self.fingerprint.clone(), answer.status.as_u16());
        records::put_request(tx, &scope, &Recorded { fingerprint, status, body });
        Ok(Told::now(answer))
    }

    fn again(&self, token: &str, recorded: Recorded) -> Result<Told, Refusal> {
        if recorded.fingerprint != self.fingerprint {
            let text =
                format!("Idempotency-Key '{token}' came with another request before: give this one its own");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
        let status = StatusCode::from_u16(recorded.status).expect("it was a status when it was recorded");
        Ok(Told { status, body: recorded.body.into_bytes(), replayed: true })
    }
}

fn unknown(known: &[&str]) -> String {
    match known {
        [] => "means nothing here, which takes no field: leave it out".to_string(),
        _ => format!("means nothing here, which takes {}: leave it out", known.join(", ")),
    }
}

impl Told {
    fn now(answer: Answer) -> Told {
        Told { status: answer.status, body: answer.body, replayed: false }
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let mut response = (self.status, kind, self.body).into_response();
        if self.replayed {
            let name = HeaderName::from_static("idempotent-replayed");
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}
