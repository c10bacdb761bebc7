//! The L7 and L4 data path: listeners, connections, pools, drain. Every decision is asked of core.
//!
//! ```text
//! Gateway --tables--> Worker (one thread, one runtime)          x number of processors
//!                       | accepts         | knows
//!                       v                 v
//!     client::Wire | h2 -> serve -> Station (one per service: balancer, budget, queue)
//!       (HTTP/1.1) (HTTP/2)  |         |
//!                            v         v
//!                         Journey -> Upstream (one per instance) -> Line | Shared
//!                            |                                 (HTTP/1.1 | HTTP/2)
//!           Outlet | h2 <- Answer        101: tunnel        TCP port: tunnel
//! ```
//!
//! A request is polled by its client's task alone: it drives the instance's connection, too, and takes it along when it
//! is dropped. Workers share nothing but the number of open connections; what they count is read by whoever asks.
//!
//! Not here: which route, which instance, whether to try again, what headers look like, what is valid HTTP/1 (all of that
//! is in core); where tables come from and who waits for reports (app).
//!
//! Invariants:
//! - A request that an instance may have seen is sent again only when core says so.
//! - A part of an answer is never passed on as the whole: what ends early ends the client's connection (or stream) early.
//! - Nothing waits without a limit, but for an instance's answer when the policy has no `timeout`.
//! - What a client can make the gateway hold is bounded: heads, kept bodies, 1xx, connections, requests that wait.
//! - A connection to an instance has one request at a time (HTTP/1.1), and rests only when its last answer was read to
//!   the end.
//!
//! Not done: 1xx from instances that speak HTTP/2, for which hyper has no way, and WebSockets over HTTP/2 (RFC 8441).
//! Header names go on in lower case.

mod answer;
mod bind;
mod client;
mod clock;
mod control;
mod date;
mod events;
mod farewell;
mod gateway;
mod gather;
mod head;
mod intake;
mod journey;
mod local;
mod log;
mod metrics;
mod outlet;
mod patience;
mod payload;
mod refuse;
mod serve;
mod settings;
mod sockets;
mod station;
#[allow(unsafe_code)]
mod sys;
mod tls;
mod tunnel;
mod turn;
mod upstream;
mod visit;
mod worker;

pub use adsum_forward::{Network, NetworkError};
pub use control::{Control, Ejected, InFlight, Report};
pub use gateway::{Addresses, Gateway, Retirement, StartError, WorkerStatus};
pub use metrics::{Totals, Tries};
pub use settings::{AccessLog, Headers, Limits, LogTarget, Settings, TlsSettings};
pub use sockets::Sockets;
