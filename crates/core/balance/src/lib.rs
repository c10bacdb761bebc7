//! What becomes of a request that has come to a service: which instance has it, and whether it is tried again.
//!
//! One worker has, for each service, a [`Balancer`], a [`Budget`] and a [`Pending`] queue, and for each request an
//! [`Exchange`]. Nothing here is shared between workers, so nothing locks. In the words of the caller:
//!
//! ```text
//! let mut exchange = Exchange::new(method, headers, &pool.policy, &mut budget, moment);
//! let mut next = exchange.first(now);
//! loop {
//!     match next {
//!         Try(t)        => sleep(t.pause); pick: Ask { tried: exchange.tried(), sticky, key, lot }
//!                          Ok(picked)  => balancer.begin(seat); limits = exchange.begin_try(seat, now); send ...
//!                                         balancer.observe(seat, latency, class, now) when the head or a failure is there,
//!                                         balancer.end(seat) when nothing of this try is in flight any more
//!                          Err(reason) => event = NoPick { reason, replacing: pool.replacing }
//!         Hold { until } => pending.join(..), or event = PendingFull; served: as after a pick; late: event = HoldExpired
//!         Forward | Refuse(error) | Abandon => the end
//!     }
//!     next = exchange.after(event, &Scene { now, lot, others: balancer.has_other(&exchange, now) }, &mut budget);
//! }
//! ```
//!
//! Not here: sockets, timers, the route table, what headers look like on the other side.
//!
//! Invariants:
//! - Nothing that an instance may have processed is sent twice, unless it may be by its method or by its policy.
//! - What was sent is sent again only on the budget, whatever happens.
//! - A member that is not routable is never picked, nor one that has been ejected, while its time lasts.
//! - Of the members among whom a pick chooses at most half are ejected: never the only one.
//! - A pick without shares by version looks at two members, however many there are, and allocates nothing.

mod balancer;
mod breaker;
mod budget;
mod class;
mod deadline;
mod ewma;
mod exchange;
mod group;
mod lot;
mod member;
mod pending;

pub use balancer::{Ask, Balancer, Candidate, InFlight, NoPick, Picked, Seat};
pub use breaker::Ejection;
pub use budget::{Budget, per_worker};
pub use class::Class;
pub use deadline::{Deadline, GRPC_TIMEOUT, Moment, X_REQUEST_DEADLINE, write_grpc_timeout};
pub use exchange::{ConnectFailure, Event, Exchange, Next, NotSent, Scene, Sent, Try, TryLimits};
pub use pending::{Pending, Ticket};
