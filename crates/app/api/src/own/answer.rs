//! Answers of the own API.

use adsum_model::Revision;
use adsum_rollout::desire;
use adsum_stack::Problem;
use adsum_store::{Failed, NotCommitted};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use crate::blocking::BadQuestion;
use crate::body::BodyError;
use crate::limits;

/// A request that is not granted, with all that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Refusal {
        Refusal { status, errors: vec![error.into()] }
    }

    pub(crate) fn bad(error: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn unknown_service(name: &str) -> Refusal {
        Refusal::new(
            StatusCode::NOT_FOUND,
            format!("there is no service '{name}': GET /api/services lists them"),
        )
    }

    pub(crate) fn of_problems(problems: &[Problem]) -> Refusal {
        let errors = problems.iter().map(Problem::to_string).collect();
        Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, errors }
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, failed.to_string())
    }
}

impl From<desire::Refusal> for Refusal {
    fn from(refusal: desire::Refusal) -> Refusal {
        let status = match refusal {
            desire::Refusal::Exists(_) => StatusCode::PRECONDITION_FAILED,
            desire::Refusal::Unknown(_)
            | desire::Refusal::UnknownInstance(_)
            | desire::Refusal::UnknownNode(_) => StatusCode::NOT_FOUND,
            desire::Refusal::BeingRemoved(_)
            | desire::Refusal::NoEarlier { .. }
            | desire::Refusal::BackAlready { .. }
            | desire::Refusal::NotUnderWay { .. }
            | desire::Refusal::Leaving(_)
            | desire::Refusal::LastNode { .. } => StatusCode::CONFLICT,
        };
        Refusal::new(status, refusal.to_string())
    }
}

impl From<NotCommitted> for Refusal {
    fn from(error: NotCommitted) -> Refusal {
        match error {
            NotCommitted::Failed(failed) => failed.into(),
            NotCommitted::TooBig(too_big) => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, too_big.to_string()),
        }
    }
}

impl From<BadQuestion> for Refusal {
    fn from(bad: BadQuestion) -> Refusal {
        Refusal::bad(match bad {
            BadQuestion::Index(text) => {
                format!("index '{text}' is no number: give that of an earlier answer")
            }
            BadQuestion::Wait(text) => {
                format!("wait '{text}' is no duration: write it like 500ms, 30s or 5m")
            }
        })
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Refusal {
        match error {
            BodyError::TooLarge(_) => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {} bytes: send less", limits::BODY),
            ),
            BodyError::TooSlow => Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {} s: send it faster", limits::BODY_TIME.as_secs()),
            ),
            BodyError::Broken => Refusal::bad("the body broke off: send it whole"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Errors {
            errors: Vec<String>,
        }
        json(self.status, &Errors { errors: self.errors })
    }
}

pub(crate) fn to_json(shape: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(shape).expect("our own shapes have a JSON form")
}

pub(crate) fn json(status: StatusCode, shape: &impl Serialize) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], to_json(shape)).into_response()
}

/// An answer of a blocking query, with the index to ask for the next with.
pub(crate) fn indexed(index: Revision, mut response: Response) -> Response {
    let name = HeaderName::from_static("x-consul-index");
    response.headers_mut().insert(name, HeaderValue::from(index.0));
    response
}
