//! The DNS sockets: UDP and TCP on one port.
//!
//! Bytes go in and out here, with the limits and the length prefix of RFC 7766; what a message means, and what is
//! answered to it, is decided in `adsum-dns`.
//!
//! Invariants:
//! - The face serves until it is told to stop: no message, no client and no error of a socket ends it.
//! - A client has a time for each message, whole: neither silence nor one byte now and then holds a connection.
//! - An answer leaves after its service was noted as asked for.

mod bind;
mod desk;
mod forward;
mod pause;
mod tcp;
#[cfg(test)]
mod tests;
mod throttle;
mod udp;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::Catalog;
use adsum_dns::{Config, Limiter};
use adsum_model::Name;

pub use bind::{BindError, Bound, bind};
use desk::Desk;
use forward::Forwarder;

/// Where answers come from.
pub trait Directory: Clone + Send + Sync + 'static {
    /// The last view that may be seen outside. Called once per query.
    fn catalog(&self) -> Arc<Catalog>;

    /// Addresses or ports of this service's instances are about to be given away.
    fn asked(&self, service: &Name);
}

/// What clients may take up, and who else is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections at a time; one more is closed at once.
    pub connections: usize,
    /// How long a TCP client may take for one query, and for taking one answer.
    pub patience: Duration,
    /// Answers per second over UDP for each network of clients, this machine apart.
    pub rate: Option<NonZeroU32>,
    /// Resolvers that names in none of our zones are asked of, in this order. None: such names are refused.
    pub forward: Vec<SocketAddr>,
}

impl Default for Limits {
    /// 1,000 connections; 10 s, as RFC 7766 6.2.3 wants it in the order of seconds; no limit by network, and nobody asked.
    fn default() -> Limits {
        Limits { connections: 1000, patience: Duration::from_secs(10), rate: None, forward: Vec::new() }
    }
}

/// Bytes of the longest query that is read: a question has at most 271, the rest is for options.
const LONGEST_QUERY: usize = 4096;

/// Answers on both sockets until `shutdown`; then closes them and every connection. Fails only at the start, when the
/// sockets cannot be registered with the runtime.
pub async fn serve<D: Directory>(
    limits: Limits,
    bound: Bound,
    directory: D,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let Limits { connections, patience, rate, forward } = limits;
    let desk = Arc::new(Desk::new(directory, config, Forwarder::new(forward)));
    let (udp, tcp) = bound.into_tokio()?;
    let udp = Arc::new(udp);
    tokio::select! {
        () = shutdown => Ok(()),
        never = udp::serve(&udp, &desk, rate.map(Limiter::new)) => match never {},
        never = tcp::serve(&tcp, &desk, connections, patience) => match never {},
    }
}
