//! The talk "Deploy, scale and coordinate a microservice oriented application", slide by slide: its commands, each
//! with the answer that the slide shows.

use std::time::{Duration, Instant};

use adsum_tests::{Agent, Running, require, until};

use crate::web;

const SOON: Duration = Duration::from_secs(30);
const CONF: &str = "/path/to/disk/mydb.conf";
const LOCK: &str = "/etc/lock/walterdalmut/.lock";

/// An agent, unless `redis-cli` is missing.
fn agent() -> Option<Agent> {
    require("redis-cli").then(Agent::start)
}

/// `redis-cli` as it prints on a terminal, where the slides were made.
#[track_caller]
fn slide(agent: &Agent, command: &str, answer: &str) {
    let words: Vec<&str> = std::iter::once("--no-raw").chain(command.split(' ')).collect();
    assert_eq!(agent.redis_cli(&words).ok(), answer, "{command}");
}

/// A client that has subscribed: `> SUBSCRIBE channel`.
#[track_caller]
fn subscriber(agent: &Agent, command: &str) -> Running {
    let words: Vec<&str> = std::iter::once("--no-raw").chain(command.split(' ')).collect();
    let client = agent.redis_cli_running(&words);
    client.line_with("(integer) 1", SOON);
    client
}

/// What a subscriber has got so far, without the answer to its subscription: `message channel payload`.
fn messages(client: &Running) -> Vec<String> {
    let text = client.stdout();
    let words: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(") ")?.1)).collect();
    words[3..].chunks_exact(3).map(|message| message.join(" ").replace('"', "")).collect()
}

#[test]
fn a_configuration_file_is_stored_under_its_path_found_and_read() {
    let Some(agent) = agent() else { return };
    let file = "host = db.walterdalmut.com\nport = 3306\npassword = \"s3cret\"\n";
    // $ cat mydb.conf | redis-cli -x set /path/to/disk/mydb.conf
    assert_eq!(agent.redis_cli_stdin(&["-x", "set", CONF], file.as_bytes()).ok(), "OK");
    slide(&agent, "keys /path/*", &format!("1) \"{CONF}\""));
    slide(&agent, &format!("get {CONF}"), &format!("\"{}\"", file.replace('"', "\\\"").replace('\n', "\\n")));
    // Off the terminal it comes back byte for byte.
    assert_eq!(agent.redis_cli(&["get", CONF]).stdout, format!("{file}\n"));
}

#[test]
fn a_service_that_stops_saying_that_it_lives_is_gone_when_its_time_is_over() {
    let Some(agent) = agent() else { return };
    let key = "/services/auth/1";
    let begin = Instant::now();
    slide(&agent, &format!("SETEX {key} 30 10.0.0.1:8080"), "OK");
    let ttl: f64 = agent.redis_cli(&["TTL", key]).ok().parse().unwrap();
    // The slide says 30, and so it is where somebody types fast: TTL is rounded to the nearest second.
    let passed = begin.elapsed().as_secs_f64();
    assert!(ttl <= 30.0 && ttl + 0.5 >= 30.0 - passed, "{ttl} after {passed}");
    slide(&agent, &format!("EXPIRE {key} 30"), "(integer) 1");
    slide(&agent, &format!("EXPIRE {key} 1"), "(integer) 1");
    until("the key is gone", SOON, || (agent.redis_cli(&["EXISTS", key]).ok() == "0").then_some(()));
    slide(&agent, &format!("EXPIRE {key} 30"), "(integer) 0");
    slide(&agent, &format!("GET {key}"), "(nil)");
}

#[test]
fn a_service_that_goes_on_saying_that_it_lives_stays() {
    let Some(agent) = agent() else { return };
    let key = "/services/auth/1";
    // Not shorter: a machine may stand still for a second or two, and the key has rightly ended then.
    slide(&agent, &format!("SETEX {key} 5 10.0.0.1:8080"), "OK");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(6) {
        slide(&agent, &format!("EXPIRE {key} 5"), "(integer) 1");
    }
    slide(&agent, &format!("GET {key}"), "\"10.0.0.1:8080\"");
}

#[test]
fn whoever_watches_a_configuration_is_told_of_every_set() {
    let Some(agent) = agent() else { return };
    slide(&agent, "CONFIG SET notify-keyspace-events AKE", "OK");
    slide(&agent, "CONFIG GET notify-keyspace-events", "1) \"notify-keyspace-events\"\n2) \"AKE\"");
    let channel = format!("__keyspace@0__:{CONF}");
    let client = subscriber(&agent, &format!("SUBSCRIBE {channel}"));
    slide(&agent, &format!("SET {CONF} new"), "OK");
    slide(&agent, &format!("SET {CONF} newer"), "OK");
    let told = format!("message {channel} set");
    until("both are told", SOON, || (messages(&client) == [told.clone(), told.clone()]).then_some(()));
}

