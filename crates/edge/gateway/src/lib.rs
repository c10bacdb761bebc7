//! The L7 and L4 data path: listeners, connections, pools, drain. Every decision is asked of core.

mod answer;
mod bind;
mod client;
mod control;
mod events;
mod farewell;
mod gateway;
mod head;
mod journey;
mod local;
mod log;
mod metrics;
mod patience;
mod payload;
mod refuse;
mod serve;
mod settings;
mod station;
mod tls;
mod tunnel;
mod upstream;
mod visit;
mod worker;

pub use adsum_forward::{Network, NetworkError};
pub use control::{Control, InFlight, Report};
pub use gateway::{Addresses, Gateway, StartError, WorkerStatus};
pub use settings::{AccessLog, Headers, Limits, LogTarget, Settings, TlsSettings};
