//! Keys and values: one store behind the command line, Redis clients and Consul's KV.

use std::time::Duration;

use adsum_tests::{Agent, http, require, running};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_value_is_put_read_listed_and_removed() {
    let agent = Agent::start();
    agent.adsum(&["kv", "put", "/config/color", "blue"]).ok();
    agent.adsum(&["kv", "put", "/config/size", "-5"]).ok();
    agent.adsum(&["kv", "put", "/other", "x"]).ok();
    assert_eq!(agent.adsum(&["kv", "get", "/config/color"]).stdout, "blue");
    assert_eq!(agent.adsum(&["kv", "ls", "/config/"]).ok(), "/config/color\n/config/size");
    agent.adsum(&["kv", "del", "/config/color", "/config/size"]).ok();
    assert_eq!(agent.adsum(&["kv", "ls"]).ok(), "/other");
    let error = agent.adsum(&["kv", "get", "/config/color"]).fails(1);
    assert!(error.contains("there is no key '/config/color'"), "{error}");
}

#[test]
fn a_value_comes_from_a_file_or_from_standard_input() {
    let agent = Agent::start();
    let file = agent.scratch().file("db.conf");
    std::fs::write(&file, "host = db\n").unwrap();
    agent.adsum(&["kv", "put", "/db.conf", &format!("@{file}")]).ok();
    assert_eq!(agent.adsum(&["kv", "get", "/db.conf"]).stdout, "host = db\n");
    let piped = running::run(&mut agent.adsum_command(&["kv", "put", "/piped"]), b"a\nb", SOON);
    piped.ok();
    assert_eq!(agent.adsum(&["kv", "get", "/piped"]).stdout, "a\nb");
}

#[test]
fn redis_and_consul_clients_see_the_same_bytes() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let value = "tab\tline\r\n\u{0}end \u{1f980}";
    assert_eq!(agent.redis_cli_stdin(&["-x", "SET", "/a b/c"], value.as_bytes()).ok(), "OK");
    assert_eq!(agent.get("/v1/kv/%2Fa%20b/c?raw").ok(), value);
    let put = http::request(agent.http(), "PUT", "/v1/kv/%2Fa%20b/c", &[], "from consul").unwrap();
    assert_eq!(put.ok().trim(), "true");
    assert_eq!(agent.redis_cli(&["GET", "/a b/c"]).ok(), "from consul");
    assert_eq!(
        http::request(agent.http(), "DELETE", "/v1/kv/%2Fa%20b/c", &[], "").unwrap().ok().trim(),
        "true"
    );
    assert_eq!(agent.redis_cli(&["EXISTS", "/a b/c"]).ok(), "0");
}

#[test]
fn a_value_that_is_no_string_is_named_by_its_type() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    agent.redis_cli(&["LPUSH", "/queue", "a"]).ok();
    let answer = agent.get("/v1/kv/%2Fqueue");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("list"), "{}", answer.body);
    assert_eq!(agent.adsum(&["kv", "ls"]).ok(), "");
}

#[test]
fn a_watch_tells_of_every_change_whoever_makes_it() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    agent.adsum(&["kv", "put", "/config/color", "blue"]).ok();
    let watch = agent.adsum_running(&["kv", "watch", "/config/", "--from", "0"]);
    watch.line_with("set /config/color blue", SOON);
    agent.redis_cli(&["SET", "/config/color", "green"]).ok();
    agent.redis_cli(&["SET", "/other", "red"]).ok();
    agent.redis_cli(&["SET", "/config/brief", "x", "PX", "50"]).ok();
    watch.line_with("expired /config/brief", SOON);
    agent.adsum(&["kv", "del", "/config/color"]).ok();
    watch.line_with("del /config/color", SOON);
    let text = watch.stdout();
    assert!(text.contains("set /config/color green") && !text.contains("/other"), "{text}");
}

/// Whoever has been away asks for what came since: nothing is missing, and nothing comes twice.
#[test]
fn a_watch_goes_on_over_a_restart_of_the_agent() {
    if !require("redis-cli") {
        return;
    }
    let mut agent = Agent::start();
    let watch = agent.adsum_running(&["kv", "watch", "/n/", "--from", "0"]);
    let set = |agent: &Agent, number: u32| {
        agent.redis_cli(&["SET", &format!("/n/{number}"), "x"]).ok();
    };
    set(&agent, 0);
    watch.line_with("/n/0", SOON);
    agent.kill9();
    agent.restart();
    (1..20).for_each(|number| set(&agent, number));
    watch.line_with("/n/19", SOON);
    let keys: Vec<String> =
        watch.stdout().lines().filter_map(|line| line.split(' ').nth(2).map(str::to_string)).collect();
    let expect: Vec<String> = (0..20).map(|number| format!("/n/{number}")).collect();
    assert_eq!(keys, expect);
}

#[test]
fn a_blocking_query_on_a_key_is_answered_when_it_changes() {
    let agent = Agent::start();
    agent.adsum(&["kv", "put", "/a", "1"]).ok();
    let known = agent.get("/v1/kv/%2Fa?raw");
    let index = known.header("x-consul-index").expect("it has an index").to_string();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.get(&format!("/v1/kv/%2Fa?raw&wait=50s&index={index}")));
        agent.adsum(&["kv", "put", "/a", "2"]).ok();
        waiting.join().expect("it is answered")
    });
    assert_eq!(answer.ok(), "2");
}

#[test]
fn a_check_and_set_with_an_old_index_stores_nothing() {
    let agent = Agent::start();
    let put = |path: &str, value: &str| {
        http::request(agent.http(), "PUT", path, &[], value).unwrap().ok().trim().to_string()
    };
    assert_eq!(put("/v1/kv/a?cas=0", "1"), "true");
    assert_eq!(put("/v1/kv/a?cas=0", "2"), "false");
    assert_eq!(agent.get("/v1/kv/a?raw").ok(), "1");
}
