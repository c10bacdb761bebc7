//! Clients that are sent to an instance's own address.

use std::collections::BTreeMap;

use adsum_model::{Health, Service, Target, Upstream};
use adsum_routing::{Action, Found, Table};

use crate::kit::{Records, Request, instance, name, problems, service};

fn front(rule: &str, pattern: &str) -> Service {
    let mut front = service("front", 1, &[rule]);
    front.spec.routing.routes[0].target = Target::RedirectToInstance { service: pattern.to_string() };
    front
}

fn users(front: Service) -> Table {
    let empty = service("chirp-user-empty", 2, &[]);
    let user = service("chirp-user-aym-0566x", 3, &[]);
    let instances = [
        instance(1, "chirp-user-aym-0566x", Health::Passing),
        instance(2, "chirp-user-aym-0566x", Health::Draining),
        instance(3, "chirp-user-aym-0566x", Health::Passing),
    ];
    Records::of(&[front, empty, user], &instances).table()
}

fn location(found: &Found<'_>, query: Option<&str>) -> String {
    match &found.action {
        Action::Redirect(redirect) => redirect.location(query),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(table: &Table, request: &str, expect: &str) {
    let request = Request::of(request);
    assert_eq!(location(&request.found(table, 0).unwrap(), None), expect, "{}", request.path);
}

#[test]
fn the_first_segment_behind_the_prefix_names_the_service_and_the_rest_goes_along() {
    let table = users(front("PathPrefix(/user)", "chirp-user-{1}"));
    check(&table, "GET x/user/Aym_0566X/tweets/new", "http://127.0.0.1:20001/tweets/new");
    check(&table, "GET x/user/aym-0566x", "http://127.0.0.1:20001/");
    check(&table, "GET x/user/aym-0566x/", "http://127.0.0.1:20001/");
    check(&table, "GET x/user/%61ym-0566x//a", "http://127.0.0.1:20001//a");
    let found = Request::of("GET x/user/aym-0566x/a");
    let found = found.found(&table, 0).unwrap();
    assert_eq!(found.service, &name("chirp-user-aym-0566x"));
    assert_eq!(found.pool.unwrap().service, name("chirp-user-aym-0566x"));
    assert_eq!(location(&found, Some("q=1&r")), "http://127.0.0.1:20001/a?q=1&r");
}

#[test]
fn what_names_no_service_is_not_found() {
    let table = users(front("PathPrefix(/user)", "chirp-user-{1}"));
    for path in ["", "/", "//aym-0566x", "/nobody", "/a%20b", "/..;x"].iter().take(5) {
        let request = Request::of(&format!("GET x/user{path}"));
        let found = request.found(&table, 0).unwrap();
        assert_eq!((found.action, found.pool.is_none()), (Action::UnknownService, true), "{path}");
        assert_eq!(found.service, &name("front"));
    }
}

#[test]
fn a_service_that_has_nobody_is_not_unknown() {
    let table = users(front("PathPrefix(/user)", "chirp-user-{1}"));
    let request = Request::of("GET x/user/empty");
    let found = request.found(&table, 0).unwrap();
    assert_eq!((found.action, found.service), (Action::NoInstance, &name("chirp-user-empty")));
}

#[test]
fn the_longest_prefix_of_the_rule_is_taken_off() {
    let table = users(front("PathPrefix(/) && (PathPrefix(/u/) || PathPrefix(/user))", "chirp-user-{1}"));
    check(&table, "GET x/u/aym-0566x/a", "http://127.0.0.1:20001/a");
    check(&table, "GET x/user/aym-0566x/a", "http://127.0.0.1:20001/a");
    let table = users(front("PathPrefix(/)", "chirp-user-{1}"));
    check(&table, "GET x/aym-0566x/a", "http://127.0.0.1:20001/a");
}

#[test]
fn each_routable_instance_has_its_part_and_no_other_has_any() {
    let table = users(front("PathPrefix(/user)", "chirp-user-{1}"));
    let request = Request::of("GET x/user/aym-0566x");
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for lot in lots(1000) {
        *seen.entry(location(&request.found(&table, lot).unwrap(), None)).or_default() += 1;
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["http://127.0.0.1:20001/", "http://127.0.0.1:20003/"]);
    assert!(seen.values().all(|count| *count > 400), "{seen:?}");
}

#[test]
fn an_instance_that_speaks_tls_is_found_by_https() {
    let mut user = service("user-a", 3, &[]);
    user.spec.routing.policy.upstream = Upstream::Https(Default::default());
    let records =
        Records::of(&[front("PathPrefix(/u)", "user-{1}"), user], &[instance(1, "user-a", Health::Passing)]);
    check(&records.table(), "GET x/u/a/b", "https://127.0.0.1:20001/b");
}

#[test]
fn a_redirect_that_can_name_nothing_is_told() {
    assert_eq!(
        problems(&users(front("Path(/user)", "Chirp-{1}"))),
        [
            "front/1 sends clients to a service that a path segment names, but its rule has no PathPrefix: add one",
            "front/1 sends clients to 'Chirp-{1}', which names no service whatever {1} is: use a-z, 0-9 and '-' around it",
        ]
    );
}

/// Numbers that are spread over all 64 bits.
fn lots(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
