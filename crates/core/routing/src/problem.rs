//! What is wrong with the routes that services wish for. Each is decided in a way that is told here; nothing is guessed
//! in silence.

use adsum_model::{InstanceId, Name};
use serde::{Deserialize, Serialize};

/// Routes are named by their labels, `SERVICE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Problem {
    /// Two services want the same requests, and nothing but age says whose they are.
    #[error(
        "{loser} and {winner} of an older service want the same requests, which go to {winner}: \
         give one a priority, or both a weight and the same rule"
    )]
    Conflict { winner: String, loser: String },
    #[error(
        "{route} never gets a request, since {by} takes all of them: give it a higher priority or remove it"
    )]
    Shadowed { route: String, by: String },
    #[error(
        "{route} has the same rule as {beside}, but not both have a weight, so that {winner} has all: give both one"
    )]
    WeightMissing { route: String, beside: String, winner: String },
    #[error(
        "all routes with the rule of {route} have the weight 0, so that {route} has all requests: give one a weight"
    )]
    NoWeight { route: String },
    #[error("{route} never gets a request, since no request meets its conditions: correct its rule")]
    NeverMet { route: String },
    #[error("{route} names the path {path}, which no request has: {reason}")]
    ImpossiblePath { route: String, path: String, reason: String },
    #[error(
        "{route} has too many alternatives to be compared with others, and ranks behind them: split it into several routes"
    )]
    TooManyAlternatives { route: String },
    #[error(
        "{route} sends clients to a service that a path segment names, but its rule has no PathPrefix: add one"
    )]
    RedirectWithoutPrefix { route: String },
    #[error(
        "{route} sends clients to '{pattern}', which names no service whatever {{1}} is: use a-z, 0-9 and '-' around it"
    )]
    RedirectPattern { route: String, pattern: String },
    #[error("{loser} and {winner} publish port {port}, and {winner} has it: publish another one for {loser}")]
    PortTaken { port: u16, winner: Name, loser: Name },
    #[error("{service} publishes port {port} for http and for tcp, and the first of them counts: remove one")]
    PortTwice { port: u16, service: Name },
    #[error(
        "{service} publishes port {port}, which instance {instance} of {owner} listens on: publish another one"
    )]
    PortOfInstance { port: u16, service: Name, instance: InstanceId, owner: Name },
    #[error("{count} further problems are not listed: correct these first")]
    More { count: usize },
}

impl Problem {
    /// Whether it is the route with this label that has something to lose by it, rather than the one that has its requests.
    pub fn is_of(&self, label: &str) -> bool {
        match self {
            Problem::Conflict { loser: route, .. }
            | Problem::Shadowed { route, .. }
            | Problem::NoWeight { route }
            | Problem::NeverMet { route }
            | Problem::ImpossiblePath { route, .. }
            | Problem::TooManyAlternatives { route }
            | Problem::RedirectWithoutPrefix { route }
            | Problem::RedirectPattern { route, .. } => route == label,
            Problem::WeightMissing { route, beside, winner } => {
                winner != label && (route == label || beside == label)
            }
            Problem::PortTaken { .. }
            | Problem::PortTwice { .. }
            | Problem::PortOfInstance { .. }
            | Problem::More { .. } => false,
        }
    }

    /// Whether it is about a route or a port of the service.
    pub fn concerns(&self, service: &Name) -> bool {
        let own = |label: &String| label.split('/').next() == Some(service.as_str());
        match self {
            Problem::Conflict { winner, loser } => own(winner) || own(loser),
            Problem::Shadowed { route, by } => own(route) || own(by),
            Problem::WeightMissing { route, beside, .. } => own(route) || own(beside),
            Problem::NoWeight { route }
            | Problem::NeverMet { route }
            | Problem::ImpossiblePath { route, .. }
            | Problem::TooManyAlternatives { route }
            | Problem::RedirectWithoutPrefix { route }
            | Problem::RedirectPattern { route, .. } => own(route),
            Problem::PortTaken { winner, loser, .. } => winner == service || loser == service,
            Problem::PortTwice { service: publisher, .. } => publisher == service,
            Problem::PortOfInstance { service: publisher, owner, .. } => {
                publisher == service || owner == service
            }
            Problem::More { .. } => false,
        }
    }
}
