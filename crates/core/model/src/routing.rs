//! What is wanted of the gateway for a service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Name, Rule};

/// Which requests come to a service, and how they are treated. A change makes no new version, except of what its
/// instances speak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routing {
    pub routes: Vec<Route>,
    pub publish: Vec<Publish>,
    pub policy: Policy,
}

/// Requests on the gateway's own addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Of a route that labels describe (`adsum.route.NAME.rule`); one of `--route` has none.
    pub name: Option<Name>,
    pub rule: Rule,
    /// Of several routes that a request fits, the one with the highest priority has it; 0 when none is given.
    pub priority: i32,
    /// Its share beside other routes with the same rule and priority, of which each must have one.
    pub weight: Option<u32>,
    pub rewrite: Rewrite,
    pub target: Target,
}

/// What becomes of the path on its way to the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewrite {
    #[default]
    Keep,
    /// `/api/x` becomes `/x`, and `/api` becomes `/`; `X-Forwarded-Prefix` says what was taken off.
    StripPrefix(String),
    ReplacePrefix {
        from: String,
        to: String,
    },
}

/// Where a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// To an instance of the service, through the gateway.
    #[default]
    Service,
    /// The client is sent to an instance's own address with 302. The service is named by a pattern in which `{1}` is the
    /// first path segment after the rule's path prefix, in lower case and with `-` for `_`: `chirp-user-{1}`. The rest
    /// of the path goes along.
    RedirectToInstance { service: String },
}

/// A port that the gateway opens for the service alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    pub port: u16,
    /// The port inside of a container; an instance of a process has its own.
    pub target: Option<u16>,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Http,
    Tcp,
}

/// How requests are treated that have come to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// What instances of the current version speak; those of an older one are spoken to as it was then.
    pub upstream: Upstream,
    pub balance: Balance,
    /// The cookie that keeps a client with its instance.
    pub sticky: Option<String>,
    /// How long an instance that has just become routable has less than its full share; 0 is off.
    pub slow_start: Duration,
    /// To make a connection to an instance.
    pub connect_timeout: Duration,
    /// Until an instance's answer begins, for one try; 0 leaves it to `timeout`.
    pub try_timeout: Duration,
    /// Until an answer begins, over all tries and waits; 0 is without a limit.
    pub timeout: Duration,
    /// The longest silence within a body, an event stream or an upgraded connection; 0 is without a limit.
    pub idle_timeout: Duration,
    /// Further tries after the first; 0 is off.
    pub retries: u32,
    /// Retries in percent of the requests of the last ten seconds.
    pub retry_budget: u32,
    /// Retries per second that are always allowed.
    pub retry_floor: u32,
    /// Requests that one instance has at a time; 0 is without a limit.
    pub max_requests: u32,
    /// Requests that may wait for an instance, because all are at `max_requests` or the only one is being replaced.
    pub max_pending: u32,
    /// How long a request waits at most, within `timeout`. By default longer than a drain and a start take together.
    pub hold: Duration,
    /// With fewer instances that pass, in percent, those that have passed before and still run get requests too.
    /// 0 is: only when none passes.
    pub panic_threshold: u8,
    /// The service itself recognises a repeated request by its `Idempotency-Key`, so that one may be sent again.
    pub idempotency: Idempotency,
    /// What a TCP route tells the instance of the client's address before the first byte.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// What an instance speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 by prior knowledge, without TLS (gRPC).
    H2c,
    /// TLS; HTTP/2 where the instance chooses it (ALPN), else HTTP/1.1.
    Https(UpstreamTls),
}

/// How an instance proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamTls {
    /// A PEM file with the authorities that are trusted; the system's when none.
    pub ca: Option<String>,
    /// The name in the certificate; the service's own name when none.
    pub server_name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Of two instances at random the one with the lower load: peak-sensitive latency times requests in flight.
    #[default]
    PeakEwma,
    RoundRobin,
    LeastRequests,
    Random,
    /// The same key goes to the same instance, and few keys move when instances come and go.
    Hash(HashKey),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashKey {
    Header(String),
    Cookie(String),
    Path,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idempotency {
    #[default]
    Off,
    Backend,
}

/// <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    V1,
    V2,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            upstream: Upstream::default(),
            balance: Balance::default(),
            sticky: None,
            slow_start: Duration::ZERO,
            connect_timeout: Duration::from_secs(2),
            try_timeout: Duration::ZERO,
            timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(300),
            retries: 2,
            retry_budget: 20,
            retry_floor: 10,
            max_requests: 0,
            max_pending: 1000,
            hold: Duration::from_secs(45),
            panic_threshold: 0,
            idempotency: Idempotency::default(),
            proxy_protocol: None,
        }
    }
}
