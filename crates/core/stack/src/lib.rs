//! What people write about a service makes a spec, with every problem found, not only the first.
//!
//! A [`Draft`] is what was written: everything optional, and text where people write text. [`spec`] makes the whole
//! wish of it or says all that is wrong. [`Draft::of`] writes a spec down again, so that an update is the draft of what
//! is, with something changed, read as a whole.
//!
//! Not here: the formats that drafts are read from (flags are the binary's, JSON is `api`'s), what is on the machine
//! (whether the program exists is found out when it is started), and what follows from a spec (`rollout`).
//!
//! Invariants:
//! - A spec's draft reads back as that spec.
//! - A spec that was read can be stored, started and answered for: nothing of it is out of its range.

mod bound;
mod check;
mod draft;
mod duration;
mod label;
mod lifecycle;
mod limit;
mod offer;
mod policy;
mod problem;
mod publish;
mod route;
mod signal;
mod spec;
mod tag;
mod task;
mod update;

pub use bound::{ENTRIES, LABELS, PORTS, REPLICAS, ROUTES, TAGS};
pub use draft::{CheckDraft, Draft, LimitsDraft, PaceDraft, RestartDraft, StopDraft, UpdateDraft};
pub use limit::names_ulimit;
pub use offer::unmet;
pub use problem::Problem;
pub use publish::names_port;
pub use route::names_route;
pub use spec::spec;
