//! The gateway's own answers.

use std::collections::BTreeSet;

use adsum_forward::{GatewayError, X_GATEWAY_ERROR};
use http::header;

#[test]
fn each_error_has_its_status_and_code() {
    let table: Vec<(&str, u16)> =
        GatewayError::ALL.iter().map(|error| (error.code(), error.status().as_u16())).collect();
    let expect = [
        ("no-route", 404),
        ("no-instance", 503),
        ("pending-full", 503),
        ("hold-expired", 503),
        ("connect-failed", 502),
        ("upstream-closed", 502),
        ("upstream-timeout", 504),
        ("deadline", 504),
        ("upstream-invalid", 502),
        ("bad-request", 400),
        ("uri-too-long", 414),
        ("headers-too-large", 431),
        ("loop", 508),
    ];
    assert_eq!(table, expect);
    assert_eq!(GatewayError::ALL.iter().collect::<BTreeSet<_>>().len(), expect.len());
}

#[test]
fn an_answer_is_one_line_of_text_that_nobody_stores() {
    for error in GatewayError::ALL {
        let answer = error.answer(None, None);
        assert_eq!(answer.status, error.status());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[X_GATEWAY_ERROR], error.code());
        assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), error == GatewayError::NoInstance);
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert_eq!(text, format!("{}\n", error.message()));
        assert_eq!(text.lines().count(), 1);
    }
}

#[test]
fn whoever_prefers_json_gets_json() {
    let accept = "application/json".parse().unwrap();
    let answer = GatewayError::NoInstance.answer(Some(&accept), Some("all \"three\" are busy"));
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(&answer.body[..], b"{\"error\":\"no-instance\",\"message\":\"all \\\"three\\\" are busy\"}\n");
    let text = GatewayError::NoInstance.answer(Some(&"*/*".parse().unwrap()), None);
    assert_eq!(text.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
}
