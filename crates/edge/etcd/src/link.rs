//! The connection to etcd: to one of its endpoints at a time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::error::{Broken, OpenError, Unavailable};
use crate::protocol::kv_client::KvClient;
use crate::protocol::{RangeRequest, RangeResponse, TxnRequest, TxnResponse};

/// For a connection, and for an answer to a question that changes nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// For a connection that was lost to come back, before whoever needs it is refused at once.
const GRACE: Duration = Duration::from_secs(2);
/// etcd closes connections that ask for signs of life more often than every 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(6);

/// Whose endpoints, and which of them is in use.
pub(crate) struct Link {
    endpoints: Vec<Endpoint>,
    names: String,
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    Up(Channel),
    Down { reason: String, since: Instant },
}

impl Link {
    pub(crate) fn new(endpoints: &[String]) -> Result<Link, OpenError> {
        if endpoints.is_empty() {
            return Err(OpenError::NoEndpoint);
        }
        let names = endpoints.join(",");
        let endpoints = endpoints.iter().map(|name| endpoint(name)).collect::<Result<Vec<_>, _>>()?;
        let reason = "not connected yet".to_string();
        let state = watch::Sender::new(State::Down { reason, since: Instant::now() });
        Ok(Link { endpoints, names, state })
    }

    pub(crate) fn names(&self) -> &str {
        &self.names
    }

    /// Connects to the `nth` endpoint, counted round and round.
    pub(crate) async fn connect(&self, nth: usize) -> Result<Channel, Broken> {
        let endpoint = &self.endpoints[nth % self.endpoints.len()];
        let connected = timeout(PATIENCE, endpoint.connect()).await.map_err(|_| Broken::Silent(PATIENCE))?;
        connected.map_err(|error| Broken::Connect(with_sources(&error)))
    }

    pub(crate) fn up(&self, channel: Channel) {
        self.state.send_replace(State::Up(channel));
    }

    pub(crate) fn down(&self, reason: String) {
        self.state.send_modify(|state| {
            let since = match state {
                State::Up(_) => Instant::now(),
                State::Down { since, .. } => *since,
            };
            *state = State::Down { reason, since };
        });
    }

    /// The connection, if it is there before `deadline`. Nobody waits for one that has been gone for long.
    pub(crate) async fn channel(&self, deadline: Instant) -> Result<Channel, Unavailable> {
        let hope = match &*self.state.borrow() {
            State::Up(channel) => return Ok(channel.clone()),
            State::Down { since, .. } => *since + GRACE,
        };
        let _ = timeout_at(deadline.min(hope), self.until_up()).await;
        match &*self.state.borrow() {
            State::Up(channel) => Ok(channel.clone()),
            State::Down { reason, .. } => Err(self.unavailable(reason)),
        }
    }

    pub(crate) async fn until_up(&self) -> Channel {
        let mut state = self.state.subscribe();
        loop {
            // We hold the sender.
            let up = state.wait_for(|state| matches!(state, State::Up(_))).await.expect("the link is there");
            if let State::Up(channel) = &*up {
                return channel.clone();
            }
        }
    }

    pub(crate) fn unavailable(&self, reason: impl ToString) -> Unavailable {
        Unavailable { endpoints: self.names.clone(), reason: reason.to_string() }
    }
}

fn endpoint(name: &str) -> Result<Endpoint, OpenError> {
    let wrong = || OpenError::Endpoint { endpoint: name.to_string() };
    if !name.starts_with("http://") {
        return Err(wrong());
    }
    let endpoint = Endpoint::from_shared(name.to_string()).map_err(|_| wrong())?;
    let endpoint = endpoint.connect_timeout(PATIENCE).tcp_nodelay(true);
    Ok(endpoint.http2_keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(PATIENCE * 2))
}

/// tonic says "transport error" and keeps the reason behind it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Keys and values; a page of rows may be large.
pub(crate) fn kv(channel: Channel) -> KvClient<Channel> {
    KvClient::new(channel).max_decoding_message_size(usize::MAX)
}

/// A read. Nothing is lost when it has no answer.
pub(crate) async fn range(channel: &Channel, request: RangeRequest) -> Result<RangeResponse, Broken> {
    within(PATIENCE, kv(channel.clone()).range(request)).await
}

/// A transaction that may as well be sent again.
pub(crate) async fn txn(channel: &Channel, request: TxnRequest) -> Result<TxnResponse, Broken> {
    within(PATIENCE, kv(channel.clone()).txn(request)).await
}

pub(crate) async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Broken> {
    match timeout(patience, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(Broken::Silent(patience)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_named() {
        let wrong = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            Link::new(&names).err().unwrap()
        };
        assert_eq!(wrong(&[]), OpenError::NoEndpoint);
        assert_eq!(wrong(&["etcd:2379"]), OpenError::Endpoint { endpoint: "etcd:2379".to_string() });
        let message = wrong(&["http://"]).to_string();
        assert!(message.contains("http://HOST:2379"), "{message}");
    }
}
