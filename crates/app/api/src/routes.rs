//! All paths, each with its methods and what answers there.

use axum::Router;
use axum::body::Body;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter};
use hyper::Request;

use crate::consul::stream::Streams;
use crate::{ApiState, consul, entrance, own};

#[derive(Default)]
struct Routes(Vec<Route>);

/// A path with its methods.
struct Route {
    path: &'static str,
    methods: Vec<&'static str>,
    router: MethodRouter<ApiState>,
}

impl Routes {
    fn on<H, T>(mut self, method: &'static str, path: &'static str, handler: H) -> Routes
    where
        H: Handler<T, ApiState>,
        T: 'static,
    {
        let filter = match method {
            "PUT" => MethodFilter::PUT,
            "POST" => MethodFilter::POST,
            "PATCH" => MethodFilter::PATCH,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        // Those of one path stand together.
        let mut route = self.0.pop_if(|route| route.path == path).unwrap_or_else(|| Route::new(path));
        route.methods.push(method);
        route.router = route.router.on(filter, handler);
        self.0.push(route);
        self
    }
}

impl Routes {
    /// Whatever the method.
    fn every<H, T>(self, path: &'static str, handler: H) -> Routes
    where
        H: Handler<T, ApiState>,
        T: 'static,
    {
        let methods = ["GET", "PUT", "POST", "DELETE"];
        methods.into_iter().fold(self, |routes, method| routes.on(method, path, handler.clone()))
    }
}

impl Route {
    fn new(path: &'static str) -> Route {
        Route { path, methods: Vec::new(), router: MethodRouter::new() }
    }

    /// With an answer for all other methods.
    fn closed(self) -> MethodRouter<ApiState> {
        let methods = self.methods;
        self.router.fallback(async move |request: Request<Body>| entrance::wrong_method(&request, &methods))
    }
}

/// The whole face, without its sockets.
pub fn router(state: ApiState) -> Router {
    let routes = consul_routes(own_routes(Routes::default()));
    let router = routes.0.into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, route.closed())
    });
    let router = router.fallback(entrance::nothing_here);
    let router = router.layer(from_fn(consul::unchanged::hold));
    let router = router.layer(from_fn_with_state(Streams::default(), consul::stream::hold));
    router.layer(from_fn_with_state(state.clone(), entrance::enter)).with_state(state)
}

fn own_routes(routes: Routes) -> Routes {
    routes
        .on("GET", "/api/openapi.json", own::openapi::get)
        .on("GET", "/api/status", own::status::get)
        .on("GET", "/api/services", own::services::list)
        .on("GET", "/api/services/{name}", own::services::get)
        .on("PUT", "/api/services/{name}", own::wish::put)
        .on("PATCH", "/api/services/{name}", own::wish::patch)
        .on("DELETE", "/api/services/{name}", own::wish::delete)
        .on("POST", "/api/services/{name}/scale", own::scale::one)
        .on("GET", "/api/services/{name}/rollouts", own::rollouts::list)
        .on("GET", "/api/services/{name}/rollouts/{number}", own::rollouts::get)
        .on("POST", "/api/services/{name}/rollback", own::rollouts::rollback)
        .on("POST", "/api/services/{name}/abort", own::rollouts::abort)
        .on("POST", "/api/services/{name}/pause", own::rollouts::pause)
        .on("POST", "/api/services/{name}/resume", own::rollouts::resume)
        .on("PUT", "/api/services/{name}/maintenance", own::maintenance::put_service)
        .on("DELETE", "/api/services/{name}/maintenance", own::maintenance::delete_service)
        .on("GET", "/api/services/{name}/why", own::why::get)
        .on("GET", "/api/services/{name}/usable", own::usable::get)
        .on("GET", "/api/services/{name}/logs", own::logs::get)
        .on("POST", "/api/scale", own::scale::several)
        .on("GET", "/api/instances", own::instances::list)
        .on("PUT", "/api/instances/{id}/maintenance", own::maintenance::put_instance)
        .on("DELETE", "/api/instances/{id}/maintenance", own::maintenance::delete_instance)
        .on("GET", "/api/nodes", own::nodes::list)
        .on("POST", "/api/nodes/{name}/drain", own::nodes::drain)
        .on("POST", "/api/nodes/{name}/activate", own::nodes::activate)
        .on("GET", "/api/gateway", own::gateway::get)
        .on("GET", "/api/gateway/routes", own::gateway::routes)
        .on("GET", "/metrics", own::metrics::get)
        .on("GET", "/api/targets", own::targets::list)
        .on("GET", "/api/events", own::events::get)
        .on("GET", "/api/watch", own::watch::get)
        .on("GET", "/api/kv/history", own::past::history)
        .on("GET", "/api/kv/value", own::past::value)
        .on("GET", "/api/snapshot", own::snapshot::get)
        .on("GET", "/api/switches", own::switches::list)
        .on("GET", "/api/switches/{key}", own::switches::get)
        .on("PUT", "/api/switches/{key}", own::switches::put)
        .on("DELETE", "/api/switches/{key}", own::switches::delete)
}

