//! Which host a request is for, and when that is not clear.

use adsum_forward::{Host, HostError, Inbound};
use http::{Uri, Version};
use proptest::prelude::*;

use crate::{SEED, STRANGER, gate, headers, values};

#[track_caller]
fn check(version: Version, target: &str, hosts: &[&str], expect: Result<(&str, &str), HostError>) {
    let uri: Uri = target.parse().unwrap();
    let pairs: Vec<(&str, &str)> = hosts.iter().map(|host| ("host", *host)).collect();
    let host = Host::of(&uri, &headers(&pairs), version);
    let found = host.as_ref().map(|host| (host.name(), host.as_str())).map_err(|error| *error);
    assert_eq!(found, expect, "{version:?} {target} {hosts:?}");
}

#[test]
fn the_name_is_in_lower_case_and_without_port_and_the_value_as_it_came() {
    check(Version::HTTP_11, "/", &["shop.local"], Ok(("shop.local", "shop.local")));
    check(Version::HTTP_11, "/", &["Shop.LOCAL:8080"], Ok(("shop.local", "Shop.LOCAL:8080")));
    check(Version::HTTP_11, "/", &["shop.local."], Ok(("shop.local.", "shop.local.")));
    check(Version::HTTP_11, "/", &["[::1]:8080"], Ok(("[::1]", "[::1]:8080")));
    check(Version::HTTP_11, "/", &["[FE80::A]"], Ok(("[fe80::a]", "[FE80::A]")));
    check(Version::HTTP_11, "/", &["127.0.0.1:80"], Ok(("127.0.0.1", "127.0.0.1:80")));
    check(Version::HTTP_11, "/", &["a_b:"], Ok(("a_b", "a_b:")));
}

#[test]
fn an_absolute_target_goes_before_host() {
    check(Version::HTTP_11, "http://a.local/x", &["b.local"], Ok(("a.local", "a.local")));
    check(Version::HTTP_11, "http://a.local/x", &[], Err(HostError::Missing));
}

#[test]
fn http_2_has_an_authority_and_host_may_only_repeat_it() {
    check(Version::HTTP_2, "https://a.local/x", &[], Ok(("a.local", "a.local")));
    check(Version::HTTP_2, "https://a.local/x", &["A.local"], Ok(("a.local", "a.local")));
    check(Version::HTTP_2, "https://a.local/x", &["b.local"], Err(HostError::Different));
    check(Version::HTTP_2, "https://a.local/x", &["a.local", "a.local"], Err(HostError::Several));
    check(Version::HTTP_2, "/x", &["a.local"], Ok(("a.local", "a.local")));
    check(Version::HTTP_2, "/x", &[], Err(HostError::Missing));
}

#[test]
fn what_a_connection_asked_for_before_changes_nothing() {
    let requests = [
        (Version::HTTP_10, "/", &[][..]),
        (Version::HTTP_11, "/", &[""]),
        (Version::HTTP_11, "/", &["Shop.local:80"]),
        (Version::HTTP_11, "/", &["Shop.local:80"]),
        (Version::HTTP_11, "/", &["shop.local:80"]),
        (Version::HTTP_11, "http://shop.local:80/x", &["b.local"]),
        (Version::HTTP_11, "/", &["shop.local:80", "shop.local:80"]),
        (Version::HTTP_2, "https://shop.local:80/x", &[]),
        (Version::HTTP_2, "/x", &["shop.local:80"]),
        (Version::HTTP_2, "https://shop.local:80/x", &["b.local"]),
        (Version::HTTP_2, "/x", &[]),
        (Version::HTTP_11, "/", &["shop.local:"]),
    ];
    let caller = gate().caller(STRANGER.parse().unwrap());
    for (version, target, hosts) in requests {
        let uri: Uri = target.parse().unwrap();
        let mut asked = headers(&hosts.iter().map(|host| ("host", *host)).collect::<Vec<_>>());
        let (alone, found) = (Host::of(&uri, &asked, version), caller.host(&uri, &asked, version));
        assert_eq!(found.as_ref().err(), alone.as_ref().err(), "{version:?} {target} {hosts:?}");
        let (Ok(alone), Ok(host)) = (alone, found) else { continue };
        assert_eq!((host.name(), host.as_str()), (alone.name(), alone.as_str()));
        caller.pass_on(&mut asked, &Inbound { version, host: &host, seed: SEED }).unwrap();
        assert_eq!(values(&asked, "host"), [alone.as_str()], "{version:?} {target} {hosts:?}");
    }
}

#[test]
fn more_than_one_host_or_none_is_refused() {
    check(Version::HTTP_11, "/", &["a", "a"], Err(HostError::Several));
    check(Version::HTTP_11, "/", &["a", "b"], Err(HostError::Several));
    check(Version::HTTP_11, "/", &[], Err(HostError::Missing));
    check(Version::HTTP_10, "/", &[], Ok(("", "")));
    check(Version::HTTP_10, "/", &["a"], Ok(("a", "a")));
}

#[test]
fn what_is_no_host_is_refused() {
    let long = "a".repeat(260);
    for wrong in [
        "",
        ":80",
        "a b",
        "a/b",
        "a@b",
        "user:pw@b",
        "a:port",
        "a:123456",
        "a:80:80",
        "[::1",
        "::1",
        "[::1]x",
        "[x]",
        "a,b",
        "a%2fb",
        "a?b",
        "a#b",
        "a\\b",
        "[::1%25eth0]",
        "a:-1",
        &long,
    ] {
        check(Version::HTTP_11, "/", &[wrong], Err(HostError::Invalid));
    }
    check(Version::HTTP_11, "http://user@a.local/", &["a.local"], Err(HostError::Invalid));
}

proptest! {
    #[test]
    fn no_host_that_passes_has_letters_that_mean_something_elsewhere(text in "[ -~]{0,24}") {
        let given = headers(&[("host", &text)]);
        if let Ok(host) = Host::of(&Uri::from_static("/"), &given, Version::HTTP_11) {
            let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
            prop_assert!(host.as_str().chars().all(harmless));
            prop_assert!(!host.name().is_empty() && !host.name().chars().any(|letter| letter.is_ascii_uppercase()));
            prop_assert!(host.as_str().to_ascii_lowercase().starts_with(host.name()));
        }
    }
}
