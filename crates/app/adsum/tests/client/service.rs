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
    let waiting = if phase == "failed" { r#"{"kind":"given-up"}"# } else { "" };
    format!(
        r#"{{"name":"web","version":1,"spec":{{"command":["x"],"replicas":1}},"converged":{converged},"waiting_on":[{waiting_on}],"waiting":[{waiting}],
            "index":{index},"instances":[{{"id":"aaaaaaaaaaaa","name":"web.1","slot":1,"version":1,"node":"one","address":"127.0.0.1",
            "port":20000,"phase":"{phase}","health":"passing","pid":7,"restarts":3,"reason":null,"created":1,"changed":1}}]}}"#
    )
}

#[test]
fn every_mistake_in_a_spec_is_shown_on_its_line() {
    let server = refusing(422, r#"{"errors":["command: is empty","replicas: 9999 is too many"]}"#);
    let ended = adsum(&server.address, "service create --name web -- x");
    assert_eq!(ended.code, Some(4));
    assert_eq!(ended.stderr, "error: command: is empty\nerror: replicas: 9999 is too many\n");
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_service_that_exists_is_an_error_with_two_ways_out() {
    let server = refusing(412, r#"{"errors":["exists"]}"#);
    let ended = adsum(&server.address, "service create --name web -- x");
    assert_eq!(ended.code, Some(4));
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
    for (words, code) in [
        ("service ps web", 1),
        ("service inspect web", 1),
        ("service logs web", 1),
        ("service why web", 1),
        ("service usable web", 1),
        ("service rollouts web", 1),
        ("service rm web", 1),
        ("service update web --replicas 2", 4),
        ("service rollback web", 4),
        ("service pause web", 4),
    ] {
        let ended = adsum(&server.address, words);
        let expect = "error: there is no service 'web': 'adsum service ls' lists those there are\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), expect), "{words}");
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
    let ended = adsum(&server.address, "service update web --replicas 1 --wait-timeout 500ms");
    assert_eq!(ended.code, Some(3));
    let expect = "error: web has not converged within 500ms\nwaiting on: its tcp check to pass\n";
    assert!(ended.stderr.ends_with(expect), "{ended:?}");
}

/// A rollout of `web`; what is said of it last, and its receipt.
fn rollout(number: u32, stage: &str, ended: bool, reason: &str) -> String {
    format!(
        r#"{{"service":"web","number":{number},"cause":"updated","of":null,"automatic":false,"from":1,"to":{number},
            "stage":"{stage}","ended":{ended},"reason":{reason},"failures":0,"began_at":0,"ended_at":600,
            "failed_instances":[],"log":[],"spent":{{"start":400,"drain":200,"stop":0,"watch":0,"whole":600}},
            "receipt":{{"requests":12,"failed":0,"retried":1,"held":0,"told":0,"cut":0,
            "before":{{"p50":1,"p99":2000}},"during":{{"p50":1,"p99":3000}}}}}}"#
    )
}

/// `web` with its rollout beside it.
fn rolling(rollout: &str, converged: bool, index: usize) -> String {
    let state = state("running", converged, "", index);
    format!(r#"{},"rollout":{rollout}}}"#, state.trim_end().strip_suffix('}').unwrap())
}

const TAKEN: &str = r#"{"what":"new-version","service":{"rollout":2}}"#;

#[test]
fn an_update_is_through_when_its_rollout_is_complete_and_ends_with_the_receipt() {
    let server = Server::start(|number, request| match number {
        0 => json(200, TAKEN),
        1 => json(200, &rolling(&rollout(2, "verifying", false, "null"), true, 5)),
        2 => json(200, &rolling(&rollout(2, "complete", true, "null"), true, 6)),
        _ => {
            assert_eq!(request.line, "GET /api/services/web/rollouts/2");
            json(200, &rollout(2, "complete", true, "null"))
        }
    });
    let ended = adsum(&server.address, "service update web --force");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "web\n"));
    let expect = "overall progress: 1 out of 1 instances of version 2, verifying\noverall progress: 1 out of 1 instances\n\
                  web converged: 1 of 1 instances pass\nrollout 2: version 1 to 2 in 0.6 s: start 0.4 s, drain 0.2 s\n\
                  0 failed of 12 requests, 1 retried, 0 held; p99 2.0 ms before, 3.0 ms during\n";
    assert!(ended.stderr.ends_with(expect), "{}", ended.stderr);
    assert_eq!(server.requests()[0].line, "PATCH /api/services/web?force=true");
}

#[test]
fn a_pipeline_gets_one_document_with_the_receipt() {
    let server = Server::start(|number, _| match number {
        0 => json(200, TAKEN),
        1 => json(200, &rolling(&rollout(2, "complete", true, "null"), true, 5)),
        _ => json(200, &rollout(2, "complete", true, "null")),
    });
    let ended = adsum(&server.address, "service rollback web --format json");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let fields = ["service", "outcome", "reason"].map(|field| document[field].clone());
    assert_eq!(serde_json::json!(fields), serde_json::json!(["web", "converged", null]));
    assert_eq!((&document["receipt"]["requests"], &document["rollout"]["number"]), (&12.into(), &2.into()));
    assert_eq!(server.requests()[0].line, "POST /api/services/web/rollback");
}

#[test]
fn an_update_that_was_rolled_back_says_why_once_the_old_version_is_in_place() {
    let why = r#""web.1 (abc) exited with code 3""#;
    let server = Server::start(move |number, request| match (number, request.line.as_str()) {
        (0, _) => json(200, TAKEN),
        (_, "GET /api/services/web/rollouts/2") => json(200, &rollout(2, "rolled-back", true, why)),
        (1..4, _) => json(200, &rolling(&rollout(3, "rolling", false, "null"), false, number)),
        (_, _) => json(200, &rolling(&rollout(3, "complete", true, "null"), true, number)),
    });
    let ended = adsum(&server.address, "service update web --env A=1 --format json");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["outcome"], "rolled-back");
    assert_eq!(document["reason"], "web was rolled back to version 1: web.1 (abc) exited with code 3");
    assert!(ended.stderr.contains("error: web was rolled back to version 1: web.1 (abc)"), "{ended:?}");
}