fn consul_routes(routes: Routes) -> Routes {
    one_server_routes(key_routes(catalog_routes(agent_routes(routes))))
}

/// The agent itself, and what is registered with it.
fn agent_routes(routes: Routes) -> Routes {
    routes
        .on("GET", "/v1/agent/self", consul::agent::get)
        .on("GET", "/v1/agent/members", consul::agent::members)
        .on("GET", "/v1/agent/version", consul::agent::version)
        .on("GET", "/v1/agent/metrics", consul::metrics::get)
        .on("GET", "/v1/agent/host", consul::host::get)
        .on("GET", "/v1/agent/monitor", consul::monitor::get)
        .on("GET", "/v1/agent/services", consul::local::services)
        .on("GET", "/v1/agent/service/{id}", consul::local::service)
        .on("PUT", "/v1/agent/service/register", consul::service::register)
        .on("PUT", "/v1/agent/service/deregister/{*id}", consul::service::deregister)
        .on("PUT", "/v1/agent/service/maintenance/{*id}", consul::maintenance::service)
        .on("PUT", "/v1/agent/maintenance", consul::maintenance::node)
        .on("PUT", "/v1/agent/check/register", consul::check::register)
        .on("PUT", "/v1/agent/check/deregister/{*id}", consul::check::deregister)
        .on("PUT", "/v1/agent/check/pass/{*id}", consul::check::pass)
        .on("PUT", "/v1/agent/check/warn/{*id}", consul::check::warn)
        .on("PUT", "/v1/agent/check/fail/{*id}", consul::check::fail)
        .on("PUT", "/v1/agent/check/update/{*id}", consul::check::update)
        .on("GET", "/v1/agent/checks", consul::local::checks)
        .on("GET", "/v1/agent/health/service/id/{id}", consul::local::health_by_id)
        .on("GET", "/v1/agent/health/service/name/{name}", consul::local::health_by_name)
}

/// What there is, where, and how it is.
fn catalog_routes(routes: Routes) -> Routes {
    routes
        .on("GET", "/v1/catalog/datacenters", consul::catalog::datacenters)
        .on("PUT", "/v1/catalog/register", consul::external::register)
        .on("PUT", "/v1/catalog/deregister", consul::external::deregister)
        .on("GET", "/v1/catalog/nodes", consul::catalog::nodes)
        .on("GET", "/v1/catalog/services", consul::catalog::services)
        .on("GET", "/v1/catalog/service/", consul::catalog::no_name)
        .on("GET", "/v1/catalog/service/{name}", consul::catalog::service)
        .on("GET", "/v1/catalog/node/{name}", consul::nodes::by_id)
        .on("GET", "/v1/catalog/node-services/{name}", consul::nodes::listed)
        .on("GET", "/v1/catalog/node/", consul::absent::no_node)
        .on("GET", "/v1/health/node/", consul::absent::no_node)
        .on("GET", "/v1/health/checks/", consul::catalog::no_name)
        .on("GET", "/v1/health/state/", consul::absent::no_state)
        .on("GET", "/v1/health/node/{name}", consul::checks::of_node)
        .on("GET", "/v1/health/checks/{name}", consul::checks::of_service)
        .on("GET", "/v1/health/state/{state}", consul::checks::in_state)
        .on("GET", "/v1/health/service/", consul::catalog::no_name)
        .on("GET", "/v1/health/service/{name}", consul::health::service)
        .on("GET", "/v1/query", consul::query::list)
        .on("POST", "/v1/query", consul::query::create)
        .on("GET", "/v1/query/{id}", consul::query::get)
        .on("PUT", "/v1/query/{id}", consul::query::update)
        .on("DELETE", "/v1/query/{id}", consul::query::delete)
        .on("GET", "/v1/query/{name}/execute", consul::query::execute)
        .on("GET", "/v1/query/{name}/explain", consul::query::explain)
}

