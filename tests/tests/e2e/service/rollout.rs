//! Rollouts as a person and a pipeline see them: exit codes, documents, the verbs.

use super::*;

/// The fields of the document that a command with `--format json` has printed.
#[track_caller]
fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The last rollout of `web`.
fn latest(agent: &Agent) -> Value {
    web::json(agent, "/api/services/web/rollouts/latest")
}

/// What the spec of `web` has for a variable.
fn variable(agent: &Agent, key: &str) -> Value {
    web::service(agent, "web")["spec"]["env"][key].clone()
}

fn update<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["service", "update", "web"], words].concat()
}

#[test]
fn an_update_that_converges_ends_with_0_and_a_receipt() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--env", "VERSION=1"]);
    let words = update(&["--env-add", "VERSION=2", "--update-monitor", "300ms", "--format", "json"]);
    let document = document(&agent.adsum(&words).ok());
    assert_eq!((&document["outcome"], &document["version"]), (&json!("converged"), &json!(2)));
    assert_eq!(
        (&document["rollout"]["stage"], &document["rollout"]["number"]),
        (&json!("complete"), &json!(2))
    );
    assert_eq!(document["receipt"]["failed"], 0, "{document}");
    let spent = &document["rollout"]["spent"];
    assert!(spent["whole"].as_u64().unwrap() >= 300, "{spent}");
    let parts = ["start", "drain", "stop", "watch"].map(|part| spent[part].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), spent["whole"].as_u64().unwrap(), "{spent}");
    let history = agent.adsum(&["service", "rollouts", "web"]).ok();
    assert!(history.contains("1 -> 2") && history.lines().count() == 3, "{history}");
    let one = agent.adsum(&["service", "rollouts", "web", "2"]).ok();
    assert!(one.contains("rollout 2: version 1 to 2 in") && one.contains("passed"), "{one}");
}

/// In which commit something of this kind was last told of `web`.
#[track_caller]
fn told_in(agent: &Agent, kind: &str, says: &str) -> String {
    let events = web::json(agent, "/api/events?service=web&limit=1000");
    let is_it = |event: &&Value| event["kind"] == kind && event["message"].as_str().unwrap().contains(says);
    let event = events.as_array().unwrap().iter().find(is_it);
    let event = event.unwrap_or_else(|| panic!("no {kind} with '{says}': {events}"));
    event["id"].as_str().unwrap().split_once('-').unwrap().0.to_string()
}

/// A crash between two commits would leave a rollout that has ended and has none for good.
#[test]
fn a_receipt_is_on_record_with_the_end_of_its_rollout() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    agent.adsum(&update(&["--env-add", "VERSION=2", "--update-monitor", "100ms"])).ok();
    let complete = told_in(&agent, "rollout-complete", "to version 2");
    assert_eq!(told_in(&agent, "rollout-receipt", "rolled out version 2"), complete);
    agent.adsum(&update(&["--env-add", "WEB_EXIT=3"])).fails(1);
    let failed = told_in(&agent, "rollout-failed", "to version 3");
    assert_eq!(told_in(&agent, "rollout-receipt", "took version 3 back"), failed);
}

#[test]
fn an_update_that_fails_goes_back_and_ends_with_1_and_the_reason() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--env", "VERSION=1"]);
    let before = passing(&agent, "web");
    let error = agent.adsum(&update(&["--env-add", "WEB_EXIT=3"])).fails(1);
    assert!(error.contains("web was rolled back to version 1"), "{error}");
    assert!(error.contains("exited with code 3"), "{error}");
    assert_eq!((passing(&agent, "web"), variable(&agent, "WEB_EXIT")), (before, Value::Null));
    let back = latest(&agent);
    assert_eq!((&back["cause"], &back["automatic"]), (&json!("rolled-back"), &json!(true)));
    assert_eq!(agent.adsum(&["service", "usable", "web"]).ok(), "web is usable");
}

