//! The HTTP face: Consul's API under `/v1`, Adsum's own under `/api`. The only room where the nouns get the JSON shape
//! that people see.
//!
//! ```text
//! serve -> connection -> enter (guard, panics, headers) -> route -> own/... or consul/... -> Store, Directory
//! ```
//!
//! [`router`] is the face without its sockets, [`serve`] gives it some. A read asks the [`adsum_store::Directory`] or
//! makes a transaction that changes nothing; a write is one transaction, and its answer leaves when that is durable.
//!
//! Not here: what a wish leads to (`rollout`), who carries it out (`control`), the web UI.
//!
//! Invariants:
//! - No answer shows what is not durable.
//! - Nothing is refused without saying what, which value, and what to do instead.
//! - What a client can make grow (header, body, connections, waiting) has its bound in [`limits`].
//! - No page of another site, and no name that somebody else points at this machine, reaches a handler.

mod about;
mod blocking;
mod body;
mod changes;
mod closing;
mod consul;
mod entrance;
mod fingerprint;
mod guard;
pub mod limits;
mod monitor;
mod own;
mod patient;
mod percent;
mod query;
mod routes;
mod server;
mod state;

pub use about::{About, Faces, Keeper};
pub use monitor::Monitor;
pub use routes::router;
pub use server::serve;
pub use state::{ApiState, Logs};
