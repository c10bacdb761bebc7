//! An instance that passes its checks and fails its requests: it is left alone after a few of them, and people can see why.

use adsum_tests::stage::SOON;
use adsum_tests::{Agent, http, until_ok};

/// The program (`tests/src/bin/backend.rs`).
const PROGRAM: &str = env!("CARGO_BIN_EXE_backend");
/// Whoever comes first answers every request with 503, but for its checks.
const START: &str =
    r#"mkdir "$BACKEND_FOLDER/first" 2>/dev/null && export BACKEND_MOOD='status 503'; exec "$0""#;

/// One worker, so that there is one count of failures.
fn agent() -> Agent {
    let agent = Agent::builder();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[gateway]\nworkers = 1\n").unwrap();
    agent.arg("--config").arg(&file.path().display().to_string()).start()
}

fn create(agent: &Agent, name: &str, replicas: &str) {
    let folder = agent.scratch().path().join(name);
    std::fs::create_dir(&folder).unwrap();
    let (folder, route) = (format!("BACKEND_FOLDER={}", folder.display()), format!("Host({name}.local)"));
    let own =
        ["service", "create", "--name", name, "--route", &route, "--env", &folder, "--replicas", replicas];
    let check =
        ["--health-http", "/healthz", "--timeout", "60s", "--label", "adsum.gateway.balance=round-robin"];
    agent.adsum(&[&own[..], &check, &["--", "/bin/sh", "-c", START, PROGRAM]].concat()).ok();
    until_ok("the gateway routes", SOON, || match post(agent, name) {
        Ok(200 | 503) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Is never sent twice, so that each failure is seen.
fn post(agent: &Agent, name: &str) -> std::io::Result<u16> {
    let host = format!("{name}.local");
    http::request(agent.gateway(), "POST", "/order", &[("Host", &host)], "").map(|answer| answer.status)
}

#[test]
fn an_instance_that_fails_every_request_is_left_alone_and_people_see_it() {
    let agent = agent();
    create(&agent, "alone", "1");
    create(&agent, "web", "2");
    until_ok("the other one has requests", SOON, || match post(&agent, "web").unwrap() {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    let of = |name| (0..40).map(|_| post(&agent, name).unwrap()).collect::<Vec<_>>();
    let (web, alone) = (of("web"), of("alone"));
    assert!(web.iter().filter(|status| **status == 503).count() <= 5, "{web:?}");
    assert!(web[20..].iter().all(|status| *status == 200), "{web:?}");
    assert!(alone.iter().all(|status| *status == 503), "the control, which has nobody else: {alone:?}");
    until_ok("it is in the metrics and in the event log", SOON, || {
        let (metrics, events) = (agent.get("/metrics").ok(), agent.get("/api/events?limit=1000").ok());
        let is_out = |line: &str| {
            line.starts_with("adsum_gateway_instance_ejected{")
                && line.contains("\"web\"")
                && line.ends_with(" 1")
        };
        match metrics.lines().any(is_out) && events.contains("instance-ejected") {
            true => Ok(()),
            false => Err(format!("{metrics}\n{events}")),
        }
    });
}
