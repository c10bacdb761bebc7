//! Request lines, fields and hosts that are refused.

use adsum_framing::Offence;

use crate::try_out::{only_refused_here, refused, refused_bytes};

#[test]
fn a_line_that_ends_with_a_bare_line_feed() {
    only_refused_here("GET / HTTP/1.1\nHost: a\n\n", Offence::BareLineFeed);
    only_refused_here("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Offence::BareLineFeed);
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\n\n", Offence::BareLineFeed);
}

#[test]
fn a_bare_carriage_return() {
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", Offence::BareCarriageReturn);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX\r: a\r\n\r\n", Offence::BareCarriageReturn);
    refused("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", Offence::BareCarriageReturn);
    refused("GET\r/ HTTP/1.1\r\nHost: a\r\n\r\n", Offence::BareCarriageReturn);
}

#[test]
fn a_field_that_continues_on_the_next_line() {
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", Offence::FoldedLine);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tb\r\n\r\n", Offence::FoldedLine);
}

#[test]
fn whitespace_before_the_first_field() {
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Offence::FoldedLine);
}

#[test]
fn whitespace_before_the_colon() {
    refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", Offence::SpaceBeforeColon);
    refused("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n", Offence::SpaceBeforeColon);
}

#[test]
fn an_empty_or_invalid_field_name() {
    refused("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Offence::InvalidFieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", Offence::InvalidFieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n", Offence::InvalidFieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", Offence::InvalidFieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", Offence::InvalidFieldName);
    refused_bytes(b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: b\r\n\r\n", Offence::InvalidFieldName);
}

#[test]
fn a_framing_field_with_an_underscore() {
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 3\r\n\r\n", Offence::InvalidFieldName);
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\ntransfer_encoding: x\r\n\r\n", Offence::InvalidFieldName);
}

#[test]
fn a_control_character_in_a_value() {
    for control in (0..32_u8).chain([127]).filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n')) {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: a{}b\r\n\r\n", char::from(control));
        refused(&head, Offence::InvalidFieldValue);
    }
}

#[test]
fn an_invalid_method() {
    refused("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidMethod);
    refused("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidMethod);
    refused("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidMethod);
    only_refused_here(&format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(33)), Offence::InvalidMethod);
}

#[test]
fn spaces_or_control_characters_in_the_target() {
    refused("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    refused("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    refused("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    refused("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    refused("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET /ä HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET /a`b HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
}

#[test]
fn a_fragment_in_the_target() {
    only_refused_here("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
}

#[test]
fn a_target_in_a_form_that_the_method_does_not_have() {
    only_refused_here("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
}

#[test]
fn a_url_that_is_neither_http_nor_https() {
    only_refused_here("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
    only_refused_here("GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Offence::InvalidTarget);
}

#[test]
fn a_version_that_is_not_1_0_or_1_1() {
    refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Offence::UnsupportedVersion);
    refused("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Offence::UnsupportedVersion);
    refused("GET / HTTP/0.9\r\nHost: a\r\n\r\n", Offence::UnsupportedVersion);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Offence::UnsupportedVersion);
}

#[test]
fn a_request_line_without_a_version() {
    refused("GET /\r\n", Offence::InvalidVersion);
    refused("GET / HTTP/1.10\r\nHost: a\r\n\r\n", Offence::InvalidVersion);
    refused("GET / http/1.1\r\nHost: a\r\n\r\n", Offence::InvalidVersion);
    refused("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Offence::InvalidVersion);
    refused("GET / HTTP/+1.1\r\nHost: a\r\n\r\n", Offence::InvalidVersion);
}

#[test]
fn bytes_that_are_no_request() {
    refused("hello\r\n", Offence::NotHttp);
    refused_bytes(b"\xff\xff\xff\xff", Offence::NotHttp);
    refused_bytes(b"\x16\x03\x01\x02\x00\x01", Offence::TlsOnPlainPort);
}

#[test]
fn a_missing_host() {
    only_refused_here("GET / HTTP/1.1\r\nX: y\r\n\r\n", Offence::MissingHost);
    only_refused_here("GET http://a/ HTTP/1.1\r\n\r\n", Offence::MissingHost);
}

#[test]
fn several_hosts() {
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Offence::SeveralHosts);
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Offence::SeveralHosts);
    only_refused_here("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Offence::SeveralHosts);
}

#[test]
fn an_invalid_host() {
    let hosts = [
        "",
        "a b",
        "a/b",
        "a,b",
        "a@b",
        "a%2fb",
        "a\\b",
        "ä.example",
        "a:b",
        "a:",
        "a:0",
        "a:65536",
        "a:1:2",
        "[::1",
        "[a]",
        "[::1]x",
        "::1",
        "a?b",
        "a#b",
        "a:+1",
    ];
    for host in hosts {
        only_refused_here(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Offence::InvalidHost);
    }
}

#[test]
fn a_host_that_contradicts_the_target() {
    let contradicts = Offence::HostContradictsTarget;
    only_refused_here("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", contradicts);
    only_refused_here("CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n", contradicts);
}

#[test]
fn an_expectation_that_is_not_known() {
    only_refused_here("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", Offence::UnknownExpectation);
    only_refused_here(
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, b\r\n\r\n",
        Offence::UnknownExpectation,
    );
}
