//! What is asked, how often, and over what.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Connections are kept and used again.
    Http1,
    /// A connection for each request.
    Http1Fresh,
    /// HTTP/2 by prior knowledge, over this many connections.
    H2c(usize),
}

/// One kind of request.
#[derive(Debug, Clone)]
pub struct Shot {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: usize,
    pub(super) host: Option<String>,
}

impl Shot {
    /// To another host than the plan's.
    #[must_use]
    pub fn host(mut self, host: &str) -> Shot {
        self.host = Some(host.to_string());
        self
    }
}

pub fn get(path: &str) -> Shot {
    Shot { method: Method::GET, path: path.to_string(), body: 0, host: None }
}

/// A POST with a body of so many bytes, and an id that the backend notes.
pub fn post(path: &str, body: usize) -> Shot {
    Shot { method: Method::POST, path: path.to_string(), body, host: None }
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) target: SocketAddr,
    pub(super) host: String,
    pub(super) interval: Duration,
    pub(super) protocol: Protocol,
    pub(super) mix: Vec<Shot>,
    pub(super) patience: Duration,
    pub(super) requests: Option<u64>,
    pub(super) most_at_once: usize,
    pub(super) name: String,
}

impl Plan {
    /// `GET /` so many times per second, until stopped.
    pub fn new(target: SocketAddr, host: &str, rate: u32) -> Plan {
        Plan {
            target,
            host: host.to_string(),
            interval: Duration::from_secs(1) / rate,
            protocol: Protocol::Http1,
            mix: vec![get("/")],
            patience: Duration::from_secs(30),
            requests: None,
            most_at_once: 5_000,
            name: "load".to_string(),
        }
    }

    /// Kinds of requests, in turn.
    #[must_use]
    pub fn mix(mut self, shots: impl IntoIterator<Item = Shot>) -> Plan {
        self.mix = shots.into_iter().collect();
        self
    }

    #[must_use]
    pub fn over(mut self, protocol: Protocol) -> Plan {
        self.protocol = protocol;
        self
    }

    /// One request each so often.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Plan {
        self.interval = interval;
        self
    }

    /// So many, and no more.
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Plan {
        self.requests = Some(requests);
        self
    }

    /// How long one request may take before it is given up.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Plan {
        self.patience = patience;
        self
    }

    /// What ids of POSTs begin with: loads that run beside each other have different ones.
    #[must_use]
    pub fn name(mut self, name: &str) -> Plan {
        self.name = name.to_string();
        self
    }

    pub(super) fn shot(&self, number: u64) -> &Shot {
        &self.mix[usize::try_from(number).expect("a count fits") % self.mix.len()]
    }

    /// The id of a POST.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.name)
    }
}
