//! The agent as its clients see it: requests over HTTP, one connection each.
//!
//! Every write carries a random `Idempotency-Key`. When the connection is lost before the answer is complete, the
//! write is sent once more under the same key, so that it happens once, whichever of the two got through.

mod address;
mod download;
mod error;
mod exchange;
mod path;
mod sse;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

pub(crate) use address::Address;
pub(crate) use download::download;
pub(crate) use error::{Error, Refusal};
pub(crate) use path::Path;
pub(crate) use sse::{Message, Messages};
pub(crate) use watch::{AGAIN, AWAY, Watch};

/// A call that is not told to wait gets its answer within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client command ends with.
pub(crate) type Outcome = anyhow::Result<ExitCode>;

pub(crate) struct Client {
    address: Address,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: Path,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    patience: Duration,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(address: Address) -> Client {
        Client { address }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What the agent has at a path, as JSON.
    pub(crate) async fn get(&self, path: Path) -> Result<Value, Error> {
        self.send(Call::new(Method::GET, path)).await?.json()
    }

    /// Sends a call to its end. An answer that is no success is an error.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        if call.method == Method::GET {
            return self.exchange(&call).await;
        }
        let call = call.header("idempotency-key", random_token());
        match self.exchange(&call).await {
            Err(Error::Lost { .. }) => self.exchange(&call).await,
            outcome => outcome,
        }
    }

    /// Opens a path whose answer does not end by itself.
    pub(crate) async fn stream(&self, path: Path) -> Result<Incoming, Error> {
        self.stream_within(path, PATIENCE).await
    }

    /// The same for one whose answer takes some time to begin.
    pub(crate) async fn stream_within(&self, path: Path, patience: Duration) -> Result<Incoming, Error> {
        let call = Call { patience, ..Call::new(Method::GET, path) };
        let response = self.in_time(&call, exchange::open(&self.address, &call)).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let answer = self.in_time(&call, self.read(response)).await?;
        Err(Error::Refused(Refusal::new(answer.status, &answer.body)))
    }

    /// The answer to a question, whatever its status.
    pub(crate) async fn answer(&self, call: Call) -> Result<Answer, Error> {
        self.in_time(&call, async { self.read(exchange::open(&self.address, &call).await?).await }).await
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Error> {
        let whole = async { self.read(exchange::open(&self.address, call).await?).await };
        let answer = self.in_time(call, whole).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(answer.refusal()) }
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer, Error> {
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|source| Error::Lost { address: self.address.clone(), source })?;
        Ok(Answer { status, body: body.to_bytes() })
    }

    async fn in_time<T>(
        &self,
        call: &Call,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = || Error::Late { address: self.address.clone(), patience: call.patience };
        tokio::time::timeout(call.patience, work).await.unwrap_or_else(|_elapsed| Err(late()))
    }
}

impl Call {
    pub(crate) fn new(method: Method, path: Path) -> Call {
        Call { method, path, headers: Vec::new(), body: Bytes::new(), patience: PATIENCE }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Call {
        self.own().bytes(body.to_string())
    }

    /// Marks a write to the own API, which no page of another site can send: its guard wants this type, body or not.
    pub(crate) fn own(self) -> Call {
        self.header("content-type", "application/json")
    }

    /// The answer may take this much longer, because the agent is asked to wait.
    pub(crate) fn waiting(mut self, time: Duration) -> Call {
        self.patience += time;
        self
    }
}

impl Answer {
    /// What it says when it is no success.
    pub(crate) fn refusal(&self) -> Error {
        Error::Refused(Refusal::new(self.status, &self.body))
    }

    pub(crate) fn json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|source| Error::Garbled { source })
    }
}

/// The JSON of the agent as one of our views of it.
pub(crate) fn view<T: serde::de::DeserializeOwned>(json: &Value) -> anyhow::Result<T> {
    T::deserialize(json)
        .context("the agent answers in another form than this adsum knows: compare their versions")
}

/// 128 random bits in hexadecimal: for what must not be guessed or met twice.
pub(crate) fn random_token() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness once it is up");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
