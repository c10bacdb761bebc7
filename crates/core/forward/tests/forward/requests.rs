//! Requests on their way to the service: what the gateway adds, what is for one hop only.

use adsum_forward::{Gate, GatewayError, Host, Inbound, mark_retry};
use http::{HeaderMap, Uri, Version};

use crate::{SEED, STRANGER, TRUSTED, gate, headers, pass, passed, values, whole};

#[track_caller]
fn check(headers: &HeaderMap, name: &str, expect: &[&str]) {
    assert_eq!(values(headers, name), expect, "{name}");
}

#[test]
fn a_service_learns_who_asked_for_what_and_how() {
    let headers = passed(STRANGER, &[]);
    check(&headers, "x-forwarded-for", &[STRANGER]);
    check(&headers, "x-forwarded-host", &["shop.local"]);
    check(&headers, "x-forwarded-proto", &["http"]);
    check(&headers, "x-forwarded-port", &["8080"]);
    check(&headers, "forwarded", &["for=203.0.113.7;proto=http;host=shop.local"]);
    check(&headers, "via", &["1.1 adsum"]);
    check(&headers, "host", &["shop.local"]);
}

#[test]
fn an_address_or_host_with_colons_is_quoted() {
    let gate = Gate::new(443, true, Vec::new());
    let mut headers = headers(&[("host", "shop.local:443")]);
    pass(&gate, "2001:db8::7", Version::HTTP_2, &mut headers).unwrap();
    check(&headers, "forwarded", &["for=\"[2001:db8::7]\";proto=https;host=\"shop.local:443\""]);
    check(&headers, "x-forwarded-for", &["2001:db8::7"]);
    check(&headers, "via", &["2.0 adsum"]);
}

#[test]
fn each_request_of_a_connection_has_its_own_host() {
    let caller = gate().caller(STRANGER.parse().unwrap());
    for name in ["one.local", "two.local", "two.local", "one.local"] {
        let mut asked = headers(&[("host", name)]);
        let host = Host::of(&Uri::from_static("/"), &asked, Version::HTTP_11).unwrap();
        whole(&caller, &mut asked, &Inbound { version: Version::HTTP_11, host: &host, seed: SEED }).unwrap();
        check(&asked, "forwarded", &[&format!("for=203.0.113.7;proto=http;host={name}")]);
        check(&asked, "x-forwarded-host", &[name]);
    }
}

#[test]
fn the_host_of_the_target_takes_the_place_of_the_header() {
    let targets = [
        (Version::HTTP_11, "http://a.local/x", Some("b.local")),
        (Version::HTTP_2, "http://a.local/x", None),
    ];
    for (version, target, header) in targets {
        let mut asked = headers(&header.map(|host| ("host", host)).into_iter().collect::<Vec<_>>());
        let host = Host::of(&Uri::from_static(target), &asked, version).unwrap();
        let caller = gate().caller(STRANGER.parse().unwrap());
        whole(&caller, &mut asked, &Inbound { version, host: &host, seed: SEED }).unwrap();
        check(&asked, "host", &["a.local"]);
        check(&asked, "x-forwarded-host", &["a.local"]);
    }
}

#[test]
fn a_request_without_a_host_names_none_whatever_it_claims() {
    for (peer, expect) in [(STRANGER, &[][..]), (TRUSTED, &["outside.example"][..])] {
        let mut asked = headers(&[("x-forwarded-host", "outside.example")]);
        pass(&gate(), peer, Version::HTTP_10, &mut asked).unwrap();
        check(&asked, "x-forwarded-host", expect);
        check(&asked, "forwarded", &[&format!("for={peer};proto=http")]);
        check(&asked, "via", &["1.0 adsum"]);
    }
}

#[test]
fn an_ipv4_peer_of_an_ipv6_socket_is_an_ipv4_peer() {
    let headers = passed("::ffff:10.0.0.1", &[("x-forwarded-for", "1.2.3.4")]);
    check(&headers, "x-forwarded-for", &["1.2.3.4, 10.0.0.1"]);
}

#[test]
fn what_a_trusted_peer_says_is_kept_and_added_to() {
    let headers = passed(
        TRUSTED,
        &[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "5.6.7.8, 9.9.9.9"),
            ("x-forwarded-host", "outside.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/api"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4;proto=https"),
            ("via", "1.1 edge"),
        ],
    );
    check(&headers, "x-forwarded-for", &["1.2.3.4, 5.6.7.8, 9.9.9.9, 10.0.0.1"]);
    check(&headers, "x-forwarded-host", &["outside.example"]);
    check(&headers, "x-forwarded-proto", &["https"]);
    check(&headers, "x-forwarded-port", &["443"]);
    check(&headers, "x-forwarded-prefix", &["/api"]);
    check(&headers, "x-real-ip", &["1.2.3.4"]);
    check(&headers, "forwarded", &["for=1.2.3.4;proto=https, for=10.0.0.1;proto=http;host=shop.local"]);
    check(&headers, "via", &["1.1 edge", "1.1 adsum"]);
}

