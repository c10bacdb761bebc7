//! `GET /api/gateway` and `GET /api/gateway/routes`: where requests go, and how far those are who send them there.

use std::sync::Arc;

use adsum_catalog::Catalog;
use adsum_control::{Acknowledged, Routing};
use adsum_gateway::WorkerStatus;
use adsum_model::{Name, Protocol, Rewrite, Target};
use adsum_routing::{Face, Pool, RouteEntry, Standing, Table};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::ApiState;

#[derive(Serialize)]
struct Gateway {
    addr: String,
    /// HTTPS.
    tls_addr: Option<String>,
    table: TableState,
    /// All who route or give addresses away.
    members: Vec<Member>,
    workers: Vec<Worker>,
    ports: Vec<Port>,
    pools: Vec<PoolState>,
    problems: Vec<String>,
    /// Upgraded and TCP connections that were cut at the end of a drain, since the start.
    cut: u64,
}

#[derive(Serialize)]
struct TableState {
    /// The routing revision that it was made from.
    revision: u64,
    /// The one that there is now.
    wanted: u64,
    age_ms: u64,
    /// Not the one that was kept from the last run.
    fresh: bool,
}

#[derive(Serialize)]
struct Member {
    face: &'static str,
    node: String,
    worker: u32,
    applied: u64,
    /// Has reported lately.
    live: bool,
    /// On instances that get nothing new.
    in_flight: Vec<InFlight>,
}

#[derive(Serialize)]
struct InFlight {
    instance: String,
    requests: u64,
    upgrades: u64,
}

#[derive(Serialize)]
struct Worker {
    worker: usize,
    connections: u64,
    /// In flight.
    requests: u64,
    /// Upgraded and TCP connections.
    upgrades: u64,
}

#[derive(Serialize)]
struct Port {
    port: u16,
    protocol: &'static str,
    service: String,
    open: bool,
    error: Option<String>,
}

#[derive(Serialize)]
struct PoolState {
    service: String,
    routable: usize,
    draining: usize,
    panic: bool,
    replacing: bool,
}

#[derive(Serialize)]
struct Route<'a> {
    route: &'a str,
    service: &'a str,
    rule: String,
    priority: i32,
    weight: Option<u32>,
    rewrite: Option<String>,
    /// The pattern of the service that clients are sent to with 302.
    redirect: Option<&'a str>,
    routable: usize,
    problems: Vec<String>,
}

pub(crate) async fn get(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let catalog = state.store.catalog().await?;
    Ok(json(StatusCode::OK, &Gateway::of(&state.routing, &catalog)))
}

/// Those on the gateway's own addresses; published ports are in [`get`].
pub(crate) async fn routes(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let table = state.routing.current().table;
    let routes: Vec<Route<'_>> = table.routes().map(|route| Route::of(route, &table)).collect();
    Ok(json(StatusCode::OK, &routes))
}

impl Gateway {
    fn of(routing: &Routing, catalog: &Catalog) -> Gateway {
        let current = routing.current();
        let table = &current.table;
        let addresses = routing.addresses();
        Gateway {
            addr: addresses.plain.to_string(),
            tls_addr: addresses.tls.map(|addr| addr.to_string()),
            table: TableState {
                revision: table.revision.0,
                wanted: catalog.routing_revision().0,
                age_ms: u64::try_from(current.since.elapsed().as_millis()).unwrap_or(u64::MAX),
                fresh: current.fresh,
            },
            members: routing.acknowledgements().members(catalog).into_iter().map(Member::of).collect(),
            workers: routing.status().iter().map(Worker::of).collect(),
            ports: ports(routing, table),
            pools: table.pools.values().map(PoolState::of).collect(),
            problems: table.problems.iter().map(ToString::to_string).collect(),
            cut: routing.cut(),
        }
    }
}

impl Member {
    fn of(member: Acknowledged) -> Member {
        let Acknowledged { id, applied, in_flight, live } = member;
        let in_flight = in_flight.into_iter().map(|(instance, count)| InFlight {
            instance: instance.to_string(),
            requests: count.requests,
            upgrades: count.upgrades,
        });
        Member {
            face: match id.face {
                Face::Gateway => "gateway",
                Face::Predecessor(_) => "predecessor",
                Face::Dns => "dns",
                Face::Http => "http",
            },
            node: id.node.to_string(),
            worker: id.worker,
            applied: applied.0,
            live,
            in_flight: in_flight.collect(),
        }
    }
}

/// The published ports as the table has them, with what became of them.
fn ports(routing: &Routing, table: &Table) -> Vec<Port> {
    let outcomes = routing.ports();
    let port = |(port, protocol): (u16, Protocol)| {
        let outcome = outcomes.iter().find(|outcome| outcome.port == port);
        Port {
            port,
            protocol: match protocol {
                Protocol::Http => "http",
                Protocol::Tcp => "tcp",
            },
            service: table.publisher(port).map(Name::to_string).unwrap_or_default(),
            open: outcome.is_some_and(|outcome| outcome.error.is_none()),
            error: outcome.and_then(|outcome| outcome.error.clone()),
        }
    };
    table.ports().map(port).collect()
}

impl Worker {
    fn of(status: &WorkerStatus) -> Worker {
        let WorkerStatus { worker, applied: _, connections, requests, upgrades } = *status;
        Worker { worker, connections, requests, upgrades }
    }
}

impl PoolState {
    fn of(pool: &Arc<Pool>) -> PoolState {
        let draining = pool.members.iter().filter(|member| matches!(member.standing, Standing::Draining(_)));
        PoolState {
            service: pool.service.to_string(),
            routable: pool.routable().count(),
            draining: draining.count(),
            panic: pool.panic,
            replacing: pool.replacing,
        }
    }
}

impl<'a> Route<'a> {
    fn of(route: &'a RouteEntry, table: &Table) -> Route<'a> {
        let problems = table.problems.iter().filter(|problem| problem.is_of(&route.label));
        Route {
            route: &route.label,
            service: route.service.as_str(),
            rule: route.rule.to_string(),
            priority: route.priority,
            weight: route.weight,
            rewrite: rewrite(&route.rewrite),
            redirect: match &route.target {
                Target::Service => None,
                Target::RedirectToInstance { service } => Some(service),
            },
            routable: table.pools.get(&route.service).map_or(0, |pool| pool.routable().count()),
            problems: problems.map(ToString::to_string).collect(),
        }
    }
}

fn rewrite(rewrite: &Rewrite) -> Option<String> {
    match rewrite {
        Rewrite::Keep => None,
        Rewrite::StripPrefix(prefix) => Some(format!("strip {prefix}")),
        Rewrite::ReplacePrefix { from, to } => Some(format!("{from} to {to}")),
    }
}
