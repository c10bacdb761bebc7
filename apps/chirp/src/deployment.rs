//! The deployment face of Adsum: a worker deploys the service of a user who has none.

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::delivery::Failure;
use crate::http;
use crate::log::log;
use crate::name::ScreenName;

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Deployment {
    address: String,
    /// The service of a user is this very program, in another role.
    program: PathBuf,
}

impl Deployment {
    pub fn through(address: &str) -> anyhow::Result<Deployment> {
        Ok(Deployment { address: address.to_string(), program: std::env::current_exe()? })
    }

    /// Creates the user's service unless there is one. `exclusive`: never two instances on one database. The token makes
    /// it harmless to ask twice, when the answer to the first got lost.
    pub async fn create(&self, user: &ScreenName, token: &str) -> Result<(), Failure> {
        let mut request = http::request(Method::PUT, &format!("/api/services/{}", user.service()));
        request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        let token = HeaderValue::from_str(token).expect("a token is hexadecimal");
        request.headers_mut().insert(HeaderName::from_static("idempotency-key"), token);
        let answer = http::send(&self.address, http::json(request, self.spec(user)), PATIENCE).await?;
        match answer.status {
            // Somebody was faster, which is as good.
            StatusCode::PRECONDITION_FAILED => Ok(()),
            status if status.is_success() => {
                log!("deployed service={} user={}", user.service(), user.as_str());
                Ok(())
            }
            _ => Err(Failure::of("deploying", &answer)),
        }
    }

    fn spec(&self, user: &ScreenName) -> String {
        json!({
            "command": [self.program, "api"],
            "replicas": 1,
            "exclusive": true,
            "check": {"kind": "http", "path": "/healthz", "interval": "10s"},
            "tags": ["chirp-user"],
            "env": {"CHIRP_USER": user.as_str()},
        })
        .to_string()
    }
}
