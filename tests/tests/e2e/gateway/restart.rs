//! Routing goes on where the agent left it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use adsum_tests::http::Response;
use adsum_tests::{Agent, http, until};
use nix::sys::signal::Signal;

use super::{SOON, create, events, get, get_beside, until_noted, until_served};

/// Enough that reading it takes longer than the test needs to see that it takes long.
const KEYS: usize = 150_000;

/// Has the agent keep so many keys, which the next one has to read before it is ready.
fn fill(agent: &Agent, keys: usize) {
    let commands: String = (0..keys).map(|key| format!("SET key:{key} {key:0100}\r\n")).collect();
    agent.redis_cli_stdin(&["--pipe"], commands.as_bytes()).ok();
}

/// Waits until the table with the service is on disk.
fn until_kept(agent: &Agent, service: &str) {
    let file = agent.data_dir().join("gateway").join("table.json");
    until("the table is on disk", SOON, || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (text.contains(service) && text.contains("routable")).then_some(())
    });
}

#[test]
fn requests_are_served_before_the_journal_is_read() {
    let mut agent = Agent::builder().durability("everysec").start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    fill(&agent, KEYS);
    until_kept(&agent, "shop");
    agent.kill9();
    agent.begin();
    let served = until("the gateway answers", SOON, || get(&agent, "shop.local", "/bytes/3").ok());
    // A level of the agent at this moment, in which it is held until that was seen: it has not got so far as to open its
    // HTTP face.
    agent.signal(Signal::SIGSTOP);
    let http = TcpStream::connect(agent.http());
    agent.signal(Signal::SIGCONT);
    assert_eq!((served.status, served.body.as_str()), (200, "abc"));
    assert!(http.is_err(), "the journal was read already: {http:?}");
    agent.wait_ready();
    until_served(&agent, "shop.local");
    until("the table is a fresh one", SOON, || {
        (crate::web::json(&agent, "/api/gateway")["table"]["fresh"] == true).then_some(())
    });
}

#[test]
fn an_agent_that_is_told_to_end_lets_requests_in_flight_end() {
    let mut agent = Agent::start();
    let folder = create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let slow = get_beside(&agent, "shop.local", "/slow/1000");
    until_noted(&folder, "request GET /slow/1000");
    agent.signal(Signal::SIGTERM);
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    agent.wait_exit(SOON);
    agent.begin();
    agent.wait_ready();
    until_served(&agent, "shop.local");
}

/// Answers every request on a port, as a program does that has nothing to do with the agent. Until the test ends.
fn be_foreign(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign");
                }
            });
        }
    });
}

/// Ends the agent, its keeper and all instances, as a machine does that is switched off, and lets somebody else have the
/// instances' ports.
fn end_all(agent: &mut Agent) {
    agent.terminate();
    agent.kill9_keeper();
    let instances = agent.instances();
    assert!(!instances.is_empty());
    for instance in instances {
        let port: u16 = instance.env("PORT").unwrap().parse().unwrap();
        instance.signal(Signal::SIGKILL);
        let listener = until("its port is free", SOON, || TcpListener::bind(("127.0.0.1", port)).ok());
        be_foreign(listener);
    }
}

#[test]
fn nothing_is_sent_to_whoever_has_the_port_of_an_instance_that_has_gone() {
    let mut agent = Agent::start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    until_kept(&agent, "shop");
    end_all(&mut agent);
    agent.begin();
    let mut answers: Vec<Response> = Vec::new();
    until("the agent knows that the instance has ended", SOON, || {
        answers.extend(get(&agent, "shop.local", "/"));
        agent_says_ended(&agent).then_some(())
    });
    answers.push(get(&agent, "shop.local", "/").unwrap());
    assert!(answers.len() > 1, "nothing was asked before");
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
}

fn agent_says_ended(agent: &Agent) -> bool {
    let ready = http::get(agent.http(), "/v1/status/leader").is_ok_and(|answer| answer.status == 200);
    ready && events(agent, "shop").iter().any(|event| event == "instance-ended")
}

