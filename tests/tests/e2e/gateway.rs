//! Requests through the gateway of a real agent: where they go, what a drain lets them finish, what people see of it.
//! Faults and load are in the tests of the folder `gateway`.

mod drain;
mod restart;
mod routes;
mod troubles;
mod visible;

use std::path::{Path, PathBuf};
use std::time::Duration;

use adsum_tests::http::{self, Response};
use adsum_tests::{Agent, until_ok};

/// A level that commits and gateways reach by themselves.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The program (`tests/src/bin/backend.rs`).
const PROGRAM: &str = env!("CARGO_BIN_EXE_backend");

/// Where the instances of a service keep what they have seen.
fn folder(agent: &Agent, service: &str) -> PathBuf {
    let folder = PathBuf::from(agent.scratch().file(service));
    std::fs::create_dir_all(&folder).expect("our own directory is writable");
    folder
}

/// Creates a service of the program with these flags, and waits until it has converged.
#[track_caller]
pub(crate) fn create(agent: &Agent, service: &str, flags: &[&str]) -> PathBuf {
    let folder = folder(agent, service);
    let variable = format!("BACKEND_FOLDER={}", folder.display());
    let words = ["service", "create", "--name", service, "--env", &variable, "--wait-timeout", "30s"];
    // Watched only until it passes.
    agent.adsum(&[&words[..], flags, &["--update-monitor", "0s", "--", PROGRAM]].concat()).ok();
    folder
}

/// `GET path` of a host, through the gateway.
pub(crate) fn get(agent: &Agent, host: &str, path: &str) -> std::io::Result<Response> {
    http::request(agent.gateway(), "GET", path, &[("Host", host)], "")
}

/// Waits until the gateway answers a host with 200, and gives the answer.
#[track_caller]
pub(crate) fn until_served(agent: &Agent, host: &str) -> Response {
    until_ok(&format!("{host} is served"), SOON, || {
        let response = get(agent, host, "/").map_err(|error| error.to_string())?;
        if response.status == 200 { Ok(response) } else { Err(format!("{response:?}")) }
    })
}

/// A GET beside the test, to its end.
pub(crate) fn get_beside(
    agent: &Agent,
    host: &str,
    path: &str,
) -> std::thread::JoinHandle<std::io::Result<Response>> {
    let (address, host, path) = (agent.gateway(), host.to_string(), path.to_string());
    std::thread::spawn(move || http::request(address, "GET", &path, &[("Host", &host)], ""))
}

/// Waits until the backends of a folder have noted an event that begins so.
#[track_caller]
pub(crate) fn until_noted(folder: &Path, event: &str) {
    until_ok(&format!("a backend notes '{event}'"), SOON, || {
        let entries = adsum_tests::backend::Entries::of_folder(folder);
        if entries.count(event) > 0 {
            Ok(())
        } else {
            Err(format!("{:?}", entries.iter().collect::<Vec<_>>()))
        }
    });
}

/// The names of the events of a service, oldest first.
#[track_caller]
fn events(agent: &Agent, service: &str) -> Vec<String> {
    let events = crate::web::json(agent, "/api/events?limit=1000");
    let events = events.as_array().cloned().unwrap_or_default();
    let of_service = events.iter().filter(|event| event["service"] == service);
    of_service.filter_map(|event| event["kind"].as_str().map(str::to_string)).collect()
}
