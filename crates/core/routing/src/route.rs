//! One route of the table.

use adsum_model::{Name, Publish, Rewrite, Route, Rule, Target};

use crate::alternative::with_normal_paths;

/// A route with whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    pub service: Name,
    /// `SERVICE/NAME`, or `SERVICE/2` for its second route when that has no name, or `SERVICE/:9000` for a port.
    pub label: String,
    /// Its paths are normalised as those of requests are.
    pub rule: Rule,
    pub priority: i32,
    pub weight: Option<u32>,
    pub rewrite: Rewrite,
    pub target: Target,
}

impl RouteEntry {
    /// `place` counts from 0.
    pub(crate) fn of(service: &Name, place: usize, route: &Route) -> RouteEntry {
        let own = route.name.as_ref().map_or_else(|| (place + 1).to_string(), Name::to_string);
        RouteEntry {
            service: service.clone(),
            label: format!("{service}/{own}"),
            rule: with_normal_paths(&route.rule),
            priority: route.priority,
            weight: route.weight,
            rewrite: route.rewrite.clone(),
            target: route.target.clone(),
        }
    }

    /// All requests of a published port.
    pub(crate) fn of_port(service: &Name, publish: &Publish) -> RouteEntry {
        RouteEntry {
            service: service.clone(),
            label: format!("{service}/:{}", publish.port),
            rule: Rule::PathPrefix("/".to_string()),
            priority: 0,
            weight: None,
            rewrite: Rewrite::Keep,
            target: Target::Service,
        }
    }
}