/// Keys, and what goes with them.
fn key_routes(routes: Routes) -> Routes {
    routes
        .on("GET", "/v1/kv/", consul::kv::get)
        .on("PUT", "/v1/kv/", consul::kv::put)
        .on("DELETE", "/v1/kv/", consul::kv::delete)
        .on("GET", "/v1/kv/{*key}", consul::kv::get)
        .on("PUT", "/v1/kv/{*key}", consul::kv::put)
        .on("DELETE", "/v1/kv/{*key}", consul::kv::delete)
        .on("PUT", "/v1/txn", consul::txn::put)
        .on("PUT", "/v1/event/fire/", consul::event::no_name)
        .on("PUT", "/v1/event/fire/{name}", consul::event::fire)
        .on("GET", "/v1/event/list", consul::event::list)
        .on("PUT", "/v1/session/create", consul::session::create)
        .on("PUT", "/v1/session/destroy/", consul::session::no_session)
        .on("PUT", "/v1/session/destroy/{id}", consul::session::destroy)
        .on("PUT", "/v1/session/renew/", consul::session::no_session)
        .on("PUT", "/v1/session/renew/{id}", consul::session::renew)
        .on("GET", "/v1/session/info/", consul::session::no_session)
        .on("GET", "/v1/session/info/{id}", consul::session::info)
        .on("GET", "/v1/session/node/", consul::session::no_node)
        .on("GET", "/v1/session/node/{name}", consul::session::of_node)
        .on("GET", "/v1/session/list", consul::session::list)
}

/// What a datacenter of one server answers of itself, and what it has no part in.
fn one_server_routes(routes: Routes) -> Routes {
    routes
        .every("/v1/acl/{*rest}", consul::absent::acl)
        .every("/v1/connect/ca/{*rest}", consul::absent::connect)
        .every("/v1/agent/connect/{*rest}", consul::absent::connect)
        .on("GET", "/v1/status/leader", consul::status::leader)
        .on("GET", "/v1/status/peers", consul::status::peers)
        .on("PUT", "/v1/agent/join/{address}", consul::absent::join)
        .on("PUT", "/v1/agent/leave", consul::absent::leave)
        .on("PUT", "/v1/agent/force-leave/{node}", consul::absent::force_leave)
        .on("PUT", "/v1/agent/reload", consul::absent::reload)
        .on("PUT", "/v1/agent/token/{kind}", consul::absent::acl)
        .on("GET", "/v1/operator/raft/configuration", consul::operator::raft_configuration)
        .on("GET", "/v1/operator/autopilot/health", consul::operator::autopilot_health)
        .on("GET", "/v1/operator/autopilot/configuration", consul::operator::autopilot_configuration)
        .on("GET", "/v1/operator/autopilot/state", consul::operator::autopilot_state)
        .on("GET", "/v1/operator/keyring", consul::operator::keyring)
        .on("POST", "/v1/operator/keyring", consul::operator::keyring)
        .on("PUT", "/v1/operator/keyring", consul::operator::keyring)
        .on("DELETE", "/v1/operator/keyring", consul::operator::keyring)
        .on("GET", "/v1/operator/usage", consul::operator::usage)
        .on("DELETE", "/v1/operator/raft/peer", consul::absent::raft_peer)
        .on("POST", "/v1/operator/raft/transfer-leader", consul::absent::transfer_leader)
        .on("PUT", "/v1/coordinate/update", consul::absent::coordinates)
        .on("GET", "/v1/coordinate/datacenters", consul::operator::coordinate_datacenters)
        .on("GET", "/v1/coordinate/nodes", consul::operator::coordinate_nodes)
        .on("GET", "/v1/coordinate/node/{name}", consul::operator::coordinate_node)
        .on("GET", "/v1/snapshot", consul::snapshot::get)
        .on("PUT", "/v1/snapshot", consul::snapshot::put)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_documentation_and_the_routes_are_the_same() {
        let mut routes = BTreeSet::new();
        for route in own_routes(Routes::default()).0 {
            routes.extend(
                route.methods.iter().map(|method| format!("{} {}", method.to_lowercase(), route.path)),
            );
        }
        let documented: Value = serde_json::from_str(own::openapi::DOCUMENT).unwrap();
        let mut listed = BTreeSet::new();
        for (path, methods) in documented["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
            listed.extend(methods.map(|method| format!("{method} {path}")));
        }
        assert_eq!(listed, routes);
    }

    #[test]
    fn every_reference_of_the_documentation_leads_somewhere() {
        let document: Value = serde_json::from_str(own::openapi::DOCUMENT).unwrap();
        let mut references = Vec::new();
        collect_references(&document, &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    fn collect_references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_string));
                object.values().for_each(|value| collect_references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| collect_references(value, found)),
            _ => {}
        }
    }
}
