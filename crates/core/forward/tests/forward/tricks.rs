//! What clients try so that a service takes their word for the gateway's.

use adsum_forward::{GatewayError, X_GATEWAY_ERROR};
use proptest::prelude::*;

use crate::{STRANGER, TRUSTED, passed, values};

/// What the gateway adds, whatever was said before.
const ADDED: [&str; 8] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "forwarded",
    "via",
    "x-request-id",
    "traceparent",
];

#[test]
fn connection_cannot_take_out_what_the_gateway_adds() {
    for named in [
        "X-Real-Ip, x-forwarded-for",
        "x-forwarded-for, X-FORWARDED-HOST, X-Forwarded-Proto, x-forwarded-PORT",
        "Forwarded, Via, X-Request-Id, TraceParent, x-correlation-id",
        "close, Host, Content-Length",
        " X-Forwarded-For ,, \tVIA",
    ] {
        let headers = passed(STRANGER, &[("connection", named), ("content-length", "3")]);
        for name in ADDED {
            assert_eq!(values(&headers, name).len(), 1, "{name} with Connection: {named}");
        }
        assert_eq!(values(&headers, "content-length"), ["3"]);
        assert_eq!(values(&headers, "host"), ["shop.local"]);
    }
}

#[test]
fn connection_cannot_take_out_what_a_trusted_peer_says() {
    let headers = passed(
        TRUSTED,
        &[
            ("connection", "X-Real-Ip, x-forwarded-for, x-forwarded-prefix"),
            ("x-real-ip", "1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-prefix", "/api"),
        ],
    );
    assert_eq!(values(&headers, "x-real-ip"), ["1.2.3.4"]);
    assert_eq!(values(&headers, "x-forwarded-for"), ["1.2.3.4, 10.0.0.1"]);
    assert_eq!(values(&headers, "x-forwarded-prefix"), ["/api"]);
}

#[test]
fn names_with_underscores_that_some_servers_take_for_ours_do_not_arrive() {
    for peer in [STRANGER, TRUSTED] {
        let headers = passed(
            peer,
            &[
                ("X_Forwarded_For", "127.0.0.1"),
                ("x_forwarded-host", "admin"),
                ("x-forwarded_user", "root"),
                ("X_REAL_IP", "127.0.0.1"),
                ("content_length", "100"),
                ("transfer_encoding", "chunked"),
                ("x_request_id", "x"),
                ("api_key", "x"),
            ],
        );
        let left: Vec<&str> =
            headers.keys().map(http::HeaderName::as_str).filter(|name| name.contains('_')).collect();
        assert_eq!(left, ["api_key"], "what means nothing to anybody goes on");
    }
}

#[test]
fn a_client_cannot_break_the_lines_of_an_answer_of_the_gateway() {
    let answer = GatewayError::BadRequest
        .answer(Some(&"application/json".parse().unwrap()), Some("path '/\"\\\r\n\u{7f}' is not accepted"));
    assert_eq!(
        std::str::from_utf8(&answer.body).unwrap(),
        "{\"error\":\"bad-request\",\"message\":\"path '/\\\"\\\\   ' is not accepted\"}\n"
    );
    assert_eq!(answer.headers[X_GATEWAY_ERROR], "bad-request");
}

/// Names that matter, in letters as a client likes to write them.
fn name() -> impl Strategy<Value = String> {
    let names: Vec<&str> = ADDED
        .into_iter()
        .chain(["x-real-ip", "x-correlation-id", "tracestate", "te", "x-forwarded-user", "x-mine"])
        .collect();
    (prop::sample::select(names), any::<u64>(), any::<bool>()).prop_map(|(name, upper, underscore)| {
        let letters = name.chars().enumerate();
        let cased =
            letters.map(
                |(at, letter)| if upper >> (at % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter },
            );
        let cased: String = cased.collect();
        if underscore { cased.replace('-', "_") } else { cased }
    })
}

proptest! {
    #[test]
    fn whatever_a_stranger_sends_the_service_reads_the_gateways_own_words(
        claims in prop::collection::vec((name(), "[a-z0-9.,;=]{1,20}"), 0..8),
        named in prop::collection::vec(name(), 0..6),
    ) {
        let connection = named.join(", ");
        let mut pairs: Vec<(&str, &str)> = vec![("connection", connection.as_str())];
        pairs.extend(claims.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let headers = passed(STRANGER, &pairs);
        prop_assert_eq!(values(&headers, "x-forwarded-for"), [STRANGER]);
        prop_assert_eq!(values(&headers, "x-forwarded-host"), ["shop.local"]);
        prop_assert_eq!(values(&headers, "x-forwarded-proto"), ["http"]);
        prop_assert_eq!(values(&headers, "x-forwarded-port"), ["8080"]);
        prop_assert_eq!(values(&headers, "forwarded"), ["for=203.0.113.7;proto=http;host=shop.local"]);
        prop_assert!(values(&headers, "via").ends_with(&["1.1 adsum".to_string()]));
        prop_assert_eq!(values(&headers, "x-request-id").len(), 1);
        prop_assert_eq!(values(&headers, "traceparent").len(), 1);
        prop_assert!(!headers.contains_key("x-real-ip") && !headers.contains_key("x-forwarded-user"));
        let lookalikes = headers.keys().filter(|name| name.as_str().contains('_') && name.as_str() != "x_mine");
        prop_assert_eq!(lookalikes.count(), 0);
    }
}
