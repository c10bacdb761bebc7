//! What an agent is told, and by whom: flag before environment before file before default.

use std::time::Duration;

use adsum_tests::{Agent, Running, http, until_ok};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// An agent beside the given one, with only these arguments and these variables.
fn start(beside: &Agent, arguments: &[&str], environment: &[(&str, String)]) -> Running {
    let mut command = beside.adsum_command(&[&["agent", "--dev"], arguments].concat());
    command.env_remove("ADSUM_HTTP_ADDR").envs(environment.iter().map(|(key, value)| (key, value)));
    Running::start(&mut command)
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let beside = Agent::start();
    let [resp, http, dns, elsewhere, gateway] =
        [0, 1, 2, 3, 4].map(|position| beside.spare(position).to_string());
    let file = beside.scratch().file("adsum.toml");
    let text = format!(
        "node = 'of-the-file'\nresp_addr = '{elsewhere}'\nhttp_addr = '{http}'\ndns_addr = '{elsewhere}'\n\
         [gateway]\naddr = '{gateway}'\n"
    );
    std::fs::write(&file, text).unwrap();
    let environment =
        [("ADSUM_RESP_ADDR", resp.clone()), ("ADSUM_DNS_ADDR", elsewhere), ("ADSUM_CONFIG", file)];
    let agent = start(&beside, &["--dns-addr", &dns], &environment);
    let status = until_ok("it answers", SOON, || {
        http::get(beside.spare(1), "/api/status").map_err(|error| format!("{error}: {}", agent.stderr()))
    });
    let status: Value = serde_json::from_str(&status.ok()).unwrap();
    let faces = ["resp", "http", "dns", "gateway"]
        .map(|face| status["faces"][face].as_str().unwrap_or_default().to_string());
    assert_eq!(faces, [resp, http, dns, gateway]);
    assert_eq!(status["node"], "of-the-file");
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    agent.finish(SOON).ok();
}

#[test]
fn a_file_with_a_word_that_nobody_knows_is_refused_by_name() {
    let beside = Agent::start();
    let file = beside.scratch().file("adsum.toml");
    std::fs::write(&file, "resp_adr = '127.0.0.1:1'\n").unwrap();
    let error = start(&beside, &["--config", &file], &[]).finish(SOON).fails(1);
    assert!(error.contains(&file) && error.contains("resp_adr"), "{error}");
}

#[test]
fn a_face_for_everybody_has_to_be_asked_for() {
    let beside = Agent::start();
    let error = start(&beside, &["--resp-addr", "0.0.0.0:1"], &[]).finish(SOON).fails(1);
    assert!(error.contains("--resp-addr 0.0.0.0:1") && error.contains("--insecure"), "{error}");
}
