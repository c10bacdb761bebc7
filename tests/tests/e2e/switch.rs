//! Dead man's switches: what is done when a key expires, exactly once, whoever is killed meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, require, rounds, until};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::web;

const SOON: Duration = Duration::from_secs(20);

/// A web server that keeps what it was sent, and answers with the status that it is told.
struct Hook {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    status: Arc<Mutex<&'static str>>,
}

#[derive(Clone, Debug)]
struct Call {
    line: String,
    name: String,
    body: Value,
}

impl Hook {
    fn start(status: &'static str) -> Hook {
        Hook::on(TcpListener::bind("127.0.0.1:0").unwrap(), status)
    }

    fn on(listener: TcpListener, status: &'static str) -> Hook {
        let address = listener.local_addr().unwrap();
        let (calls, status) = (Arc::<Mutex<Vec<Call>>>::default(), Arc::new(Mutex::new(status)));
        let (seen, answer) = (calls.clone(), status.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut lines = reader.by_ref().lines().map_while(Result::ok);
                let line = lines.next().unwrap_or_default();
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let header = |name: &str| {
                    let found = headers.iter().find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default().to_string()
                };
                let mut body = vec![0; header("content-length: ").parse().unwrap_or(0)];
                if reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                seen.lock().unwrap().push(Call { line, name: header("idempotency-key: "), body });
                let status = *answer.lock().unwrap();
                let _ = write!(reader.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Hook { address, calls, status }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

/// Messages of the event log of this kind.
fn events(agent: &Agent, kind: &str) -> Vec<String> {
    let events = web::json(agent, "/api/events?limit=1000");
    let events = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
    events.map(|event| event["message"].as_str().unwrap().to_string()).collect()
}

fn set(agent: &Agent, key: &str, millis: &str) {
    let mut connection = Connection::open(agent.resp()).unwrap();
    let reply = connection.ask(&["SET", key, "here", "PX", millis]).unwrap();
    assert_eq!(reply, Reply::Text("OK".to_string()));
}

/// Until nothing that has fired is left undone.
fn all_done(agent: &Agent, kind: &str, count: usize) {
    until("it is done", SOON, || (events(agent, kind).len() >= count).then_some(()));
}

#[test]
fn a_switch_is_set_listed_and_taken_off() {
    let agent = Agent::start();
    agent.adsum(&["kv", "switch", "alive/web", "--restart", "web"]).ok();
    agent.adsum(&["kv", "switch", "/other", "--db", "3", "--event", "it is silent"]).ok();
    let listed = agent.adsum(&["kv", "switch"]).ok();
    let rows: Vec<Vec<&str>> = listed.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["0", "alive/web", "restart", "web"]);
    assert_eq!(rows[1], ["3", "/other", "event", "it", "is", "silent"]);
    let json = agent.adsum(&["kv", "switch", "/other", "--db", "3", "--format", "json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["event"], "it is silent");
    agent.adsum(&["kv", "switch", "alive/web", "--off"]).ok();
    let error = agent.adsum(&["kv", "switch", "alive/web"]).fails(1);
    assert!(error.contains("key 'alive/web' has no switch"), "{error}");
    agent.adsum(&["kv", "switch", "alive/web", "--off"]).fails(1);
    for wrong in [["--webhook", "ftp://x"], ["--webhook", "http:///x"], ["--restart", "No Name"]] {
        let error = agent.adsum(&["kv", "switch", "a", wrong[0], wrong[1]]).fails(1);
        assert!(error.contains(wrong[1]), "{error}");
    }
    // No key of a user is touched by it.
    assert_eq!(agent.adsum(&["kv", "ls"]).ok(), "");
}

#[test]
fn a_key_that_expires_is_told_once_and_one_that_is_deleted_is_not() {
    let agent = Agent::start();
    agent.adsum(&["kv", "switch", "a", "--event", "a is silent"]).ok();
    set(&agent, "a", "60000");
    agent.adsum(&["kv", "del", "a"]).ok();
    set(&agent, "a", "30");
    all_done(&agent, "switch-fired", 1);
    set(&agent, "a", "30");
    all_done(&agent, "switch-fired", 2);
    assert_eq!(events(&agent, "switch-fired"), ["a is silent (key 'a' has expired)"; 2]);
}

/// The agent dies at any moment around the expiry, and the log has each of them once.
#[test]
fn an_event_is_told_exactly_once_over_kills_of_the_agent() {
    let mut agent = Agent::start();
    agent.adsum(&["kv", "switch", "a", "--event", "silent"]).ok();
    let rounds = rounds(6, 60);
    for round in 0..rounds {
        set(&agent, "a", "40");
        let begun = std::time::Instant::now();
        // From before the expiry to after what follows from it.
        let moment = Duration::from_millis(25 + u64::from(round % 6) * 5);
        until("the moment has come", SOON, || (begun.elapsed() >= moment).then_some(()));
        agent.kill9();
        agent.restart();
        all_done(&agent, "switch-fired", round as usize + 1);
    }
    assert_eq!(events(&agent, "switch-fired").len(), rounds as usize);
}

#[test]
fn a_webhook_is_sent_with_the_name_of_its_firing_until_it_is_taken() {
    let agent = Agent::start();
    let hook = Hook::start("503 Service Unavailable");
    let url = format!("http://{}/silent?x=1", hook.address);
    agent.adsum(&["kv", "switch", "alive/web", "--webhook", &url]).ok();
    set(&agent, "alive/web", "30");
    until("it is tried again", SOON, || (hook.calls().len() >= 3).then_some(()));
    assert_eq!(events(&agent, "switch-fired"), [] as [String; 0]);
    *hook.status.lock().unwrap() = "204 No Content";
    all_done(&agent, "switch-fired", 1);
    let calls = hook.calls();
    assert!(calls.iter().all(|call| call.line == "POST /silent?x=1 HTTP/1.1"), "{calls:?}");
    assert!(calls.iter().all(|call| call.name == calls[0].name), "{calls:?}");
    assert!(calls[0].name.starts_with("0:alive/web@"), "{calls:?}");
    let body = &calls[0].body;
    assert_eq!(
        (&body["event"], &body["key"], &body["db"]),
        (&"expired".into(), &"alive/web".into(), &0.into())
    );
    // The next expiry is another firing.
    set(&agent, "alive/web", "30");
    all_done(&agent, "switch-fired", 2);
    assert_ne!(hook.calls().last().unwrap().name, calls[0].name);
}

/// Nobody listens while the agent is killed and comes back: it is found on record.
#[test]
fn a_webhook_outlives_the_agent_and_an_absent_target() {
    let mut agent = Agent::start();
    let address = agent.spare(0);
    agent.adsum(&["kv", "switch", "a", "--webhook", &format!("http://{address}/x")]).ok();
    set(&agent, "a", "30");
    until("the key has expired", SOON, || {
        let mut connection = Connection::open(agent.resp()).unwrap();
        (connection.ask(&["EXISTS", "a"]).unwrap() == Reply::Text("0".to_string())).then_some(())
    });
    agent.kill9();
    agent.restart();
    let hook = Hook::on(TcpListener::bind(address).unwrap(), "200 OK");
    all_done(&agent, "switch-fired", 1);
    let calls = hook.calls();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.name == calls[0].name), "{calls:?}");
}

#[test]
fn a_service_whose_key_expires_is_replaced_once_and_never_out_of_service() {
    if !require("redis-cli") {
        return;
    }
    let mut agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--health-http", "/healthz"]);
    let pids = |agent: &Agent| {
        let mut pids: Vec<i32> = agent.instances_of("web").iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    };
    let before = pids(&agent);
    assert_eq!(agent.redis_cli(&["ONEXPIRE", "alive/web", "RESTART", "web"]).ok(), "OK");
    set(&agent, "alive/web", "50");
    agent.signal(Signal::SIGKILL);
    agent.wait_exit(SOON);
    agent.restart();
    until("all instances are new ones", Duration::from_secs(60), || {
        let passing = web::json(&agent, "/v1/health/service/web?passing");
        assert!(!passing.as_array().unwrap().is_empty(), "nobody serves");
        let now = pids(&agent);
        (now.len() == 2 && now.iter().all(|pid| !before.contains(pid))).then_some(())
    });
    assert_eq!(web::service(&agent, "web")["spec"]["replicas"], 2);
    let restarted = events(&agent, "service-restarted");
    assert_eq!(restarted, ["service web is restarted as version 2: key 'alive/web' has expired"]);
    // A service that is not there is said to be missing.
    agent.adsum(&["kv", "switch", "b", "--restart", "nobody"]).ok();
    set(&agent, "b", "30");
    all_done(&agent, "switch-failed", 1);
    assert!(events(&agent, "switch-failed")[0].contains("nobody"));
}
