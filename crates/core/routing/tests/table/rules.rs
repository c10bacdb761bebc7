//! Which requests a rule is for.

use crate::kit::{check, service, table};

#[track_caller]
fn fits(rule: &str, request: &str) {
    check(&table(&[service("shop", 1, &[rule])]), request, "shop/1");
}

#[track_caller]
fn misses(rule: &str, request: &str) {
    check(&table(&[service("shop", 1, &[rule])]), request, "nobody");
}

#[test]
fn a_host_is_compared_without_port_case_and_trailing_dot() {
    fits("Host(Shop.local)", "GET SHOP.local:8080/");
    fits("Host(shop.local)", "GET shop.local./");
    fits("Host(shop.local)", "GET shop.local.:80/");
    fits("Host([::1])", "GET [::1]:80/");
    misses("Host(shop.local)", "GET shop.local.org/");
    misses("Host(shop.local)", "GET a.shop.local/");
    misses("Host(shop.local)", "GET /");
}

#[test]
fn a_wildcard_is_for_every_name_below_at_any_depth() {
    fits("Host(*.shop.local)", "GET a.shop.local/");
    fits("Host(*.shop.local)", "GET c.b.a.shop.local.:80/");
    misses("Host(*.shop.local)", "GET shop.local/");
    misses("Host(*.shop.local)", "GET .shop.local/");
    misses("Host(*.shop.local)", "GET ashop.local/");
    misses("Host(*.shop.local)", &format!("GET {}.shop.local/", "a.".repeat(130)));
}

#[test]
fn a_prefix_ends_at_a_segment() {
    fits("PathPrefix(/api)", "GET x/api");
    fits("PathPrefix(/api)", "GET x/api/");
    fits("PathPrefix(/api)", "GET x/api/users");
    misses("PathPrefix(/api)", "GET x/apix");
    misses("PathPrefix(/api)", "GET x/API");
    misses("PathPrefix(/api)", "GET x//api");
    fits("PathPrefix(/api/)", "GET x/api/users");
    misses("PathPrefix(/api/)", "GET x/api");
    fits("PathPrefix(/)", "GET x//a/b");
    fits("Path(/api)", "GET x/api");
    misses("Path(/api)", "GET x/api/");
}

#[test]
fn one_of_several_values_of_a_header_is_enough() {
    fits("Header(X-Beta, yes)", "GET x/ x-beta:no x-beta:yes");
    misses("Header(X-Beta, yes)", "GET x/ x-beta:Yes");
    misses("Header(X-Beta, yes)", "GET x/ x-beta:yes,no");
    misses("Header(X-Beta, yes)", "GET x/");
}

#[test]
fn methods_and_combinations_are_taken_as_written() {
    fits("Method(get, head)", "HEAD x/");
    misses("Method(get, head)", "POST x/");
    fits("!Method(POST) && (Host(a) || Path(/b))", "GET x/b");
    misses("!Method(POST) && (Host(a) || Path(/b))", "POST a/b");
    fits("!(Host(a) && Path(/b))", "GET a/c");
    misses("!(Host(a) && Path(/b))", "GET a/b");
}

#[test]
fn a_path_in_a_rule_is_normalised_as_that_of_a_request() {
    fits("Path(/a%2Db)", "GET x/a-b");
    fits("Path(/a-b)", "GET x/a%2db");
    fits("PathPrefix(/%c3%bc)", "GET x/%C3%BC/x");
    fits("Path(/a/../b)", "GET x/b");
}
