//! Bad input: a clear answer each, nothing lost, nothing hung.

mod floods;
mod frames;
mod multi;
mod streams;
mod subscriptions;
mod vanishing;
mod witness;

use std::process::Command;
use std::time::Duration;

use adsum_tests::processes::Process;
use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, Output, Scratch, http, port, program, require, running, until};
use serde_json::{Value, json};

use crate::web;

const SOON: Duration = Duration::from_secs(20);

/// What comes back for these bytes until the agent closes the connection; another client notices nothing.
#[track_caller]
fn refused(agent: &Agent, bytes: &[u8]) -> String {
    let mut other = Connection::open(agent.resp()).unwrap();
    let mut connection = Connection::open(agent.resp()).unwrap();
    connection.send_bytes(bytes).unwrap();
    let answer = connection.read_to_end().expect("it is closed, not left to hang");
    assert_eq!(other.ask(&["PING"]).unwrap(), Reply::Text("PONG".to_string()));
    answer
}

#[test]
fn bytes_that_are_no_request_get_the_words_of_redis_and_an_end() {
    let agent = Agent::start();
    let cases: [(&[u8], &str); 7] = [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*99999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999\r\n", "invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'"),
        (b"SET a \"unbalanced\r\n", "unbalanced quotes in request"),
        (&[b'a'; 100_000], "too big inline request"),
    ];
    for (bytes, words) in cases {
        let answer = refused(&agent, bytes);
        assert!(answer.starts_with("-ERR Protocol error") && answer.contains(words), "{words}: {answer}");
    }
}

#[test]
fn what_came_before_the_bad_bytes_is_done_and_answered() {
    let agent = Agent::start();
    let answer = refused(&agent, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*x\r\n");
    assert!(answer.starts_with("+OK\r\n-ERR Protocol error"), "{answer}");
    assert_eq!(agent.get("/v1/kv/a?raw").ok(), "1");
}

#[test]
fn a_browser_that_was_sent_to_the_redis_port_gets_nothing_done() {
    let agent = Agent::start();
    let answer = refused(&agent, b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n");
    assert!(!answer.contains("+OK"), "{answer}");
    assert_eq!(agent.get("/v1/kv/a").status, 404);
}

#[test]
fn a_command_that_is_none_or_has_wrong_arguments_is_refused_and_the_next_one_is_not() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["FROBNICATE", "a"], "ERR unknown command 'FROBNICATE'"),
        (&["GET"], "ERR wrong number of arguments for 'get' command"),
        (&["SET", "a", "1", "PX", "soon"], "ERR value is not an integer or out of range"),
        (&["SET", "a", "1", "NX", "XX"], "ERR syntax error"),
        (&["SELECT", "99"], "ERR DB index is out of range"),
    ];
    for (command, words) in cases {
        let Reply::Error(error) = connection.ask(command).unwrap() else { panic!("{command:?} is refused") };
        assert!(error.starts_with(words), "{command:?}: {error}");
    }
    connection.ask(&["LPUSH", "list", "a"]).unwrap();
    let Reply::Error(error) = connection.ask(&["GET", "list"]).unwrap() else { panic!("it is a list") };
    assert!(error.starts_with("WRONGTYPE"), "{error}");
    assert_eq!(connection.ask(&["EXISTS", "a"]).unwrap(), Reply::Text("0".to_string()));
}

#[test]
fn a_spec_with_three_mistakes_is_told_all_three() {
    let agent = Agent::start();
    let spec = json!({"command": [], "replicas": -1, "check": {"kind": "sometimes"}}).to_string();
    let answer = agent.send("PUT", "/api/services/web", &spec);
    assert_eq!(answer.status, 422);
    let errors: Value = serde_json::from_str(&answer.body).unwrap();
    let errors: Vec<&str> = errors["errors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    for field in ["command", "replicas", "check.kind"] {
        assert!(errors.iter().any(|error| error.starts_with(field)), "{field} is not in {errors:?}");
    }
    assert_eq!(agent.get("/api/services/web").status, 404);
}

