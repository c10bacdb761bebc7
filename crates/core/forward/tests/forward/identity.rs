//! Ids and traces: kept when they are harmless, made when they are missing or not.

use http::Version;

use crate::{SEED, STRANGER, gate, headers, pass, passed, values, whole};

const MADE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_request_without_ids_gets_them() {
    let headers = passed(STRANGER, &[]);
    assert_eq!(values(&headers, "x-request-id"), [MADE]);
    assert_eq!(values(&headers, "x-correlation-id"), [MADE]);
    assert_eq!(values(&headers, "traceparent"), [format!("00-{MADE}-00f067aa0ba902b7-01")]);
}

#[test]
fn ids_of_the_caller_are_kept() {
    let mut asked = headers(&[("host", "a"), ("x-request-id", "req-1"), ("x-correlation-id", "order 7")]);
    let passed = pass(&gate(), STRANGER, Version::HTTP_11, &mut asked).unwrap();
    assert_eq!(passed.request_id, "req-1");
    assert_eq!(values(&asked, "x-request-id"), ["req-1"]);
    assert_eq!(values(&asked, "x-correlation-id"), ["req-1"], "a blank is no visible letter");
    asked = headers(&[("host", "a"), ("x-correlation-id", "order-7")]);
    pass(&gate(), STRANGER, Version::HTTP_11, &mut asked).unwrap();
    assert_eq!(values(&asked, "x-correlation-id"), ["order-7"]);
}

#[test]
fn ids_that_could_do_harm_are_replaced() {
    let long = "x".repeat(129);
    for wrong in ["", "two words", "tab\tstop", long.as_str()] {
        let headers = passed(STRANGER, &[("x-request-id", wrong)]);
        assert_eq!(values(&headers, "x-request-id"), [MADE], "{wrong:?}");
    }
    let two = passed(STRANGER, &[("x-request-id", "a"), ("x-request-id", "b")]);
    assert_eq!(values(&two, "x-request-id"), [MADE]);
    let longest = "x".repeat(128);
    assert_eq!(values(&passed(STRANGER, &[("x-request-id", &longest)]), "x-request-id"), [longest]);
}

#[test]
fn a_trace_goes_on_with_a_new_parent() {
    let headers = passed(STRANGER, &[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]);
    assert_eq!(values(&headers, "traceparent"), ["00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"]);
    assert_eq!(values(&headers, "tracestate"), ["a=1", "b=2"]);
}

#[test]
fn a_later_version_of_a_trace_goes_on_as_the_one_we_know() {
    let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-the-future-brings";
    let headers = passed(STRANGER, &[("traceparent", later)]);
    assert_eq!(values(&headers, "traceparent"), ["00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"]);
}

#[test]
fn a_trace_that_is_not_valid_begins_anew_without_its_state() {
    let made = format!("00-{MADE}-00f067aa0ba902b7-01");
    for wrong in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03more",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    ] {
        let headers = passed(STRANGER, &[("traceparent", wrong), ("tracestate", "a=1")]);
        assert_eq!(values(&headers, "traceparent"), [made.as_str()], "{wrong:?}");
        assert_eq!(values(&headers, "tracestate"), [""; 0], "{wrong:?}");
    }
    let two = passed(STRANGER, &[("traceparent", PARENT), ("traceparent", PARENT)]);
    assert_eq!(values(&two, "traceparent"), [made]);
}

#[test]
fn a_trace_of_b3_is_not_joined_by_a_second_one() {
    for (name, value) in [("b3", "0"), ("x-b3-traceid", "463ac35c9f6413ad")] {
        let headers = passed(STRANGER, &[(name, value), ("x-b3-sampled", "1")]);
        assert_eq!(values(&headers, name), [value]);
        assert_eq!(values(&headers, "x-b3-sampled"), ["1"]);
        assert_eq!(values(&headers, "traceparent"), [""; 0]);
    }
}

#[test]
fn zero_is_no_id_of_a_trace() {
    let mut asked = headers(&[("host", "a")]);
    let host = adsum_forward::Host::of(&http::Uri::from_static("/"), &asked, Version::HTTP_11).unwrap();
    let seed = adsum_forward::Seed { request: 0, span: 0 };
    let inbound = adsum_forward::Inbound { version: Version::HTTP_11, host: &host, seed };
    whole(&gate().caller("::1".parse().unwrap()), &mut asked, &inbound).unwrap();
    let expect = "00-00000000000000000000000000000001-0000000000000001-01";
    assert_eq!(values(&asked, "traceparent"), [expect]);
    assert_ne!(SEED.request, 0);
}
