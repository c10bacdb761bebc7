//! What a gateway is started with. Nothing of it changes while it runs, except the contents of the TLS files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adsum_forward::Network;
use adsum_framing::Limits as Framing;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Plain HTTP/1.1, and HTTP/2 by prior knowledge. Published ports are opened on the same IP.
    pub addr: SocketAddr,
    pub tls: Option<TlsSettings>,
    /// Threads, of which each accepts and serves its own connections.
    pub workers: usize,
    pub limits: Limits,
    pub access_log: AccessLog,
    pub headers: Headers,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted: Vec<Network>,
}

/// Where HTTPS is served, with PEM files that are read again when they change.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    pub addr: SocketAddr,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What clients can make the gateway hold, and for how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Client connections at a time, over all workers.
    pub connections: usize,
    /// For a request's head to be complete, from its first byte (of a new connection: from its beginning).
    pub head_timeout: Duration,
    /// For a connection between requests.
    pub idle_timeout: Duration,
    /// The longest silence of a client within a request's body.
    pub body_timeout: Duration,
    /// For a client to take anything of what is sent to it.
    pub write_timeout: Duration,
    pub handshake_timeout: Duration,
    /// A client of HTTP/2 is listened for so often: one that has said nothing in between is asked whether it is there, and let
    /// go when it has said nothing by the next time.
    pub silence: Duration,
    /// Bytes of a request's head.
    pub head: usize,
    /// Bytes of a request's target.
    pub target: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes of a request's body that are kept so that it can be sent again.
    pub replay: usize,
    /// An instance's connection that was idle for longer is not used again.
    pub upstream_idle: Duration,
    /// Idle connections that one worker keeps to one instance.
    pub upstream_kept: usize,
}

/// Which headers the gateway adds to answers.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    pub request_id: bool,
    pub served_by: bool,
    pub attempts: bool,
}

/// What is written about each request, and where.
#[derive(Clone, Debug, Default)]
pub enum AccessLog {
    #[default]
    Off,
    Json(LogTarget),
    Combined(LogTarget),
}

#[derive(Clone, Debug)]
pub enum LogTarget {
    Stdout,
    File(PathBuf),
}

/// Fields of a head at most, whatever the settings say: a map of headers has room for 2^15.
const FIELDS: usize = 4096;

impl Limits {
    /// Those of one head.
    pub(crate) fn framing(&self) -> Framing {
        Framing { head: self.head, target: self.target, fields: self.headers.min(FIELDS) }
    }
}

impl Settings {
    /// On `addr`, with everything else as it is by default.
    pub fn new(addr: SocketAddr) -> Settings {
        Settings {
            addr,
            tls: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Limits::default(),
            access_log: AccessLog::Off,
            headers: Headers::default(),
            trusted: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            silence: Duration::from_secs(20),
            head: 32 << 10,
            target: 8 << 10,
            headers: 100,
            streams: 100,
            replay: 64 << 10,
            upstream_idle: Duration::from_secs(4),
            upstream_kept: 256,
        }
    }
}

impl Default for Headers {
    fn default() -> Headers {
        Headers { request_id: true, served_by: true, attempts: true }
    }
}
