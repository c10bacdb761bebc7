//! Waiting until a service is as it is wanted, with progress.
//!
//! The agent is asked by blocking queries, so there is no pause to tune; an agent that is away for a moment (a
//! restart, an upgrade) is asked again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use adsum_model::Name;
use hyper::{Method, StatusCode};

use super::flags::WaitFlags;
use super::progress::{Progress, toward_nothing, toward_replicas};
use super::view::Service;
use crate::client::{Call, Client, Error, Outcome, view};

/// How long the agent may hold a question back.
const HELD: Duration = Duration::from_secs(10);
/// After which a reason that ends the waiting has to be there still: the first answer after a change may be older
/// than what the change leads to.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long the agent may be away.
const AWAY: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Converged,
    Gone,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Reached,
    GivenUp,
    /// Removed by somebody while we waited for it.
    Vanished,
}

/// Waits until all instances that are wanted are proven, unless told not to wait.
pub(super) async fn converged(client: &Client, service: &Name, flags: &WaitFlags) -> Outcome {
    wait(client, service, flags, Goal::Converged).await
}

/// Waits until nothing is left of a removed service, unless told not to wait.
pub(super) async fn gone(client: &Client, service: &Name, flags: &WaitFlags) -> Outcome {
    wait(client, service, flags, Goal::Gone).await
}

async fn wait(client: &Client, service: &Name, flags: &WaitFlags, goal: Goal) -> Outcome {
    if flags.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let mut watcher = Watcher {
        client,
        service,
        goal,
        progress: Progress::new(),
        last: Service::default(),
        suspected: false,
    };
    let end = tokio::select! {
        end = tokio::time::timeout(flags.timeout, watcher.follow()) => end.ok().transpose(),
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            return Ok(watcher.interrupted());
        }
    };
    let end = end.inspect_err(|_| watcher.progress.settle())?;
    Ok(watcher.finish(end, flags))
}

struct Watcher<'a> {
    client: &'a Client,
    service: &'a Name,
    goal: Goal,
    progress: Progress,
    last: Service,
    /// The last answer said that the service was given up.
    suspected: bool,
}

impl Watcher<'_> {
    async fn follow(&mut self) -> Result<End, anyhow::Error> {
        loop {
            let asked = Instant::now();
            let Some(service) = self.look().await? else {
                return Ok(if self.goal == Goal::Gone { End::Reached } else { End::Vanished });
            };
            self.show(&service);
            let end = self.judge(&service);
            let stuck = service.index == self.last.index && asked.elapsed() < AGAIN;
            self.last = service;
            match end {
                Some(end) => return Ok(end),
                // An agent that does not hold the question back is not to be asked in a circle.
                None if stuck => tokio::time::sleep(AGAIN).await,
                None => {}
            }
        }
    }

    /// The next state of the service, None when there is none. Bears with an agent that is away for a moment.
    async fn look(&self) -> Result<Option<Service>, anyhow::Error> {
        let mut away = None;
        loop {
            match self.ask().await {
                Ok(answer) => return Ok(Some(view(&answer.json()?)?)),
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => return Ok(None),
                Err(Error::NoAgent { .. } | Error::Lost { .. })
                    if away.get_or_insert_with(Instant::now).elapsed() < AWAY =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn ask(&self) -> Result<crate::client::Answer, Error> {
        let held = if self.suspected { SECOND_LOOK } else { HELD };
        let path = super::path(self.service);
        let path = match self.last.index {
            0 => path,
            index => path.query("index", index).query("wait", adsum_model::print_duration(held)),
        };
        self.client.send(Call::new(Method::GET, path).waiting(held)).await
    }

    fn show(&mut self, service: &Service) {
        let overall = match self.goal {
            Goal::Converged => toward_replicas(service),
            Goal::Gone => toward_nothing(service),
        };
        self.progress.show(&overall, service);
    }

    fn judge(&mut self, service: &Service) -> Option<End> {
        match self.goal {
            Goal::Gone => None,
            Goal::Converged if service.converged => Some(End::Reached),
            Goal::Converged => {
                let given_up = service.waiting_on.iter().any(|reason| reason.contains("was given up"));
                let confirmed = given_up && self.suspected;
                self.suspected = given_up;
                confirmed.then_some(End::GivenUp)
            }
        }
    }

    fn interrupted(self) -> ExitCode {
        let service = self.service;
        let text =
            format!("stopped waiting; the agent goes on: 'adsum service ps {service}' shows how far it is");
        self.progress.finish(&text);
        ExitCode::FAILURE
    }

    fn finish(self, end: Option<End>, flags: &WaitFlags) -> ExitCode {
        let service = self.service;
        let replicas = self.last.spec.replicas;
        let (code, text) = match (end, self.goal) {
            (Some(End::Reached), Goal::Converged) => {
                (0, format!("{service} converged: {replicas} of {replicas} instances pass"))
            }
            (Some(End::Reached), Goal::Gone) => (0, format!("{service} is gone")),
            (Some(End::Vanished), _) => (1, format!("error: {service} was removed meanwhile")),
            (Some(End::GivenUp), _) => (1, format!("error: {service} was given up{}", self.reasons())),
            (None, Goal::Converged) => (
                1,
                format!("error: {service} has not converged within {}{}", flags.patience(), self.reasons()),
            ),
            (None, Goal::Gone) => {
                (1, format!("error: {service} is not gone within {}{}", flags.patience(), self.reasons()))
            }
        };
        self.progress.finish(&text);
        ExitCode::from(code)
    }

    fn reasons(&self) -> String {
        self.last.waiting_on.iter().map(|reason| format!("\nwaiting on: {reason}")).collect()
    }
}
