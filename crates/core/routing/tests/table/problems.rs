//! Conflicts and routes that are never reached.

use adsum_model::Service;
use adsum_routing::Problem;

use crate::kit::{check, problems, service, table};

#[track_caller]
fn told(services: &[Service], expect: &[&str]) {
    assert_eq!(problems(&table(services)), expect);
}

/// Of two services, the one with the first rule being the older.
fn two(old: &str, new: &str) -> [Service; 2] {
    [service("new", 2, &[new]), service("old", 1, &[old])]
}

const CONFLICT: &str = "new/1 and old/1 of an older service want the same requests, which go to old/1: \
                        give one a priority, or both a weight and the same rule";
const SHADOWED: &str =
    "new/1 never gets a request, since old/1 takes all of them: give it a higher priority or remove it";

#[test]
fn the_same_rule_of_two_services_is_a_conflict_that_the_older_one_wins() {
    told(&two("Host(a) && Path(/x)", "Path(/x) && Host(A)"), &[CONFLICT]);
    check(&table(&two("Host(a) && Path(/x)", "Path(/x) && Host(A)")), "GET a/x", "old/1");
}

#[test]
fn a_problem_is_that_of_whoever_has_something_to_lose_by_it() {
    #[track_caller]
    fn check(problem: &Problem, expect: &[&str]) {
        let labels = ["new/1", "new/11", "old/1"];
        assert_eq!(labels.into_iter().filter(|label| problem.is_of(label)).collect::<Vec<_>>(), expect);
    }
    check(&table(&two("Host(a)", "Host(a)")).problems[0], &["new/1"]);
    check(&table(&two("Host(a)", "Host(a) && PathPrefix(/)")).problems[0], &["new/1"]);
    let [route, beside] = ["new/1", "old/1"].map(str::to_string);
    let winner = beside.clone();
    check(&Problem::WeightMissing { route, beside, winner }, &["new/1"]);
}

/// Every path is under `/`, so that it narrows nothing.
#[test]
fn a_prefix_of_everything_changes_nothing() {
    told(&two("Host(a)", "Host(a) && PathPrefix(/)"), &[CONFLICT]);
    told(&two("Host(a) && PathPrefix(/)", "Host(a) && Method(GET)"), &[]);
    check(&table(&two("Host(a)", "Host(a) && PathPrefix(/)")), "GET a/x", "old/1");
    check(&table(&two("Host(b)", "!PathPrefix(/)")), "GET a/x", "nobody");
}

#[test]
fn rules_that_may_meet_and_that_only_age_ranks_are_a_conflict() {
    told(&two("Host(a) && Method(GET)", "Host(a) && Header(x, y)"), &[CONFLICT]);
    told(&two("Host(a) && (Path(/x) || Path(/y))", "Host(a) && (Path(/y) || Path(/z))"), &[CONFLICT]);
    told(&two("Header(x, a)", "Header(x, b)"), &[CONFLICT]);
    told(&two("PathPrefix(/x) && !Path(/x/y)", "PathPrefix(/x) && !Path(/x/z)"), &[CONFLICT]);
}

#[test]
fn rules_that_never_meet_or_that_something_ranks_are_no_conflict() {
    told(&two("Host(a)", "Host(b)"), &[]);
    told(&two("Host(*.a)", "Host(*.b)"), &[]);
    told(&two("Host(a) && Method(GET)", "Host(a) && Method(POST)"), &[]);
    told(&two("Host(a) && !Path(/x)", "Host(a) && Path(/x)"), &[]);
    told(&two("Host(a) && PathPrefix(/abc)", "Host(a) && PathPrefix(/abd)"), &[]);
    told(&two("Host(a)", "Host(a) && Path(/x)"), &[]);
    told(&two("Host(a) && Header(x, y)", "Host(a) && !Header(x, y)"), &[]);
    told(&two("Host(*.a)", "Host(b.a)"), &[]);
}

#[test]
fn routes_of_one_service_are_in_no_conflict_with_each_other() {
    told(&[service("shop", 1, &["Host(a) && Method(GET)", "Host(a) && Header(x, y)"])], &[]);
}

