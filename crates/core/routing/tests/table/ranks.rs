//! Which of several routes has a request that fits them all.

use adsum_model::Service;

use crate::kit::{check, name, route, service, table};

/// The first rule is of the service "right", made later than "wrong".
#[track_caller]
fn beats(right: &str, wrong: &str, request: &str) {
    let services = [service("right", 2, &[right]), service("wrong", 1, &[wrong])];
    check(&table(&services), request, "right/1");
}

#[test]
fn the_more_specific_host_goes_first_whatever_the_path() {
    beats("Host(a.b.c)", "Host(*.b.c) && Path(/x)", "GET a.b.c/x");
    beats("Host(*.b.c)", "Host(*.c) && Path(/x)", "GET a.b.c/x");
    beats("Host(*.c)", "Path(/x) && Method(GET)", "GET a.b.c/x");
}

#[test]
fn the_more_specific_path_goes_first_on_the_same_host() {
    beats("Host(a) && Path(/x/y)", "Host(a) && PathPrefix(/x/y) && Method(GET)", "GET a/x/y");
    beats("Host(a) && PathPrefix(/x/y)", "Host(a) && PathPrefix(/x) && Method(GET)", "GET a/x/y/z");
    beats("Method(GET)", "PathPrefix(/)", "GET a/");
}

#[test]
fn more_further_conditions_go_first() {
    beats("Host(a) && Method(GET)", "Host(a)", "GET a/");
    beats("Host(a) && !Header(x, y)", "Host(a)", "GET a/");
    beats("Method(GET) && Header(x, y)", "Method(GET)", "GET a/ x:y");
}

#[test]
fn the_older_service_goes_first_and_then_the_name_and_then_the_place() {
    beats_all("old", &[service("new", 2, &["Host(a)"]), service("old", 1, &["Host(a)"])], "old/1");
    beats_all("name", &[service("b", 1, &["Host(a)"]), service("a", 1, &["Host(a)"])], "a/1");
    beats_all("place", &[service("a", 1, &["Host(a)", "Host(a)"])], "a/1");
}

#[track_caller]
fn beats_all(why: &str, services: &[Service], expect: &str) {
    assert_eq!(crate::kit::Request::of("GET a/").label(&table(services), 0), expect, "{why}");
}

#[test]
fn a_priority_goes_before_all() {
    let mut plain = service("plain", 1, &[]);
    let mut raised = service("raised", 2, &[]);
    plain.spec.routing.routes = vec![route("Host(a) && Path(/x)")];
    raised.spec.routing.routes = vec![route("PathPrefix(/)")];
    raised.spec.routing.routes[0].priority = 1;
    check(&table(&[plain.clone(), raised.clone()]), "GET a/x", "raised/1");
    raised.spec.routing.routes[0].priority = -1;
    check(&table(&[plain, raised]), "GET a/x", "plain/1");
}

#[test]
fn a_rule_with_alternatives_ranks_as_that_many_routes() {
    let services =
        [service("both", 1, &["Host(a) && Path(/x) || PathPrefix(/)"]), service("host", 2, &["Host(a)"])];
    let table = table(&services);
    check(&table, "GET a/x", "both/1");
    check(&table, "GET a/y", "host/1");
    check(&table, "GET b/y", "both/1");
}

#[test]
fn a_rule_with_too_many_alternatives_still_matches_and_ranks_last() {
    let letters = |prefix: &str| (0..30).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>().join(",");
    let rule = format!("Host({}) && Path({})", letters("h"), letters("/p"));
    let table = table(&[service("many", 1, &[&rule]), service("few", 2, &["Method(GET)"])]);
    check(&table, "GET h7/p29", "few/1");
    check(&table, "POST h7/p29", "many/1");
    check(&table, "POST h7/p30", "nobody");
    assert!(crate::kit::problems(&table)[0].starts_with("many/1 has too many alternatives"));
}

#[test]
fn a_route_is_labelled_by_its_name_or_its_place() {
    let mut shop = service("shop", 1, &["Path(/a)", "Path(/b)"]);
    shop.spec.routing.routes[0].name = Some(name("admin"));
    let table = table(&[shop]);
    check(&table, "GET x/a", "shop/admin");
    check(&table, "GET x/b", "shop/2");
}
