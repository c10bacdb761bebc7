//! One route of the table.

use adsum_model::{Name, Rewrite, Rule, Target};

/// A route with whose it is. The rule's paths are normalised as those of requests are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    pub service: Name,
    /// `SERVICE/NAME`, or `SERVICE/2` for the second of its routes without a name, or `SERVICE/:9000` for a port.
    pub label: String,
    pub rule: Rule,
    pub priority: i32,
    pub weight: Option<u32>,
    pub rewrite: Rewrite,
    pub target: Target,
}