#[test]
fn an_update_that_is_paused_by_a_failure_ends_with_both_ways_on() {
    let why = r#""web.1 (abc) exited with code 3""#;
    let server = Server::start(move |number, request| match (number, request.line.as_str()) {
        (0, _) => json(200, TAKEN),
        (_, "GET /api/services/web/rollouts/2") => json(200, &rollout(2, "paused", false, why)),
        (_, _) => json(200, &rolling(&rollout(2, "paused", false, why), false, 5)),
    });
    let ended = adsum(&server.address, "service resume web");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expect = "error: web is paused: web.1 (abc) exited with code 3\n'adsum service resume web' goes on, \
                  'adsum service abort web' goes back\n";
    assert!(ended.stderr.ends_with(expect), "{}", ended.stderr);
}

#[test]
fn a_refusal_is_a_document_too() {
    let server = refusing(
        409,
        r#"{"errors":["service 'web' has no rollout to abort: its last one, 1, is complete"]}"#,
    );
    let ended = adsum(&server.address, "service abort web --format json");
    assert_eq!(ended.code, Some(4));
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["outcome"], "refused");
    assert!(document["errors"][0].as_str().unwrap().contains("no rollout to abort"));
    assert!(ended.stderr.starts_with("error: service 'web' has no rollout to abort"), "{ended:?}");
}

#[test]
fn several_services_are_scaled_with_a_list_of_outcomes() {
    let server = Server::start(|number, _| match number {
        0 => json(200, "{}"),
        _ => json(200, &state("running", true, "", 5)),
    });
    let ended = adsum(&server.address, "service scale a=1 b=1 --format json");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let documents: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let services: Vec<_> = documents.as_array().unwrap().iter().map(|it| it["service"].clone()).collect();
    assert_eq!(services, ["a", "b"]);
    assert_eq!(server.requests()[0].body, r#"{"services":{"a":1,"b":1}}"#);
}

#[test]
fn whether_a_service_is_usable_is_an_exit_code_and_a_line() {
    let yes = r#"{"name":"web","usable":true,"reasons":[]}"#;
    let ended = adsum(&refusing(200, yes).address, "service usable web");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "web is usable\n"));
    let no = r#"{"name":"web","usable":false,"reasons":["it is in maintenance: new disk"]}"#;
    let ended = adsum(&refusing(503, no).address, "service usable web");
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), "web is not usable: it is in maintenance: new disk\n")
    );
    let ended = adsum(&refusing(503, no).address, "service usable web --format json");
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &document["usable"]), (Some(1), &serde_json::json!(false)));
    let ended = adsum(&refusing(503, no).address, "service usable web --quiet");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
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
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("stopped waiting; the agent goes on: 'adsum service ps web'"), "{ended:?}");
    assert!(ended.stderr.contains("'adsum service abort web' takes it back"), "{ended:?}");
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
