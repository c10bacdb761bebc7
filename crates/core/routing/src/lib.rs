//! Where requests go: the route table, made whole from the catalog, and the barrier that all who route pass.
//!
//! Not here: which member of a pool gets a request (balance), and what a request looks like on its other side (forward).
//! A table is a value: made whole from a catalog, swapped whole, never changed. Nothing here knows a clock; the barrier
//! gets `now` passed in, and whoever asks the table brings a lot where chance decides.

mod alternative;
mod asked;
mod barrier;
mod found;
mod index;
mod literal;
mod matching;
pub mod path;
mod pool;
mod problem;
mod rank;
mod redirect;
mod review;
mod route;
mod routes;
mod saved;
mod table;
mod wish;

pub use asked::{Asked, Entrance, host_of};
pub use barrier::{
    Barrier, Face, Holdup, InFlight, LEASE, LOOK, MemberId, MemberState, Question, REMEMBERED, Reason,
    STANDSTILL, Verdict,
};
pub use found::{Action, Found, Redirect};
pub use matching::matches;
pub use path::PathError;
pub use pool::{Member, Pool, Standing};
pub use problem::Problem;
pub use route::RouteEntry;
pub use saved::{LARGEST_SAVED, SavedError};
pub use table::Table;
