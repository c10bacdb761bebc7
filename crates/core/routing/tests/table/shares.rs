//! Routes with the same rule that share their requests by weight.

use adsum_model::{Health, Service};
use adsum_routing::Table;

use crate::kit::{Records, Request, instance, problems, service};

fn weighted(name: &str, created: u64, rule: &str, weight: Option<u32>) -> Service {
    let mut service = service(name, created, &[rule]);
    service.spec.routing.routes[0].weight = weight;
    service
}

fn with_instances(services: &[Service], running: &[&str]) -> Table {
    let instances: Vec<_> =
        running.iter().zip(1..).map(|(name, seed)| instance(seed, name, Health::Passing)).collect();
    Records::of(services, &instances).table()
}

/// How many of 100 lots in a row fall on each.
fn shares(table: &Table, labels: &[&str]) -> Vec<usize> {
    let request = Request::of("GET a/x");
    let drawn: Vec<&str> = (0..100).map(|lot| request.label(table, lot)).collect();
    labels.iter().map(|label| drawn.iter().filter(|drawn| drawn == &label).count()).collect()
}

#[test]
fn each_route_has_its_share_however_the_rule_is_written() {
    let services = [
        weighted("a", 1, "Host(a) && PathPrefix(/x)", Some(90)),
        weighted("b", 2, "PathPrefix(`/x`) && Host(A)", Some(10)),
        weighted("c", 3, "!(!Host(a) || !PathPrefix(/x))", Some(0)),
    ];
    let table = with_instances(&services, &["a", "b", "c"]);
    assert_eq!(shares(&table, &["a/1", "b/1", "c/1"]), [90, 10, 0]);
    assert!(problems(&table).is_empty());
}

#[test]
fn one_that_could_not_answer_leaves_its_share_to_the_others() {
    let services = [weighted("a", 1, "Host(a)", Some(1)), weighted("b", 2, "Host(a)", Some(1))];
    assert_eq!(shares(&with_instances(&services, &["b"]), &["a/1", "b/1"]), [0, 100]);
    assert_eq!(shares(&with_instances(&services, &[]), &["a/1", "b/1"]), [50, 50], "nobody could");
}

#[test]
fn one_without_a_share_gets_nothing_even_when_the_others_are_away() {
    let services = [weighted("a", 1, "Host(a)", Some(0)), weighted("b", 2, "Host(a)", Some(1))];
    assert_eq!(shares(&with_instances(&services, &["a"]), &["a/1", "b/1"]), [0, 100]);
}

#[test]
fn a_weight_on_some_only_is_told_and_the_oldest_has_all() {
    let services = [weighted("a", 1, "Host(a)", Some(1)), weighted("b", 2, "Host(a)", None)];
    let table = with_instances(&services, &["a", "b"]);
    assert_eq!(shares(&table, &["a/1", "b/1"]), [100, 0]);
    assert_eq!(
        problems(&table),
        ["b/1 has the same rule as a/1, but not both have a weight, so that a/1 has all: give both one"]
    );
}

#[test]
fn weights_of_nothing_are_told_and_the_oldest_has_all() {
    let services = [weighted("a", 2, "Host(a)", Some(0)), weighted("b", 1, "Host(a)", Some(0))];
    let table = with_instances(&services, &["a", "b"]);
    assert_eq!(shares(&table, &["a/1", "b/1"]), [0, 100]);
    assert_eq!(
        problems(&table),
        [
            "all routes with the rule of b/1 have the weight 0, so that b/1 has all requests: give one a weight"
        ]
    );
}

#[test]
fn routes_of_different_priority_do_not_share() {
    let mut services = [weighted("a", 1, "Host(a)", Some(1)), weighted("b", 2, "Host(a)", Some(1))];
    services[1].spec.routing.routes[0].priority = 1;
    assert_eq!(shares(&with_instances(&services, &["a", "b"]), &["a/1", "b/1"]), [0, 100]);
}
