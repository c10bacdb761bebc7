//! What holds of any table, for any request.

use std::borrow::Cow;

use adsum_model::{Health, Route, Rule, Service};
use adsum_routing::path::normalise;
use adsum_routing::{Asked, Problem, Table, matches};
use http::{HeaderMap, Method};
use proptest::prelude::*;

use crate::kit::{Records, instance, service, table};

const HOSTS: [&str; 6] = ["a", "b.a", "c.b.a", "b", "*.a", "*.b.a"];
const PATHS: [&str; 8] = ["/", "/x", "/x/", "/x/y", "/x/y/z", "/xy", "/z", "//"];
const METHODS: [&str; 3] = ["GET", "PUT", "POST"];

/// From few words, so that rules and requests meet.
fn rule() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        prop::sample::select(&HOSTS[..]).prop_map(|host| Rule::Host(host.to_string())),
        prop::sample::select(&PATHS[..]).prop_map(|path| Rule::Path(path.to_string())),
        prop::sample::select(&PATHS[..]).prop_map(|path| Rule::PathPrefix(path.to_string())),
        prop::sample::select(&METHODS[..]).prop_map(|method| Rule::Method(method.to_string())),
        (prop::sample::select(&["p", "q"][..]), prop::sample::select(&["1", "2"][..]))
            .prop_map(|(name, value)| Rule::Header { name: name.to_string(), value: value.to_string() }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Rule::All),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(Rule::Any),
            1 => inner.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}

fn route() -> impl Strategy<Value = Route> {
    (rule(), prop_oneof![4 => Just(0), 1 => -1..2], prop::option::weighted(0.3, 0u32..3)).prop_map(
        |(rule, priority, weight)| {
            let mut route = crate::kit::route("Path(/)");
            (route.rule, route.priority, route.weight) = (rule, priority, weight);
            route
        },
    )
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let one = (0u64..3, prop::collection::vec(route(), 0..4));
    prop::collection::vec(one, 1..6).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        let made = numbered.map(|(number, (created, routes))| {
            let mut service = service(&format!("s{number}"), created, &[]);
            service.spec.routing.routes = routes;
            service
        });
        made.collect()
    })
}

#[derive(Clone, Debug)]
struct Request {
    host: String,
    path: String,
    method: Method,
    headers: HeaderMap,
}

impl Request {
    fn asked(&self) -> Asked<'_> {
        Asked { host: &self.host, path: &self.path, method: &self.method, headers: &self.headers }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let hosts = ["a", "b.a", "c.b.a", "d.c.b.a", "b", "x", "", "a.", ".a"];
    let paths =
        ["/", "/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/x/y/z/w", "/xy", "/xy/z", "/z", "//", "//x", "/x//y"];
    let header =
        |name: &'static str| prop::collection::vec((Just(name), prop::sample::select(vec!["1", "2"])), 0..3);
    let headers = (header("p"), header("q")).prop_map(|(p, q)| [p, q].concat());
    (
        prop::sample::select(hosts.to_vec()),
        prop::sample::select(paths.to_vec()),
        prop::sample::select(METHODS.to_vec()),
        headers,
    )
        .prop_map(|(host, path, method, pairs)| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, value.parse().unwrap());
            }
            Request { host: host.into(), path: path.into(), method: method.parse().unwrap(), headers }
        })
}

/// The answer without index, grouping or order of any kind: of all routes that fit, with all the alternatives that fit,
/// the one that is better than each other.
mod naive {
    use super::*;

    /// How a fitting alternative compares: bigger is better.
    type Merit = (i32, (u8, usize), (u8, usize), usize);

    pub(super) fn best<'a>(services: &'a [Service], request: &Asked<'_>) -> Option<(&'a Service, usize)> {
        let all = services.iter().flat_map(|service| {
            service.spec.routing.routes.iter().enumerate().map(move |(place, route)| (service, place, route))
        });
        let fitting = all.filter(|(_, _, route)| matches(&route.rule, request));
        let best = fitting.max_by_key(|(service, place, route)| {
            let age = std::cmp::Reverse((service.created, service.spec.name.clone(), *place));
            (merit(route, request), age)
        });
        best.map(|(service, place, _)| (service, place))
    }

    fn merit(route: &Route, request: &Asked<'_>) -> Merit {
        let fitting = alternatives(&route.rule, true)
            .into_iter()
            .filter(|all| all.iter().all(|one| matches(one, request)));
        fitting.map(|all| merit_of(route.priority, all)).max().unwrap()
    }

    fn merit_of(priority: i32, mut all: Vec<Rule>) -> Merit {
        all.sort();
        all.dedup();
        // It narrows nothing.
        all.retain(|rule| *rule != Rule::PathPrefix("/".into()));
        let host = all.iter().map(|rule| match rule {
            Rule::Host(host) if host.starts_with('*') => (1, host.len()),
            Rule::Host(_) => (2, 0),
            _ => (0, 0),
        });
        let path = all.iter().map(|rule| match rule {
            Rule::PathPrefix(path) => (1, path.len()),
            Rule::Path(_) => (2, 0),
            _ => (0, 0),
        });
        let (host, path) = (host.max().unwrap_or((0, 0)), path.max().unwrap_or((0, 0)));
        let counted = usize::from(host.0 > 0) + usize::from(path.0 > 0);
        (priority, host, path, all.len() - counted)
    }

    fn alternatives(rule: &Rule, wanted: bool) -> Vec<Vec<Rule>> {
        match (rule, wanted) {
            (Rule::Not(rule), _) => alternatives(rule, !wanted),
            (Rule::Any(rules), true) | (Rule::All(rules), false) => {
                rules.iter().flat_map(|rule| alternatives(rule, wanted)).collect()
            }
            (Rule::All(rules), true) | (Rule::Any(rules), false) => {
                rules.iter().fold(vec![vec![]], |product, rule| {
                    let factor = alternatives(rule, wanted);
                    let pairs = product.iter().flat_map(|one| factor.iter().map(move |other| (one, other)));
                    pairs.map(|(one, other)| [one.clone(), other.clone()].concat()).collect()
                })
            }
            (leaf, true) => vec![vec![leaf.clone()]],
            (leaf, false) => vec![vec![Rule::Not(Box::new(leaf.clone()))]],
        }
    }
}

