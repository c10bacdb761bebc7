//! The nouns: names, ids, revision, endpoint, health, spec, and the records that the system space keeps of them.
//!
//! Types parse and print themselves and hold what their name says. No logic lives here: what follows from a
//! health or a spec is decided in `catalog` and `rollout`. The serde form of these types is the form in which
//! the system space stores them; the JSON that people see is shaped in `api` and nowhere else.

mod duration;
mod health;
mod id;
mod limits;
mod name;
mod priority;
mod query;
mod record;
pub mod registered;
mod revision;
pub mod rollout;
mod routing;
mod rule;
mod size;
mod spec;

pub use duration::{ParseDurationError, parse_duration, print_duration};
pub use health::Health;
pub use id::{InstanceId, ParseIdError};
pub use limits::{Controller, Limits, Offer, ParseUlimitError, Resource, Ulimit, Ulimits};
pub use name::{Name, NameError};
pub use priority::{Priority, PriorityError};
pub use query::{PreparedQuery, QueryTemplate, ServiceQuery};
pub use record::{Availability, Berth, Ending, Event, Instance, Node, Phase, Process, Service, Version};
pub use revision::Revision;
pub use rollout::{Receipt, Rollout};
pub use routing::{
    Balance, HashKey, Idempotency, Policy, Protocol, ProxyProtocol, Publish, Rewrite, Route, Routing, Target,
    Upstream, UpstreamTls,
};
pub use rule::{DEEPEST_RULE, LONGEST_RULE, Rule, RuleError};
pub use size::{ParseSizeError, parse_size, print_size, spell_size};
pub use spec::{
    Check, CheckKind, FailureAction, Order, Restart, RestartCondition, Rollback, Spec, Stop, Task, Update,
};