/// Redis begins with nothing, Adsum with what the slide asks for; nothing is to be had by the same command.
#[test]
fn a_watch_works_from_the_start_and_can_be_switched_off() {
    let Some(agent) = agent() else { return };
    let client = subscriber(&agent, "PSUBSCRIBE *");
    slide(&agent, &format!("SET {CONF} new"), "OK");
    client.line_with(&format!("__keyspace@0__:{CONF}"), SOON);
    assert_eq!(agent.redis_cli(&["CONFIG", "SET", "notify-keyspace-events", ""]).ok(), "OK");
    slide(&agent, "SET /other new", "OK");
    slide(&agent, "PUBLISH end now", "(integer) 1");
    // What comes over one connection comes in order, so a notification would stand before it.
    client.line_with("\"now\"", SOON);
    assert!(!client.stdout().contains("/other"), "{}", client.stdout());
}

#[test]
fn only_one_gets_the_lock_of_a_user_until_it_is_released() {
    let Some(agent) = agent() else { return };
    slide(&agent, &format!("SET {LOCK} 4f2a NX PX 30000"), "OK");
    slide(&agent, &format!("SET {LOCK} 9c01 NX PX 30000"), "(nil)");
    slide(&agent, &format!("GET {LOCK}"), "\"4f2a\"");
    slide(&agent, &format!("EXPIRE {LOCK} 30"), "(integer) 1");
    slide(&agent, &format!("DEL {LOCK}"), "(integer) 1");
    slide(&agent, &format!("SET {LOCK} 9c01 NX PX 30000"), "OK");
}

#[test]
fn whoever_waits_for_a_lock_is_told_of_its_release() {
    let Some(agent) = agent() else { return };
    slide(&agent, "CONFIG SET notify-keyspace-events AKE", "OK");
    slide(&agent, &format!("SET {LOCK} 4f2a NX PX 30000"), "OK");
    let channel = format!("__keyspace@0__:{LOCK}");
    let client = subscriber(&agent, &format!("SUBSCRIBE {channel}"));
    slide(&agent, &format!("DEL {LOCK}"), "(integer) 1");
    until("it is told", SOON, || (messages(&client) == [format!("message {channel} del")]).then_some(()));
}

#[test]
fn a_lock_whose_time_is_over_is_told_of_although_nobody_looks_at_it() {
    let Some(agent) = agent() else { return };
    slide(&agent, "CONFIG SET notify-keyspace-events AKE", "OK");
    let channel = format!("__keyspace@0__:{LOCK}");
    let client = subscriber(&agent, &format!("SUBSCRIBE {channel}"));
    let begin = Instant::now();
    slide(&agent, &format!("SET {LOCK} 4f2a NX PX 1000"), "OK");
    // From here on no command is sent: what comes now comes by itself.
    let expect = ["set", "expire", "expired"].map(|event| format!("message {channel} {event}"));
    until("it is told", SOON, || (messages(&client) == expect).then_some(()));
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_secs(1), "expired too early, after {elapsed:?}");
    slide(&agent, &format!("SET {LOCK} 9c01 NX PX 30000"), "OK");
}

#[test]
fn ten_copies_of_a_service_are_two_commands_away() {
    let Some(agent) = agent() else { return };
    web::create(&agent, "app", &[]);
    // $ docker service scale app=10
    let said = agent.adsum(&["service", "scale", "app=10"]).ok();
    assert!(said.contains("app scaled to 10"), "{said}");
    assert_eq!(agent.instances_of("app").len(), 10);
}

#[test]
fn the_addresses_of_a_service_are_in_dns() {
    if !require("dig") {
        return;
    }
    let agent = Agent::start();
    web::create(&agent, "auth", &["--replicas", "2"]);
    // $ dig srv _auth._tcp.walterdalmut.com +short
    let answer = agent.dig(&["srv", "_auth._tcp.service.adsum", "+short"]).ok();
    let mut ports: Vec<&str> = answer.lines().map(port_of).collect();
    ports.sort_unstable();
    let mut expect: Vec<String> =
        agent.instances_of("auth").iter().map(|it| it.env("PORT").unwrap().to_string()).collect();
    expect.sort_unstable();
    assert_eq!(ports, expect, "{answer}");
}

/// Of `PRIORITY WEIGHT PORT TARGET.`, which is what it is checked to be.
fn port_of(line: &str) -> &str {
    let [priority, weight, port, target] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!((priority, weight), ("1", "1"), "{line}");
    assert!(target.ends_with(".auth.service.adsum."), "{line}");
    port
}