/// The label that is found when nothing is shared.
fn label(table: &Table, request: &Request) -> Option<String> {
    table.find(adsum_routing::Entrance::Gateway, &request.asked(), 0).map(|found| found.route.label.clone())
}

fn without_weights(mut services: Vec<Service>) -> Vec<Service> {
    services
        .iter_mut()
        .flat_map(|service| &mut service.spec.routing.routes)
        .for_each(|route| route.weight = None);
    services
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_a_search_through_all_routes_finds(
        services in services(),
        requests in prop::collection::vec(request(), 1..20),
    ) {
        let services = without_weights(services);
        let table = table(&services);
        for request in &requests {
            let best = naive::best(&services, &request.asked());
            let expect = best.map(|(service, place)| format!("{}/{}", service.spec.name, place + 1));
            prop_assert_eq!(label(&table, request), expect, "{:?}", request);
        }
    }

    #[test]
    fn what_is_said_to_be_never_reached_is_never_found(
        services in services(),
        requests in prop::collection::vec((request(), any::<u64>()), 1..40),
    ) {
        let table = table(&services);
        for (request, lot) in &requests {
            let Some(found) = table.find(adsum_routing::Entrance::Gateway, &request.asked(), *lot) else { continue };
            for problem in &table.problems {
                if let Problem::Shadowed { route, .. } | Problem::NeverMet { route } = problem {
                    prop_assert_ne!(&found.route.label, route, "{:?}", request);
                }
            }
        }
    }

    #[test]
    fn routes_that_share_fit_the_request_alike(
        services in services(),
        request in request(),
        lots in prop::collection::vec(any::<u64>(), 1..20),
        running in prop::collection::vec(any::<bool>(), 6),
    ) {
        let up = services.iter().zip(&running).filter(|(_, up)| **up).zip(1..);
        let instances: Vec<_> =
            up.map(|((service, _), seed)| instance(seed, service.spec.name.as_str(), Health::Passing)).collect();
        let table = Records::of(&services, &instances).table();
        let first = table.find(adsum_routing::Entrance::Gateway, &request.asked(), 0);
        for lot in lots {
            let found = table.find(adsum_routing::Entrance::Gateway, &request.asked(), lot);
            prop_assert_eq!(found.is_some(), first.is_some());
            let (Some(found), Some(first)) = (found, &first) else { continue };
            prop_assert!(matches(&found.route.rule, &request.asked()));
            prop_assert_eq!(found.route.priority, first.route.priority);
            let same = found.route.label == first.route.label;
            prop_assert!(same || (found.route.weight.is_some() && first.route.weight.is_some()));
        }
    }

    #[test]
    fn a_printed_rule_parses_to_itself(rule in rule()) {
        let text = rule.to_string();
        let parsed: Rule = text.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), text);
        prop_assert_eq!(parsed, rule);
    }

    #[test]
    fn a_normal_path_is_normal_and_has_no_dot_segments(raw in "/(%[0-9a-fA-F]{2}|%2[eE]|[./;a%]|[ -~]){0,20}") {
        let Ok(path) = normalise(&raw) else { return Ok(()) };
        prop_assert!(path.starts_with('/') && path.len() <= raw.len());
        prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
        prop_assert_eq!(normalise(&path), Ok(Cow::Borrowed(&*path)));
    }

    #[test]
    fn a_path_without_percent_and_dots_is_not_copied(raw in "/[a-zA-Z0-9/;:@!$&'()*+,=~_-]{0,20}") {
        prop_assert!(matches!(normalise(&raw), Ok(Cow::Borrowed(path)) if path == raw));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_table_made_from_one_before_is_the_table_made_from_nothing(
        services in services(),
        changes in prop::collection::vec((0u64..6, 0usize..7, 0u64..8, any::<bool>()), 1..12),
    ) {
        use Health::{Critical, Draining, Maintenance, Passing, Starting, Warning};
        let healths = [Passing, Passing, Starting, Warning, Critical, Draining, Maintenance];
        let mut records = Records::of(&services, &[]);
        let mut table = records.table();
        for (number, health, seed, changes_routes) in changes {
            let service = &services[number as usize % services.len()];
            if changes_routes {
                let mut changed = service.clone();
                changed.removed = health == 0;
                changed.spec.routing.routes.truncate(seed as usize);
                records.put(&changed);
            } else {
                let seed = number * 10 + seed;
                records.put_instance(&instance(seed, service.spec.name.as_str(), healths[health]));
            }
            table = Table::build(&records.catalog, Some(&table));
            let whole = records.table();
            prop_assert_eq!((table.revision, &table.pools), (whole.revision, &whole.pools));
            prop_assert_eq!(&table.problems, &whole.problems);
            prop_assert_eq!(table.to_json("c"), whole.to_json("c"));
        }
    }
}
