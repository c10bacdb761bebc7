//! Services that are refused, or that do not become what they are to be.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::{Answer, Request, Server};
use crate::run::{Ended, adsum, adsum_command};

fn json(status: u16, body: &str) -> Answer {
    Answer::Json(status, body.to_string())
}

/// Always the same answer.
fn refusing(status: u16, body: &'static str) -> Server {
    Server::start(move |_, _| json(status, body))
}

/// `web` with one instance, which is in `phase`.
fn state(phase: &str, converged: bool, waiting_on: &str, index: usize) -> String {
    format!(
        r#"{{"name":"web","version":1,"spec":{{"command":["x"],"replicas":1}},"converged":{converged},"waiting_on":[{waiting_on}],
            "index":{index},"instances":[{{"id":"aaaaaaaaaaaa","name":"web.1","slot":1,"version":1,"node":"one","address":"127.0.0.1",
            "port":20000,"phase":"{phase}","health":"passing","pid":7,"restarts":3,"reason":null,"created":1,"changed":1}}]}}"#
    )
}

#[test]
fn every_mistake_in_a_spec_is_shown_on_its_line() {
    let server = refusing(422, r#"{"errors":["command: is empty","replicas: 9999 is too many"]}"#);
    let ended = adsum(&server.address, "service create --name web -- x");
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "error: command: is empty\nerror: replicas: 9999 is too many\n");
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_service_that_exists_is_an_error_with_two_ways_out() {
    let server = refusing(412, r#"{"errors":["exists"]}"#);
    let ended = adsum(&server.address, "service create --name web -- x");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("'adsum service update web'") && ended.stderr.contains("--if-absent"),
        "{ended:?}"
    );
    let ended = adsum(&server.address, "service create --name web --if-absent --detach -- x");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "web\n", ""));
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let server = refusing(404, r#"{"errors":["no"]}"#);
    for words in [
        "service ps web",
        "service inspect web",
        "service logs web",
        "service why web",
        "service rm web",
        "service update web --replicas 2",
    ] {
        let ended = adsum(&server.address, words);
        let expect = "error: there is no service 'web': 'adsum service ls' lists those there are\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), expect), "{words}");
    }
    let ended = adsum(&server.address, "kv get /a");
    assert_eq!(ended.stderr, "error: there is no key '/a': 'adsum kv ls' lists those there are\n");
}

#[test]
fn a_write_whose_answer_got_lost_is_sent_once_more_under_the_same_key() {
    let server = Server::start(|number, _| if number == 0 { Answer::Cut } else { json(201, "{}") });
    let ended = adsum(&server.address, "service create --name web --replicas 2 --detach -- /bin/x");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
    assert_eq!(requests[0].line, "PUT /api/services/web");
    assert_eq!(requests[0].header("if-none-match"), Some("*"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].header("idempotency-key").map(str::len), Some(32));
    assert_eq!(requests[0].body, r#"{"command":["/bin/x"],"replicas":2}"#);
}

#[test]
fn a_write_whose_answer_gets_lost_twice_fails() {
    let server = Server::start(|_, _| Answer::Cut);
    let ended = adsum(&server.address, "kv put /a b");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("closed the connection before its answer was complete"), "{ended:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn waiting_shows_each_change_on_a_line_and_ends_with_the_service() {
    let server = Server::start(|number, _| match number {
        0 => json(201, r#"{"what":"created"}"#),
        1 => json(200, &state("planned", false, "", 5)),
        _ => json(200, &state("running", true, "", 6)),
    });
    let ended = adsum(&server.address, "service create --name web -- x");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "web\n"));
    let expect = "1/1: planned\noverall progress: 0 out of 1 instances\n1/1: passing on 127.0.0.1:20000\n\
                  overall progress: 1 out of 1 instances\nweb converged: 1 of 1 instances pass\n";
    assert_eq!(ended.stderr, expect);
    let lines: Vec<String> = server.requests().into_iter().map(|request: Request| request.line).collect();
    assert_eq!(lines[1..], ["GET /api/services/web", "GET /api/services/web?index=5&wait=10s"]);
}

#[test]
fn a_service_that_was_given_up_ends_the_waiting_with_the_reason() {
    let reason = r#""slot 1 (web.1): a new version: it was given up: exited with 1""#;
    let server = Server::start(move |number, request| match number {
        0 => json(200, "{}"),
        1 => json(200, &state("failed", false, reason, 5)),
        _ => {
            assert!(request.line.ends_with("wait=1s"), "{request:?}");
            json(200, &state("failed", false, reason, 5))
        }
    });
    let ended = adsum(&server.address, "service scale web=1");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "web scaled to 1\n"));
    let expect = "error: web was given up\nwaiting on: slot 1 (web.1): a new version: it was given up: exited with 1\n";
    assert!(ended.stderr.ends_with(expect), "{ended:?}");
}

#[test]
fn waiting_has_an_end_that_says_what_is_missing() {
    let server = Server::start(|number, _| match number {
        0 => json(200, "{}"),
        _ => json(200, &state("running", false, r#""its tcp check to pass""#, 5)),
    });
    let ended = adsum(&server.address, "service update web --replicas 1 --timeout 500ms");
    assert_eq!(ended.code, Some(1));
    let expect = "error: web has not converged within 500ms\nwaiting on: its tcp check to pass\n";
    assert!(ended.stderr.ends_with(expect), "{ended:?}");
}

#[test]
fn ctrl_c_stops_the_waiting_only() {
    let server = Server::start(|_, request| {
        let asked = request.line.starts_with("GET");
        Answer::Json(200, if asked { state("planned", false, "", 5) } else { "{}".to_string() })
    });
    let mut command = adsum_command(&server.address, &["service", "scale", "web=1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.requests().len() < 2 {
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("stopped waiting; the agent goes on: 'adsum service ps web'"), "{ended:?}");
    assert!(server.requests().iter().skip(1).all(|request| request.line.starts_with("GET")));
}

#[test]
fn an_agent_that_is_away_for_a_moment_is_asked_again() {
    let server = Server::start(|number, _| match number {
        0 => json(202, "{}"),
        1 | 2 => Answer::Cut,
        _ => json(404, ""),
    });
    let ended = adsum(&server.address, "service rm web");
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "web\n", "web is gone\n")
    );
}

#[test]
fn a_watch_that_reaches_back_too_far_says_so() {
    let server =
        refusing(200, "event: compacted\ndata: {\"oldest\":9,\"error\":\"the history begins at 9\"}\n\n");
    let ended = adsum(&server.address, "kv watch /a --from 3");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert_eq!(ended.stderr, "error: the history begins at 9: begin without --from\n");
}

#[test]
fn a_watch_that_is_cut_off_goes_on_behind_its_last_event() {
    let server = Server::start(|number, _| match number {
        0 => json(200, ": from 6\n\nid: 7-1\ndata: {\"event\":\"set\",\"key\":\"a\",\"value\":\"1\"}\n\n"),
        1 => Answer::Cut,
        2 => json(200, "id: 8-1\ndata: {\"event\":\"del\",\"key\":\"a\"}\n\n"),
        _ => json(400, r#"{"errors":["enough"]}"#),
    });
    let ended = adsum(&server.address, "kv watch a");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "7-1 set a 1\n8-1 del a\n"));
    assert_eq!(ended.stderr, "error: enough\n");
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    let again = "GET /api/watch?prefix=a&from=7-1";
    assert_eq!(lines, ["GET /api/watch?prefix=a", again, again, "GET /api/watch?prefix=a&from=8-1"]);
}
