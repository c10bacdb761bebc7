//! Names, templates and the instances that answer.

use std::net::SocketAddr;

use adsum_catalog::records;
use adsum_catalog::register::{self, Others};
use adsum_keyspace::{Database, Keyspace, Now};
use adsum_model::registered::{self, Status};
use adsum_model::{Berth, Health, Instance, InstanceId, Phase, QueryTemplate, Service, ServiceQuery, Spec};

use super::*;

fn query(id: &str, name: &str, service: &str) -> PreparedQuery {
    let service = ServiceQuery { service: service.to_string(), ..ServiceQuery::default() };
    PreparedQuery { id: id.to_string(), name: name.to_string(), service, ..PreparedQuery::default() }
}

fn template(id: &str, name: &str, service: &str, regexp: &str) -> PreparedQuery {
    let template = Some(QueryTemplate { regexp: regexp.to_string(), remove_empty_tags: true });
    PreparedQuery { template, ..query(id, name, service) }
}

fn instance(seed: u64, health: Health) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(seed),
        node: "n1".parse().unwrap(),
        endpoint: SocketAddr::from(([127, 0, 0, 1], 20_000)),
    };
    Instance {
        version: seed as u32,
        slot: seed as u32,
        phase: Phase::Running,
        health,
        proven: true,
        ..Instance::planned("web".parse().unwrap(), berth)
    }
}

/// One that a client has registered.
fn outside(id: u32) -> registered::Service {
    registered::Service {
        node: "n2".to_string(),
        id: id.to_string(),
        service: "web".to_string(),
        tags: vec!["green".to_string()],
        meta: [("zone".to_string(), "a".to_string())].into(),
        ..registered::Service::default()
    }
}

fn check_of(id: u32, status: Status) -> registered::Check {
    let (node, service) = ("n2".to_string(), id.to_string());
    registered::Check { node, service, status, id: format!("check{id}"), ..registered::Check::default() }
}

/// With one instance that passes, one with a warning, one critical, three registered ones that are so, and these queries.
fn catalog(queries: &[PreparedQuery]) -> Catalog {
    let mut keyspace = Keyspace::default();
    let body = |tx: &mut adsum_keyspace::Transaction<'_>| {
        let mut spec = Spec::new("web".parse().unwrap(), vec!["true".into()]);
        spec.tags = vec!["blue".into()];
        records::put_service(tx, &Service::new(spec, 1, 0));
        for (seed, health) in [(1, Health::Passing), (2, Health::Warning), (3, Health::Critical)] {
            records::put_instance(tx, &mut instance(seed, health));
        }
        for (id, status) in [(11, Status::Passing), (12, Status::Warning), (13, Status::Critical)] {
            register::register_service(tx, &outside(id), vec![check_of(id, status)], Others::Go).unwrap();
        }
        queries.iter().for_each(|query| records::put_query(tx, query));
    };
    keyspace.transact(Now::default(), body).unwrap();
    Catalog::load(keyspace.keys(Database::System), keyspace.revision())
}

#[test]
fn a_name_means_an_id_then_a_name_then_the_longest_template() {
    let queries = [
        query("1", "web", "by-name"),
        template("2", "", "any-${name.full}", ""),
        template("3", "geo-", "${name.suffix}", ""),
        template("4", "geo-db-", "${match(2)}-${match(1)}${match(7)}", "^geo-db-(.*?)-(.*)$"),
    ];
    let catalog = catalog(&queries);
    let service = |name: &str| find(&catalog, name).map(|query| query.service.service);
    assert_eq!(service("1").as_deref(), Some("by-name"));
    assert_eq!(service("web").as_deref(), Some("by-name"));
    assert_eq!(service("other").as_deref(), Some("any-other"));
    assert_eq!(service("geo-cart").as_deref(), Some("cart"));
    assert_eq!(service("geo-db-eu-main").as_deref(), Some("main-eu"));
    assert_eq!(service("geo-db-none").as_deref(), Some("-"), "without a match its groups are empty");
    assert_eq!(find(&catalog_without_any(), "web"), None);
}

fn catalog_without_any() -> Catalog {
    catalog(&[])
}

#[test]
fn empty_tags_of_a_template_go_when_it_says_so() {
    let mut geo = template("1", "geo-", "web", "^geo-(.+)$");
    geo.service.tags = vec!["${match(1)}".into(), "${match(2)}".into()];
    let found = find(&catalog(&[geo]), "geo-blue").unwrap();
    assert_eq!(found.service.tags, ["blue"]);
}

#[track_caller]
fn chosen(change: impl FnOnce(&mut ServiceQuery), expect: &[u32]) {
    let mut query = query("1", "q", "web").service;
    change(&mut query);
    let catalog = catalog(&[]);
    let number = |chosen: &Chosen<'_>| match chosen {
        Chosen::Run(_, instance) => instance.slot,
        Chosen::Registered(service) => service.id.parse().unwrap(),
    };
    assert_eq!(instances(&catalog, &query).iter().map(number).collect::<Vec<_>>(), expect);
}

#[test]
fn those_answer_that_are_as_well_and_as_tagged_as_asked() {
    chosen(|_| {}, &[1, 2, 11, 12]);
    chosen(|query| query.only_passing = true, &[1, 11]);
    chosen(|query| query.tags = vec!["Blue".into(), "!green".into()], &[1, 2]);
    chosen(|query| query.tags = vec!["green".into()], &[11, 12]);
    chosen(|query| query.tags = vec!["!blue".into()], &[11, 12]);
    chosen(
        |query| query.ignored_checks = vec![format!("service:{}", InstanceId::from_seed(3))],
        &[1, 2, 3, 11, 12],
    );
    chosen(|query| query.ignored_checks = vec!["check13".into()], &[1, 2, 11, 12, 13]);
    chosen(|query| query.service_meta = [("version".into(), "2".into())].into(), &[2]);
    chosen(|query| query.service_meta = [("zone".into(), "a".into())].into(), &[11, 12]);
    chosen(|query| query.node_meta = [("rack".into(), "7".into())].into(), &[]);
    chosen(|query| query.service = "none".into(), &[]);
}

#[test]
fn what_is_wrong_with_a_query_is_said() {
    let others = [Arc::new(query("1", "web", "web")), Arc::new(template("2", "", "x", ""))];
    let check = |query: &PreparedQuery| check(query, others.iter()).map_err(|error| error.to_string());
    assert_eq!(check(&query("3", "new", "web")), Ok(()));
    assert_eq!(check(&query("1", "web", "changed")), Ok(()), "it is the same one");
    let mut odd = query("3", "new", "web");
    odd.ttl = "x".to_string();
    for (query, error) in [
        (query("3", "new", ""), "Must provide a Service name to query"),
        (query("3", "", "web"), "Must be bound to a session"),
        (query("3", "web", "web"), "name 'web' aliases an existing query name"),
        (template("3", "", "web", ""), "name '' aliases an existing query name"),
        (odd, "Bad DNS TTL 'x': time: invalid duration \"x\""),
        (template("3", "a", "${name.full", ""), "Bad format '${name.full': ${ has no } behind it"),
    ] {
        assert_eq!(check(&query), Err(error.to_string()));
    }
    let unknown = check(&template("3", "a", "${odd}", "")).unwrap_err();
    assert!(unknown.starts_with("Bad format '${odd}': 'odd' is none of"), "{unknown}");
    assert!(check(&template("3", "a", "x", "(")).unwrap_err().starts_with("Bad Regexp '('"));
}