#[test]
fn a_spec_with_mistakes_is_told_all_of_them_on_the_command_line() {
    let agent = Agent::start();
    let flags = ["--replicas", "10001", "--stop-signal", "SIGNOTHING", "--health-http", "healthz"];
    let error = web::try_create(&agent, "web", &flags).fails(4);
    for field in ["replicas", "stop.signal", "check.path"] {
        assert!(error.contains(field), "{field} is not in {error}");
    }
}

#[test]
fn a_body_that_is_no_json_is_refused() {
    let agent = Agent::start();
    let answer = agent.send("PUT", "/api/services/web", "{\"command\": [");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("no JSON"), "{}", answer.body);
}

#[test]
fn a_page_of_another_site_may_not_call() {
    let agent = Agent::start();
    let call = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        http::request(agent.http(), method, path, headers, body).unwrap()
    };
    let foreign = ("Origin", "http://evil.example");
    let json_type = ("Content-Type", "application/json");
    let spec = json!({"command": [web::PROGRAM]}).to_string();
    let refused = call("PUT", "/api/services/web", &[foreign, json_type], &spec);
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("http://evil.example"), "{}", refused.body);
    // What a form of a page can send without asking.
    let form = ("Content-Type", "text/plain");
    assert_eq!(call("POST", "/api/scale", &[foreign, form], "{}").status, 403);
    assert_eq!(call("POST", "/api/scale", &[form], "{}").status, 415);
    assert_eq!(call("PUT", "/v1/kv/a", &[foreign], "1").status, 403);
    assert_eq!((agent.get("/api/services/web").status, agent.get("/v1/kv/a").status), (404, 404));
}

#[test]
fn a_name_that_somebody_let_point_here_is_none_of_ours() {
    let agent = Agent::start();
    let host =
        |host: &str| http::request(agent.http(), "GET", "/api/services", &[("Host", host)], "").unwrap();
    let rebound = host("rebound.example:8500");
    assert_eq!(rebound.status, 403);
    assert!(rebound.body.contains("rebound.example") && rebound.body.contains("DNS rebinding"));
    assert_eq!((host("localhost").status, host("127.0.0.1:1").status), (200, 200));
}

/// An agent beside a running one, with these of its settings, to its end.
#[track_caller]
fn second(agent: &Agent, settings: &[(&str, String)]) -> Output {
    let spare = |position| agent.spare(position).to_string();
    let mut all = vec![
        ("--resp-addr", spare(0)),
        ("--http-addr", spare(1)),
        ("--dns-addr", spare(2)),
        ("--gateway-addr", spare(3)),
        ("--data-dir", agent.scratch().file("second")),
    ];
    for (flag, value) in settings {
        all.retain(|(other, _)| other != flag);
        all.push((flag, value.clone()));
    }
    let mut words = vec!["agent", "--node", "two"];
    all.iter().for_each(|(flag, value)| words.extend([*flag, value.as_str()]));
    running::run(&mut agent.adsum_command(&words), b"", SOON)
}

#[test]
fn a_port_that_is_taken_is_named_with_the_flag_for_another() {
    let agent = Agent::start();
    let taken = port::taken();
    let address = taken.local_addr().unwrap();
    for flag in ["--resp-addr", "--http-addr", "--gateway-addr"] {
        let error = second(&agent, &[(flag, address.to_string())]).fails(1);
        assert!(error.contains(&format!("port {} is taken", address.port())), "{error}");
        assert!(error.contains(&format!("pass {flag}")), "{error}");
    }
    let error = second(&agent, &[("--dns-addr", agent.dns().to_string())]).fails(1);
    assert!(error.contains("pass --dns-addr"), "{error}");
    // What failed to start leaves nothing running.
    let keepers = Process::all()
        .into_iter()
        .filter(|process| process.args.contains(&agent.scratch().file("second/keeper")));
    assert_eq!(keepers.collect::<Vec<_>>(), []);
}

