//! Answers on their way back.

use adsum_forward::{Marks, knows_coding, pass_back, pass_early};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::{headers, values};

fn back(status: StatusCode, pairs: &[(&str, &str)], marks: &Marks<'_>) -> HeaderMap {
    let mut headers = headers(pairs);
    pass_back(status, &mut headers, marks);
    let mine = marks.fields();
    assert!(!mine.iter().flatten().any(|(name, _)| headers.contains_key(name)), "said twice: {headers:?}");
    marks.put(&mut headers);
    headers
}

#[test]
fn headers_of_one_hop_end_here() {
    let given = [
        ("connection", "close, X-Private"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("trailer", "x-checksum"),
        ("location", "/next"),
        ("set-cookie", "a=1; Path=/api"),
        ("set-cookie", "b=2"),
    ];
    let headers = back(StatusCode::OK, &given, &Marks::default());
    let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["location", "set-cookie", "trailer"]);
    assert_eq!(values(&headers, "set-cookie"), ["a=1; Path=/api", "b=2"]);
    assert_eq!(values(&headers, "location"), ["/next"]);
}

#[test]
fn what_is_said_before_an_answer_is_told_without_hops_length_and_marks() {
    let mut headers = headers(&[
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("content-length", "5"),
        ("x-request-id", "mine"),
        ("x-served-by", "somebody"),
        ("x-attempts", "9"),
        ("link", "</a.css>"),
    ]);
    pass_early(StatusCode::EARLY_HINTS, &mut headers);
    assert_eq!((headers.len(), values(&headers, "link")), (1, vec!["</a.css>".to_owned()]));
}

#[test]
fn connection_of_an_answer_cannot_take_out_its_length() {
    let headers =
        back(StatusCode::OK, &[("connection", "content-length"), ("content-length", "5")], &Marks::default());
    assert_eq!(values(&headers, "content-length"), ["5"]);
}

#[test]
fn length_beside_chunks_is_not_passed_on() {
    let headers =
        back(StatusCode::OK, &[("content-length", "3"), ("transfer-encoding", "chunked")], &Marks::default());
    assert!(headers.is_empty(), "{headers:?}");
}

#[test]
fn only_chunks_are_a_coding_that_is_undone_on_the_way() {
    let knows = |pairs: &[(&str, &str)]| knows_coding(&headers(pairs));
    assert!(knows(&[]) && knows(&[("transfer-encoding", " Chunked")]));
    for wrong in ["gzip", "gzip, chunked", "chunked, chunked", "identity", ""] {
        assert!(!knows(&[("transfer-encoding", wrong)]), "{wrong}");
    }
    assert!(!knows(&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")]));
}

#[test]
fn an_upgrade_is_answered_with_its_headers() {
    let given = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
    let headers = back(StatusCode::SWITCHING_PROTOCOLS, &given, &Marks::default());
    assert_eq!(values(&headers, "connection"), ["upgrade"]);
    assert_eq!(values(&headers, "upgrade"), ["websocket"]);
    assert_eq!(values(&headers, "sec-websocket-accept"), ["x"]);
}

#[test]
fn the_caller_is_told_what_was_done_unless_it_is_switched_off() {
    let (id, instance) = (HeaderValue::from_static("req-1"), HeaderValue::from_static("abcdefghijkl"));
    let marks =
        Marks { request_id: Some(&id), served_by: Some(&instance), attempts: Some(12), ..Marks::default() };
    let told = back(StatusCode::OK, &[("x-served-by", "somebody"), ("x-attempts", "9")], &marks);
    assert_eq!(values(&told, "x-request-id"), ["req-1"]);
    assert_eq!(values(&told, "x-served-by"), ["abcdefghijkl"]);
    assert_eq!(values(&told, "x-attempts"), ["12"]);
    let silent = back(StatusCode::OK, &[("x-served-by", "somebody")], &Marks::default());
    assert_eq!(values(&silent, "x-served-by"), ["somebody"]);
    assert!(!silent.contains_key("x-request-id") && !silent.contains_key("x-attempts"));
}

#[test]
fn an_id_is_indexed_only_where_that_is_wished_and_an_instance_always() {
    let (id, instance) = (HeaderValue::from_static("req-1"), HeaderValue::from_static("abcdefghijkl"));
    for indexes_id in [false, true] {
        let marks =
            Marks { request_id: Some(&id), served_by: Some(&instance), indexes_id, ..Marks::default() };
        let told = back(StatusCode::OK, &[], &marks);
        assert_eq!(told["x-request-id"].is_sensitive(), !indexes_id);
        assert!(!told["x-served-by"].is_sensitive());
    }
}
