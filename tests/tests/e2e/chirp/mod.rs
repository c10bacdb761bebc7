//! The demonstration application, from a stream of tweets to a service per user.

mod crash;
mod deployment;

use std::path::{Path, PathBuf};

use adsum_tests::{http, require};
use serde_json::Value;

use crate::web;
use deployment::{Deployment, generated};

/// What a person has who reads what the services store: without them, nothing can be told.
fn has_clients() -> bool {
    require("redis-cli") && require("curl")
}

#[test]
fn a_hundred_tweets_by_a_hundred_users_are_a_hundred_services_with_a_tweet_each() {
    if !has_clients() {
        return;
    }
    let chirp = Deployment::begin(&generated(1));
    chirp.until_through();
    chirp.check(2);
    chirp.end();
}

#[test]
fn workers_are_scaled_while_they_work() {
    if !has_clients() {
        return;
    }
    let mut chirp = Deployment::begin_with(&generated(2), 60);
    chirp.until_users(10);
    chirp.agent.adsum(&["service", "scale", "chirp-worker=5", "--timeout", "60s"]).ok();
    chirp.let_come();
    chirp.until_through();
    chirp.check(5);
    chirp.end();
}

/// Real tweets of real users, which are not part of the project: they lie beside it, or where `ADSUM_TWEETS` says.
#[test]
fn real_tweets_are_stored_each_once() {
    if !has_clients() {
        return;
    }
    let file = real_tweets();
    let Ok(stream) = std::fs::read_to_string(&file) else {
        println!("skipped: there are no tweets in {} (say where with ADSUM_TWEETS)", file.display());
        return;
    };
    let chirp = Deployment::begin(&stream);
    chirp.until_through();
    chirp.check(2);
    chirp.end();
}

fn real_tweets() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/tweets.ndjson");
    std::env::var_os("ADSUM_TWEETS").map_or(beside, PathBuf::from)
}

/// The proxy follows the catalog by a blocking query, so a user who is new is there at once.
#[test]
fn the_proxy_sends_on_to_the_service_of_the_user() {
    if !has_clients() {
        return;
    }
    let stream = generated(3);
    let first = stream.lines().next().expect("there are 100").to_string() + "\n";
    let chirp = Deployment::begin(&first);
    chirp.until_through();
    let user = deployment::by_user(&first).into_keys().next().expect("there is one");
    let answer = chirp.ask_proxy(&format!("/user/{user}"));
    let service = &web::json(&chirp.agent, "/api/services?prefix=chirp-user-")[0]["name"];
    let service = web::service(&chirp.agent, service.as_str().expect("it has a name"));
    let address = web::address(&service["instances"][0]);
    let expect = [
        "HTTP/1.1 302 Found",
        &format!("location: http://{address}/v1/tweet"),
        "cache-control: no-cache",
        "content-length: 0",
    ];
    for line in expect {
        assert!(answer.lines().any(|found| found == line), "{line} is not in {answer}");
    }
    assert!(chirp.ask_proxy("/user/nobody").starts_with("HTTP/1.1 404"));
    chirp.end();
}

/// The positive control of every test here: a tweet too many is seen.
#[test]
fn a_tweet_that_was_not_in_the_stream_does_not_go_unnoticed() {
    if !has_clients() {
        return;
    }
    let stream = generated(4).lines().next().expect("there are 100").to_string() + "\n";
    let chirp = Deployment::begin(&stream);
    chirp.until_through();
    assert!(chirp.has_all_tweets_once());
    let service = &web::json(&chirp.agent, "/api/services?prefix=chirp-user-")[0]["name"];
    let service = web::service(&chirp.agent, service.as_str().expect("it has a name"));
    let mut tweet: Value = serde_json::from_str(&stream).expect("it is JSON");
    tweet["id_str"] = "7".into();
    let address = web::address(&service["instances"][0]);
    let json_type = [("Content-Type", "application/json")];
    let stored = http::request(address, "POST", "/v1/tweet", &json_type, &tweet.to_string());
    assert_eq!(stored.expect("it answers").status, 201);
    assert!(!chirp.has_all_tweets_once());
    chirp.end();
}
