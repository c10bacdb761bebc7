//! Who comes in and who does not.

use std::time::Instant;

use super::*;

fn about() -> About {
    About {
        version: "1".into(),
        node: "n1".parse().unwrap(),
        datacenter: "dc1".into(),
        faces: crate::Faces::default(),
        names: vec!["adsum.example".into()],
        script_checks: false,
        started: Instant::now(),
    }
}

/// `PUT /path|Header: value|...`
#[track_caller]
fn check_request(lines: &str, expect: u16) {
    let mut lines = lines.split('|');
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let status = check(&about(), &request.body(Body::empty()).unwrap()).map_err(|refused| refused.status);
    assert_eq!(status.err().map_or(200, |status| status.as_u16()), expect);
}

#[test]
fn only_addresses_and_known_names_are_hosts() {
    for host in ["127.0.0.1:8500", "127.0.0.1", "[::1]:8500", "LOCALHOST:1", "adsum.example"] {
        check_request(&format!("GET /v1/kv/a|Host: {host}"), 200);
    }
    for host in
        ["evil.example:8500", "localhost.evil.example", "127.0.0.1.evil.example", "", "adsum.example."]
    {
        check_request(&format!("GET /v1/kv/a|Host: {host}"), 403);
    }
    check_request("GET /api/status", 400);
    check_request("GET /api/status|Host: localhost|Host: evil.example", 400);
    check_request("GET http://evil.example/api/status|Host: localhost", 400);
    check_request("GET http://localhost/api/status|Host: localhost", 200);
}

#[test]
fn a_page_of_another_site_does_not_read_what_is_counted() {
    check_request("GET /metrics|Host: 127.0.0.1:8500", 200);
    check_request("GET /metrics|Host: 127.0.0.1:8500|Origin: http://127.0.0.1:8500", 200);
    check_request("GET /metrics|Host: 127.0.0.1:8500|Origin: http://evil.example", 403);
}

#[test]
fn a_page_of_another_site_neither_writes_nor_reads_what_is_ours() {
    let own = "Host: 127.0.0.1:8500|Origin: http://127.0.0.1:8500|Content-Type: application/json";
    let foreign = "Host: 127.0.0.1:8500|Origin: http://127.0.0.1:3000|Content-Type: application/json";
    for request in ["PUT /api/services/web", "GET /api/services", "PUT /v1/kv/a", "DELETE /v1/kv/a"] {
        check_request(&format!("{request}|{own}"), 200);
        check_request(&format!("{request}|{foreign}"), 403);
    }
    check_request(&format!("GET /v1/kv/a|{foreign}"), 200);
    check_request("PUT /v1/kv/a|Host: localhost|Origin: null", 403);
}

#[test]
fn writes_of_our_own_are_json() {
    let put = "PUT /api/services/web|Host: localhost";
    check_request(put, 415);
    check_request(&format!("{put}|Content-Type: text/plain"), 415);
    check_request(&format!("{put}|Content-Type: application/x-www-form-urlencoded"), 415);
    check_request(&format!("{put}|Content-Type: text/plain; application/json"), 415);
    check_request(&format!("{put}|Content-Type: application/json; charset=utf-8"), 200);
    check_request(&format!("{put}|Content-Type: application/merge-patch+json"), 200);
    check_request("DELETE /api/services/web|Host: localhost", 200);
    check_request("DELETE /api/services/web|Host: localhost|Content-Length: 5", 415);
    check_request("PUT /v1/kv/a|Host: localhost|Content-Type: text/plain", 200);
}
