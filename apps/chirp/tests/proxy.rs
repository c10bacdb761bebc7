//! The proxy, in front of real user services and a stand-in for Adsum's catalog.

#![allow(clippy::unwrap_used)]

mod instance;
mod stand_in;

use instance::{Instance, wait_until};
use stand_in::StandIn;

fn proxy(adsum: &StandIn) -> Instance {
    let proxy = Instance::serving("proxy", &[("ADSUM_HTTP_ADDR", &adsum.address)]);
    wait_until("it knows the catalog", || (proxy.get("/healthz").status == 200).then_some(()));
    proxy
}

#[test]
fn a_user_is_found_where_the_service_is() {
    let directory = tempfile::tempdir().unwrap();
    let adsum = StandIn::start(directory.path());
    adsum.deploy("chirp-user-foo-bar");
    let proxy = proxy(&adsum);
    let location = format!("location: http://{}/v1/tweet", adsum.address("chirp-user-foo-bar"));
    for name in ["Foo_Bar", "foo_bar", "foo-bar"] {
        let found = proxy.get(&format!("/user/{name}"));
        assert!(found.head.starts_with("http/1.1 302 found"), "{}", found.head);
        for header in [location.as_str(), "cache-control: no-cache", "content-length: 0"] {
            assert!(found.head.lines().any(|line| line == header), "no '{header}' in {}", found.head);
        }
        assert_eq!(found.body, "");
    }
}

#[test]
fn users_are_listed_with_their_addresses() {
    let directory = tempfile::tempdir().unwrap();
    let adsum = StandIn::start(directory.path());
    let proxy = proxy(&adsum);
    assert_eq!(proxy.get("/user").body, r#"{"users":[]}"#);
    adsum.deploy("chirp-user-aym0566x");
    adsum.deploy("not-a-user");
    let user = |proxy: &Instance| proxy.get("/user").json()["users"].get(0).cloned();
    let expect = serde_json::json!({"name": "aym0566x", "service": "chirp-user-aym0566x",
        "address": adsum.address("chirp-user-aym0566x")});
    assert_eq!(wait_until("the user is listed", || user(&proxy)), expect);
}

#[test]
fn a_removed_user_is_unknown_and_so_is_one_who_never_tweeted() {
    let directory = tempfile::tempdir().unwrap();
    let adsum = StandIn::start(directory.path());
    adsum.deploy("chirp-user-a");
    let proxy = proxy(&adsum);
    assert_eq!(proxy.get("/user/a").status, 302);
    adsum.remove("chirp-user-a");
    wait_until("the user is gone", || (proxy.get("/user/a").status == 404).then_some(()));
    assert!(proxy.get("/user/never").error().contains("'never' has no service"));
    assert_eq!(proxy.get("/user/%ff").status, 400);
    assert_eq!(proxy.get("/nothing").status, 404);
    assert_eq!(proxy.request("POST", "/user", b"").status, 405);
}

#[test]
fn while_adsum_is_away_it_answers_from_what_it_knew() {
    let directory = tempfile::tempdir().unwrap();
    let adsum = StandIn::start(directory.path());
    adsum.deploy("chirp-user-a");
    let mut proxy = proxy(&adsum);
    let before = proxy.get("/user/a").head;
    drop(adsum);
    proxy.wait_for_line("cannot follow the catalog");
    assert_eq!(without_date(&proxy.get("/user/a").head), without_date(&before));
}

#[test]
fn before_the_catalog_answered_it_is_not_well() {
    let proxy = Instance::serving("proxy", &[("ADSUM_HTTP_ADDR", "127.0.0.1:1")]);
    for path in ["/healthz", "/user", "/user/a"] {
        assert_eq!(proxy.get(path).status, 503, "{path}");
    }
    assert!(proxy.terminate().success());
}

fn without_date(head: &str) -> Vec<&str> {
    head.lines().filter(|line| !line.starts_with("date:")).collect()
}