#[test]
fn a_route_whose_requests_a_better_one_takes_is_shadowed() {
    let raised = |rule: &str, other: &str| {
        let mut both = two(rule, other);
        both[1].spec.routing.routes[0].priority = 1;
        both
    };
    for (wide, narrow) in [
        ("Host(a)", "Host(a) && Path(/x)"),
        ("PathPrefix(/)", "Path(/x)"),
        ("PathPrefix(/x)", "PathPrefix(/x/y) && Method(GET)"),
        ("PathPrefix(/x/)", "Path(/x/y)"),
        ("Host(*.b)", "Host(*.b) && Path(/x)"),
        ("Host(*.b)", "Host(*.a.b) || Host(c.b)"),
        ("Host(*.b) || Host(d)", "Host(*.a.b) || Host(d) && Path(/x)"),
        ("!Method(POST)", "Method(GET)"),
        ("!Path(/x/y)", "!PathPrefix(/x)"),
        ("!Host(*.b)", "Host(b)"),
        ("!(Header(x, y) && Method(GET))", "Method(PUT)"),
    ] {
        told(&raised(wide, narrow), &[SHADOWED]);
    }
}

#[test]
fn nothing_is_said_to_be_shadowed_that_may_be_reached() {
    let raised = |rule: &str, other: &str| {
        let mut both = two(rule, other);
        both[1].spec.routing.routes[0].priority = 1;
        both
    };
    for (wide, narrow) in [
        ("Host(a) && Path(/x)", "Host(a)"),
        ("Host(*.b)", "Host(b)"),
        ("PathPrefix(/x/)", "PathPrefix(/x)"),
        ("PathPrefix(/x)", "PathPrefix(/xy)"),
        ("Host(a)", "Host(a) || Host(b)"),
        ("Header(x, y)", "Header(x, z)"),
        ("!Method(GET)", "!Method(POST)"),
        ("Host(a)", "!Host(b)"),
    ] {
        told(&raised(wide, narrow), &[]);
    }
}

#[test]
fn the_same_rule_twice_in_one_service_shadows_its_second_route() {
    told(
        &[service("shop", 1, &["Host(a)", "Host(a)"])],
        &[
            "shop/2 never gets a request, since shop/1 takes all of them: give it a higher priority or remove it",
        ],
    );
}

#[test]
fn a_rule_that_nothing_meets_is_told() {
    let never = "shop/1 never gets a request, since no request meets its conditions: correct its rule";
    for rule in ["Host(a) && Host(b)", "Path(/x) && !PathPrefix(/x)", "Method(GET) && !Method(GET)"] {
        told(&[service("shop", 1, &[rule])], &[never]);
    }
}

#[test]
fn a_path_that_no_request_has_is_told() {
    let table = table(&[service("shop", 1, &["Path(/a%2Fb) || Path(/c)"])]);
    assert_eq!(
        problems(&table),
        [
            "shop/1 names the path /a%2Fb, which no request has: the path has an encoded delimiter (%2F) at byte 2: \
          servers do not agree on what it means"
        ]
    );
    check(&table, "GET x/c", "shop/1");
}

#[test]
fn the_list_of_problems_has_an_end() {
    let rules = vec!["Host(a)"; 1500];
    let problems = problems(&table(&[service("shop", 1, &rules)]));
    assert_eq!(problems.len(), 1001);
    assert!(problems.contains(&"499 further problems are not listed: correct these first".to_string()));
}

#[test]
fn a_problem_says_whom_it_concerns() {
    let table = table(&two("Host(a)", "Host(a)"));
    let concerned = |name: &str| table.problems[0].concerns(&crate::kit::name(name));
    assert!(concerned("old") && concerned("new") && !concerned("ol"));
}

#[test]
fn a_problem_has_a_form_for_programs() {
    let table = table(&two("Host(a)", "Host(a)"));
    let json = serde_json::to_value(&table.problems).unwrap();
    assert_eq!(json, serde_json::json!([{ "kind": "conflict", "winner": "old/1", "loser": "new/1" }]));
    assert_eq!(serde_json::from_value::<Vec<adsum_routing::Problem>>(json).unwrap(), table.problems);
}