#[test]
fn a_second_agent_on_the_same_data_is_refused_and_the_first_notices_nothing() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    let before: Vec<i32> = agent.instances().iter().map(|process| process.pid).collect();
    let data = agent.data_dir();
    let error = second(&agent, &[("--data-dir", data.display().to_string())]).fails(1);
    assert!(error.contains(data.to_str().unwrap()), "{error}");
    assert!(error.contains("another") || error.contains("in use") || error.contains("locked"), "{error}");
    let after: Vec<i32> = agent.instances().iter().map(|process| process.pid).collect();
    assert_eq!(before, after);
    agent.adsum(&["kv", "put", "a", "1"]).ok();
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let agent = Agent::start();
    // Not even root can make a directory below a file.
    let file = agent.scratch().file("plain");
    std::fs::write(&file, "").unwrap();
    let data = format!("{file}/data");
    let error = second(&agent, &[("--data-dir", data.clone())]).fails(1);
    assert!(error.contains(&data), "{error}");
}

#[test]
fn a_command_without_an_agent_says_how_to_get_one() {
    let scratch = Scratch::new();
    let ports = port::Block::reserve();
    let mut command = Command::new(program::adsum());
    command.args(["service", "ls", "--addr", &ports.address(0).to_string()]).current_dir(scratch.path());
    let error = running::run(&mut command, b"", SOON).fails(1);
    assert!(error.contains(&ports.address(0).to_string()) && error.contains("adsum agent"), "{error}");
}

#[test]
fn lines_that_are_no_tweets_are_counted_and_passed_over() {
    if !require("redis-cli") {
        return;
    }
    let agent = Agent::start();
    let chirp = program::chirp().to_str().unwrap().to_string();
    let mut generate = Command::new(&chirp);
    let tweets = running::run(generate.args(["generate", "--tweets", "3", "--users", "3"]), b"", SOON).ok();
    let mut stream = Vec::new();
    for tweet in tweets.lines() {
        stream.extend(b"not json\n\xff\xfe\x00\n{\"id_str\": 1}\n[]\n\n");
        stream.extend(tweet.as_bytes());
        stream.push(b'\n');
    }
    stream.extend(vec![b'x'; 3 << 20]);
    stream.push(b'\n');
    let file = agent.scratch().file("stream");
    std::fs::write(&file, stream).unwrap();
    let create =
        ["service", "create", "--name", "reader", "--no-healthcheck", "--update-monitor", "0s", "--"];
    agent.adsum(&[&create[..], &[&chirp, "reader", "--stream", &file]].concat()).ok();
    let done = until("the stream is through", SOON, || {
        serde_json::from_str::<Value>(&agent.redis_cli(&["GET", "/chirp/reader/done"]).ok()).ok()
    });
    assert_eq!((&done["pushed"], &done["bad"]), (&json!(3), &json!(13)), "{done}");
    assert_eq!(agent.redis_cli(&["LLEN", "/chirp/queue"]).ok(), "3");
}

#[test]
fn a_tweet_that_is_none_is_refused_with_the_reason_and_not_stored() {
    let agent = Agent::start();
    let chirp = program::chirp().to_str().unwrap().to_string();
    let create = [
        "service",
        "create",
        "--name",
        "tweets",
        "--health-http",
        "/healthz",
        "--update-monitor",
        "0s",
        "--",
    ];
    agent.adsum(&[&create[..], &[&chirp, "api"]].concat()).ok();
    let address = web::address(&web::service(&agent, "tweets")["instances"][0]);
    let json_type = [("Content-Type", "application/json")];
    for (body, reason) in
        [("{", "JSON"), ("{}", "missing"), ("{\"user\": {}, \"id_str\": \"x\"}", "not a tweet id")]
    {
        let answer = http::request(address, "POST", "/v1/tweet", &json_type, body).unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.contains(reason), "{body}: {}", answer.body);
    }
    let stored: Value = serde_json::from_str(&http::get(address, "/v1/tweet").unwrap().ok()).unwrap();
    assert_eq!(stored, json!({"tweets": [], "next": null}));
}