#[test]
fn what_a_stranger_says_of_itself_does_not_arrive() {
    let headers = passed(
        STRANGER,
        &[
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "admin.local"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-user", "root"),
            ("x-real-ip", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
        ],
    );
    check(&headers, "x-forwarded-for", &[STRANGER]);
    check(&headers, "x-forwarded-host", &["shop.local"]);
    check(&headers, "x-forwarded-proto", &["http"]);
    check(&headers, "x-forwarded-port", &["8080"]);
    check(&headers, "x-forwarded-prefix", &[]);
    check(&headers, "x-forwarded-user", &[]);
    check(&headers, "x-real-ip", &[]);
    check(&headers, "forwarded", &["for=203.0.113.7;proto=http;host=shop.local"]);
}

#[test]
fn headers_of_one_hop_end_here_and_all_others_go_on() {
    let headers = passed(
        STRANGER,
        &[
            ("connection", "keep-alive, x-private"),
            ("connection", "X-Other, Cookie"),
            ("x-private", "1"),
            ("x-other", "1"),
            ("cookie", "a=1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
            ("proxy", "http://evil"),
            ("te", "gzip;q=0.5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("trailer", "x-checksum"),
            ("expect", "100-continue"),
            ("authorization", "Bearer x"),
            ("x-request-deadline", "17"),
            ("b3", "0"),
        ],
    );
    for gone in [
        "connection",
        "x-private",
        "x-other",
        "cookie",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy",
        "te",
        "transfer-encoding",
        "upgrade",
    ] {
        check(&headers, gone, &[]);
    }
    check(&headers, "trailer", &["x-checksum"]);
    check(&headers, "expect", &["100-continue"]);
    check(&headers, "authorization", &["Bearer x"]);
    check(&headers, "x-request-deadline", &["17"]);
    check(&headers, "b3", &["0"]);
}

#[test]
fn trailers_are_still_wanted_on_the_other_side() {
    let headers = passed(STRANGER, &[("te", "gzip, Trailers"), ("connection", "te")]);
    check(&headers, "te", &["trailers"]);
    check(&headers, "connection", &["te"]);
}

#[test]
fn an_upgrade_goes_on_with_its_headers() {
    let mut asked = headers(&[
        ("host", "shop.local"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "x"),
    ]);
    let passed = pass(&gate(), STRANGER, Version::HTTP_11, &mut asked).unwrap();
    assert_eq!(passed.upgrade.unwrap(), "websocket");
    check(&asked, "connection", &["upgrade"]);
    check(&asked, "upgrade", &["websocket"]);
    check(&asked, "sec-websocket-key", &["x"]);
}

#[test]
fn no_upgrade_leads_past_the_gateway_or_comes_from_where_there_is_none() {
    let asks = [
        (Version::HTTP_11, "upgrade", "h2c"),
        (Version::HTTP_11, "upgrade, http2-settings", "H2C"),
        (Version::HTTP_11, "upgrade", "websocket, h2c"),
        (Version::HTTP_11, "upgrade", "TLS/1.2"),
        (Version::HTTP_11, "upgrade", "HTTP/2.0"),
        (Version::HTTP_11, "upgrade", "h2"),
        (Version::HTTP_11, "upgrade", ""),
        (Version::HTTP_11, "close", "websocket"),
        (Version::HTTP_10, "upgrade", "websocket"),
        (Version::HTTP_2, "upgrade", "websocket"),
    ];
    for (version, connection, upgrade) in asks {
        let mut asked = headers(&[
            ("host", "shop.local"),
            ("connection", connection),
            ("upgrade", upgrade),
            ("http2-settings", "AAMAAABk"),
        ]);
        let passed = pass(&gate(), STRANGER, version, &mut asked).unwrap();
        assert_eq!(passed.upgrade, None, "{version:?} {connection} {upgrade}");
        for gone in ["connection", "upgrade", "http2-settings"] {
            check(&asked, gone, &[]);
        }
    }
}

#[test]
fn crumbs_of_a_cookie_are_one_cookie_again() {
    for (version, expect) in
        [(Version::HTTP_2, &["a=1; b=2; c=3"][..]), (Version::HTTP_11, &["a=1", "b=2", "c=3"])]
    {
        let mut headers =
            headers(&[("host", "shop.local"), ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        pass(&gate(), STRANGER, version, &mut headers).unwrap();
        check(&headers, "cookie", expect);
    }
}

#[test]
fn a_request_that_goes_in_circles_is_refused() {
    let visits = |count: usize| {
        let mut asked = headers(&[("host", "shop.local"), ("via", "1.1 edge, 1.0 adsumx"), ("via", "1.1")]);
        for _ in 0..count {
            asked.append("via", "1.1 adsum".parse().unwrap());
        }
        pass(&gate(), STRANGER, Version::HTTP_11, &mut asked).map(|_| ())
    };
    assert_eq!(visits(9), Ok(()));
    assert_eq!(visits(10), Err(GatewayError::Loop));
    let mut in_one_line = headers(&[("host", "shop.local"), ("via", &["1.1 adsum (here)"; 10].join(","))]);
    assert_eq!(pass(&gate(), STRANGER, Version::HTTP_11, &mut in_one_line).unwrap_err(), GatewayError::Loop);
}

#[test]
fn a_retry_is_marked_and_a_mark_goes_on() {
    let mut first = passed(STRANGER, &[]);
    check(&first, "x-attempts", &[]);
    mark_retry(&mut first, 2);
    check(&first, "x-attempts", &["2"]);
    check(&passed(STRANGER, &[("x-attempts", "2")]), "x-attempts", &["2"]);
}
