//! The classification, case by case.

use adsum_balance::Class;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[track_caller]
fn check(status: u16, pairs: &[(&'static str, &'static str)], expect: Class) {
    let class = Class::of(StatusCode::from_u16(status).unwrap(), &headers(pairs));
    assert_eq!(class, expect, "{status} {pairs:?}");
}

#[test]
fn a_status_says_whose_fault_it_is() {
    for status in [100, 101, 200, 204, 206, 301, 304] {
        check(status, &[], Class::Fine);
    }
    for status in [400, 401, 403, 404, 405, 409, 410, 418, 422, 451] {
        check(status, &[], Class::Business);
    }
    for status in [408, 425, 500, 501, 502, 503, 504, 599] {
        check(status, &[], Class::Technical);
    }
}

#[test]
fn too_many_requests_are_not_held_against_the_instance() {
    check(429, &[], Class::Business);
}

#[test]
fn a_service_can_say_otherwise() {
    check(503, &[("x-error-class", "business")], Class::Business);
    check(404, &[("x-error-class", "Technical")], Class::Technical);
    check(503, &[("x-error-class", "whatever")], Class::Technical);
    let grpc = [("content-type", "application/grpc"), ("grpc-status", "14"), ("x-error-class", "business")];
    check(200, &grpc, Class::Business);
}

#[test]
fn a_grpc_status_without_a_body_counts_as_what_it_means() {
    let classes = [
        ("0", Class::Fine),
        ("1", Class::CallerGone),
        ("2", Class::Technical),
        ("3", Class::Business),
        ("4", Class::Technical),
        ("5", Class::Business),
        ("6", Class::Business),
        ("7", Class::Business),
        ("8", Class::Business),
        ("9", Class::Business),
        ("10", Class::Business),
        ("11", Class::Business),
        ("12", Class::Business),
        ("13", Class::Technical),
        ("14", Class::Technical),
        ("15", Class::Technical),
        ("16", Class::Business),
    ];
    for (code, class) in classes {
        check(200, &[("content-type", "application/grpc+proto"), ("grpc-status", code)], class);
        assert_eq!(Class::of_trailers(&headers(&[("grpc-status", code)])), Some(class), "trailers {code}");
    }
    check(200, &[("content-type", "application/grpc")], Class::Fine);
    check(200, &[("content-type", "application/grpc-web"), ("grpc-status", "14")], Class::Fine);
    check(200, &[("content-type", "text/html"), ("grpc-status", "14")], Class::Fine);
    check(503, &[("content-type", "application/grpc")], Class::Technical);
    assert_eq!(Class::of_trailers(&headers(&[("grpc-status", "none")])), None);
    assert_eq!(Class::of_trailers(&HeaderMap::new()), None);
}