#[test]
fn an_update_that_is_to_pause_when_it_fails_ends_with_1_and_is_aborted_by_hand() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    let before = passing(&agent, "web");
    let words = update(&["--env-add", "WEB_EXIT=3", "--update-failure-action", "pause", "--format", "json"]);
    let output = agent.adsum(&words);
    let document = document(&output.stdout);
    assert_eq!(document["outcome"], "paused", "{output:?}");
    output.fails(1);
    let why = agent.adsum(&["service", "why", "web"]).ok();
    assert!(why.contains("is paused") && why.contains("'adsum service abort web' goes back"), "{why}");
    agent.adsum(&["service", "abort", "web"]).ok();
    assert_eq!((passing(&agent, "web"), variable(&agent, "WEB_EXIT")), (before, Value::Null));
}

#[test]
fn an_update_that_takes_too_long_ends_with_3_and_goes_on() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    let words = update(&["--env-add", "WEB_LISTEN=no", "--wait-timeout", "1s"]);
    let error = agent.adsum(&words).fails(3);
    assert!(error.contains("has not converged within 1s"), "{error}");
    assert_eq!(latest(&agent)["stage"], "rolling");
    let aborted = agent.adsum(&["service", "abort", "web"]);
    assert!(aborted.stderr.contains("web converged"), "{aborted:?}");
    aborted.ok();
}

#[test]
fn what_the_agent_refuses_ends_with_4() {
    let agent = Agent::start();
    web::create(&agent, "web", &[]);
    for verb in ["rollback", "abort", "pause", "resume"] {
        let error = agent.adsum(&["service", verb, "web"]).fails(4);
        assert!(error.contains("service 'web' has no"), "{error}");
    }
    let output = agent.adsum(&["service", "abort", "nobody", "--format", "json"]);
    assert_eq!(document(&output.stdout)["outcome"], "refused");
    assert!(output.fails(4).contains("there is no service 'nobody'"));
}

#[test]
fn a_rollback_goes_back_and_a_second_one_forth() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    agent.adsum(&update(&["--env-add", "VERSION=2"])).ok();
    for expect in ["1", "2"] {
        agent.adsum(&["service", "rollback", "web"]).ok();
        assert_eq!(variable(&agent, "VERSION"), expect);
        assert_eq!(live(&agent, "web", "version"), [json!(expect.parse::<u32>().unwrap())]);
    }
    let causes = web::json(&agent, "/api/services/web/rollouts");
    let causes: Vec<&Value> = causes.as_array().unwrap().iter().map(|it| &it["cause"]).collect();
    assert_eq!(causes, ["created", "updated", "rolled-back", "rolled-back"]);
}

#[test]
fn a_paused_update_begins_nothing_until_it_is_resumed() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "3", "--env", "VERSION=1"]);
    let words =
        update(&["--env-add", "VERSION=2", "--update-monitor", "1s", "--update-delay", "1s", "--detach"]);
    agent.adsum(&words).ok();
    agent.adsum(&["service", "pause", "web"]).ok();
    assert_eq!(latest(&agent)["stage"], "paused");
    let why = agent.adsum(&["service", "why", "web"]).ok();
    assert!(why.contains("is paused (paused by hand)"), "{why}");
    assert!(live(&agent, "web", "version").contains(&json!(1)), "it has not gone all the way");
    agent.adsum(&["service", "resume", "web"]).ok();
    assert_eq!(live(&agent, "web", "version"), [json!(2), json!(2), json!(2)]);
}

#[test]
fn a_forced_update_replaces_what_runs_already() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2"]);
    let before = agent.instances_of("web");
    agent.adsum(&update(&["--force"])).ok();
    let after = agent.instances_of("web");
    assert!(after.len() == 2 && after.iter().all(|it| !before.contains(it)), "{before:?} {after:?}");
    assert_eq!(latest(&agent)["cause"], "restarted");
}
