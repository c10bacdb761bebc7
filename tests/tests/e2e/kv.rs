//! Keys and values: one store behind the command line, Redis clients and Consul's KV.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, http, require, rounds, running};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(30);

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

/// A writer whose keys count up, until its connection breaks off. Returns up to where it was acknowledged.
fn count_up(agent: &Agent, from: u64, done: &AtomicBool) -> u64 {
    let mut connection = Connection::open(agent.resp()).expect("the agent listens");
    let mut next = from;
    while !done.load(Ordering::Acquire) {
        match connection.ask(&["SET", &format!("/n/{next:06}"), "x"]) {
            Ok(Reply::Text(_)) => next += 1,
            _ => return next,
        }
    }
    next
}

/// Two watches from the beginning, one of them of keys that nobody writes but before and at the end, over agents that are killed
/// under load: every write once, and in order.
#[test]
fn a_watch_counts_every_write_once_however_often_the_agent_is_killed() {
    let mut agent = Agent::start();
    let watch = agent.adsum_running(&["kv", "watch", "/n/", "--from", "0"]);
    let quiet = agent.adsum_running(&["kv", "watch", "/quiet", "--from", "0"]);
    // One that has not begun by the first kill has nothing to go on with.
    agent.adsum(&["kv", "put", "/quiet/begin", "x"]).ok();
    quiet.line_with("/quiet/begin", SOON);
    let mut next = 0;
    for _ in 0..rounds(5, 50) {
        let begun = next;
        let done = AtomicBool::new(false);
        let acknowledged = std::thread::scope(|scope| {
            let writing = scope.spawn(|| count_up(&agent, begun, &done));
            watch.line_with(&format!("/n/{:06}", begun + 20), SOON);
            agent.signal(Signal::SIGKILL);
            let acknowledged = writing.join().unwrap();
            done.store(true, Ordering::Release);
            acknowledged
        });
        assert!(acknowledged > begun);
        agent.wait_exit(SOON);
        agent.restart();
        // The last write may have been done without having been acknowledged.
        next = acknowledged + 1;
    }
    agent.adsum(&["kv", "put", "/n/end", "x"]).ok();
    agent.adsum(&["kv", "put", "/quiet/end", "x"]).ok();
    watch.line_with("/n/end", SOON);
    quiet.line_with("/quiet/end", SOON);
    let text = watch.stdout();
    let events: Vec<(u64, &str)> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let revision = words.next().unwrap().split('-').next().unwrap().parse().unwrap();
            (revision, words.nth(1).unwrap())
        })
        .collect();
    assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{text}");
    let stored = agent.adsum(&["kv", "ls", "/n/"]).ok();
    assert_eq!(events.iter().map(|(_, key)| *key).collect::<Vec<_>>(), stored.lines().collect::<Vec<_>>());
    assert!(events.len() as u64 > next - u64::from(rounds(5, 50)), "{} of {next}", events.len());
    assert_eq!(quiet.stdout().lines().count(), 2);
}

#[test]
fn a_watch_that_begins_too_early_or_too_late_fails_and_says_why() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let big = "x".repeat(1024 * 1024);
    for _ in 0..20 {
        connection.ask(&["SET", "/big", &big]).unwrap();
    }
    let error = agent.adsum(&["kv", "watch", "/", "--from", "1"]).fails(1);
    assert!(error.contains("no longer kept") && error.contains("without --from"), "{error}");
    let error = agent.adsum(&["kv", "watch", "/", "--from", "1000000"]).fails(1);
    assert!(error.contains("ahead of the last revision"), "{error}");
    let error = agent.adsum(&["kv", "get", "/big", "--rev", "1"]).fails(1);
    assert!(error.contains("the oldest revision that can be read is"), "{error}");
}

/// It costs the agent its place in the history and nothing else, and both sides are told why it ends.
#[test]
fn a_stream_that_is_not_read_is_cut_with_a_reason() {
    let agent = Agent::start();
    let mut stream = TcpStream::connect(agent.http()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET /api/watch HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", agent.http()).unwrap();
    let mut seen = Vec::new();
    let mut piece = [0; 64 * 1024];
    while !String::from_utf8_lossy(&seen).contains(": from") {
        let length = stream.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..length]);
    }
    // More than the history and the buffers of both sockets hold.
    let mut connection = Connection::open(agent.resp()).unwrap();
    let big = "x".repeat(1024 * 1024);
    for number in 0..60 {
        assert_eq!(
            connection.ask(&["SET", "/big", &format!("{number}{big}")]).unwrap(),
            Reply::Text("OK".into())
        );
    }
    stream.read_to_end(&mut seen).unwrap();
    let text = String::from_utf8_lossy(&seen);
    let end = &text[text.len() - 400..];
    assert!(end.contains("event: compacted") && end.contains("read too slowly"), "{end}");
    assert!(agent.log().contains("read too slowly"));
}

#[test]
fn what_a_key_held_is_told_by_revision() {
    let agent = Agent::start();
    for value in ["blue", "green", "two\nlines"] {
        agent.adsum(&["kv", "put", "/color", value]).ok();
    }
    agent.adsum(&["kv", "del", "/color"]).ok();
    let history = agent.adsum(&["kv", "history", "/color"]).ok();
    let lines: Vec<Vec<&str>> = history.lines().map(|line| line.splitn(4, ' ').collect()).collect();
    let told: Vec<String> = lines.iter().map(|words| words[2..].join(" ")).collect();
    assert_eq!(told, ["set blue", "set green", r"set two\nlines", "del"]);
    assert!(lines.iter().all(|words| words[1].ends_with('Z')), "{history}");
    let revision = |line: usize| lines[line][0].split('-').next().unwrap();
    assert_eq!(agent.adsum(&["kv", "get", "/color", "--rev", revision(0)]).stdout, "blue");
    assert_eq!(agent.adsum(&["kv", "get", "/color", "--rev", revision(2)]).stdout, "two\nlines");
    let error = agent.adsum(&["kv", "get", "/color", "--rev", revision(3)]).fails(1);
    assert!(error.contains("there was no key '/color'"), "{error}");
    let json = agent.adsum(&["kv", "history", "/color", "--limit", "1", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["events"][0]["event"].as_str(), json["more"].as_bool()), (Some("del"), Some(true)));
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