#[test]
fn an_agent_and_a_keeper_that_are_killed_cost_no_request() {
    let mut agent = Agent::start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    until_kept(&agent, "shop");
    agent.kill9();
    agent.kill9_keeper();
    agent.begin();
    let first = until("the gateway answers", SOON, || get(&agent, "shop.local", "/").ok());
    assert_eq!(first.status, 200);
    until("the table is a fresh one, and all requests are answered meanwhile", SOON, || {
        assert_eq!(get(&agent, "shop.local", "/").unwrap().status, 200);
        let status = http::get(agent.http(), "/api/gateway").ok()?;
        status.body.contains("\"fresh\":true").then_some(())
    });
    assert_eq!(get(&agent, "shop.local", "/").unwrap().status, 200);
}

#[test]
fn a_second_agent_on_the_same_data_takes_no_connection() {
    let agent = Agent::start();
    let port = agent.spare(0).port().to_string();
    create(&agent, "shop", &["--route", "Host(shop.local)", "--publish", &port]);
    until_served(&agent, "shop.local");
    until_kept(&agent, "shop");
    for _ in 0..5 {
        let mut second = Agent::builder().data_dir(&agent.data_dir()).spawn();
        let gateway = second.gateway();
        let knocking = std::thread::spawn(move || {
            let begun = Instant::now();
            let knocks = || TcpStream::connect_timeout(&gateway, Duration::from_millis(100)).is_ok();
            let mut taken = 0;
            while begun.elapsed() < Duration::from_secs(2) {
                taken += usize::from(knocks());
            }
            taken
        });
        assert!(!second.wait_exit(SOON).success());
        assert!(second.log().contains("in use by process"), "{}", second.log());
        assert_eq!(knocking.join().unwrap(), 0);
    }
    assert_eq!(get(&agent, "shop.local", "/").unwrap().status, 200);
}

#[test]
fn routes_of_other_data_are_not_used() {
    let first = Agent::start();
    create(&first, "shop", &["--route", "Host(shop.local)"]);
    until_served(&first, "shop.local");
    until_kept(&first, "shop");
    let mut second = Agent::start();
    second.terminate();
    let folder = second.data_dir().join("gateway");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(first.data_dir().join("gateway/table.json"), folder.join("table.json")).unwrap();
    second.begin();
    until("the table is a fresh one", SOON, || {
        if let Ok(answer) = get(&second, "shop.local", "/") {
            assert_eq!(answer.status, 404);
        }
        let status = http::get(second.http(), "/api/gateway").ok()?;
        status.body.contains("\"fresh\":true").then_some(())
    });
    assert_eq!(get(&second, "shop.local", "/").unwrap().status, 404);
}

#[test]
fn an_agent_that_cannot_start_answers_what_its_gateway_has_taken() {
    let mut agent = Agent::builder().durability("everysec").start();
    // It comes to what it cannot do only when it has read these: nobody is too late for it.
    fill(&agent, KEYS / 3);
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    until_kept(&agent, "shop");
    agent.terminate();
    let taken = until("its HTTP port is free", SOON, || TcpListener::bind(agent.http()).ok());
    agent.begin();
    // Whoever came before it listened, or after, was refused.
    let was_taken = |answer: &std::io::Result<Response>| {
        !answer.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    let begun = Instant::now();
    // Without a pause: it is there for a moment only.
    let mut knocks = std::iter::repeat_with(|| get(&agent, "shop.local", "/slow/500"))
        .take_while(|_| begun.elapsed() < SOON);
    let first = knocks.find(was_taken).expect("the gateway takes a request");
    assert_eq!(first.unwrap().status, 200);
    assert!(!agent.wait_exit(SOON).success());
    assert!(agent.log().contains("pass --http-addr"), "{}", agent.log());
    drop(taken);
}
