//! Exit codes and messages that need no agent.

use std::net::TcpListener;
use std::process::Stdio;

use crate::http::{Answer, Server};
use crate::run::{adsum, adsum_command};

/// Where nobody listens.
fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_missing_agent_is_named_with_the_way_out() {
    let address = nowhere();
    for words in
        ["status", "service ls", "service create --name a -- x", "kv get /a", "events", "lock /l -- true"]
    {
        let ended = adsum(&address, words);
        let expect = format!(
            "error: no agent answers at {address}: start one with 'adsum agent', or name it with --addr or ADSUM_HTTP_ADDR\n"
        );
        assert_eq!((ended.code, ended.stderr), (Some(1), expect), "{words}");
    }
}

#[test]
fn the_flag_counts_before_the_environment() {
    let address = nowhere();
    let ended = adsum("127.0.0.1:1", &format!("status --addr {address}"));
    assert!(ended.stderr.contains(&address), "{ended:?}");
}

#[test]
fn wrong_usage_ends_with_2() {
    for words in
        ["frobnicate", "service create --name Web -- x", "service scale a=1 a=2", "service update web"]
    {
        assert_eq!(adsum("127.0.0.1:1", words).code, Some(2), "{words}");
    }
    let ended = adsum("a:b", "status");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.starts_with("error: ADSUM_HTTP_ADDR: 'a:b' is no address"), "{ended:?}");
    let ended = adsum("127.0.0.1:1", "agent --addr 127.0.0.1:9");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("pass --http-addr"), "{ended:?}");
}

#[test]
fn help_of_every_command_ends_with_0() {
    for words in
        ["--help", "service create --help", "kv watch --help", "lock --help", "agent --help", "demo --help"]
    {
        let ended = adsum("127.0.0.1:1", words);
        assert_eq!(ended.code, Some(0), "{words}");
        assert!(ended.stdout.contains("Examples:"), "{words}: {}", ended.stdout);
    }
}

#[test]
fn an_output_that_nobody_reads_is_no_error() {
    let server = Server::start(|_, _| Answer::Json(200, format!("[{}]", vec!["{}"; 100_000].join(","))));
    let mut command = adsum_command(&server.address, &["service", "ls", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
