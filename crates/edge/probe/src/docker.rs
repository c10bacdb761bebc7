//! A command inside of a container, by `docker exec`: its exit code is judged as that of any command.
//!
//! The client of Docker ends with 1, a warning, as well when there is no such container, when it does not run, or when
//! no daemon answers; so after a 1 it is asked whether the container runs, and a warning counts only if it does.

use std::time::Duration;

use tokio::time;

use crate::{Outcome, Status, Target, command, here};

/// By these the client knows where the daemon is and how it proves who it is.
const ENVIRONMENT: [&str; 6] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
];

pub(crate) async fn probe(container: &str, shell: &str, arguments: &[String], timeout: Duration) -> Outcome {
    let told = time::timeout(timeout, judge(container, shell, arguments, timeout)).await;
    told.unwrap_or_else(|_| Outcome::late("docker", timeout))
}

async fn judge(container: &str, shell: &str, arguments: &[String], timeout: Duration) -> Outcome {
    let outcome = command::probe(&inside(container, shell, arguments), &target(), timeout).await;
    if outcome.status != Status::Warning || runs(container, timeout).await {
        return outcome;
    }
    Outcome::critical(outcome.output)
}

/// With a shell, the arguments are its one line.
fn inside(container: &str, shell: &str, arguments: &[String]) -> Vec<String> {
    let mut command = ["docker", "exec", container].map(String::from).to_vec();
    match shell {
        "" => command.extend_from_slice(arguments),
        shell => command.extend([shell.to_string(), "-c".to_string(), arguments.join(" ")]),
    }
    command
}

async fn runs(container: &str, timeout: Duration) -> bool {
    let question =
        ["docker", "container", "inspect", "--format", "{{.State.Status}}", container].map(String::from);
    let answer = command::probe(&question, &target(), timeout).await;
    answer.status == Status::Passing && answer.output.trim() == "running"
}

fn target() -> Target {
    let env =
        ENVIRONMENT.iter().filter_map(|name| Some((name.to_string(), std::env::var(name).ok()?))).collect();
    Target { env, ..here() }
}
