//! Waiting until a service is as it is wanted, with progress.
//!
//! The agent is asked by blocking queries, so there is no pause to tune; an agent that is away for a moment (a
//! restart, an upgrade) is asked again.

use std::time::{Duration, Instant};

use adsum_model::Name;
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::flags::WaitFlags;
use super::judge::{Goal, judge};
use super::outcome::{self, Outcome, Report};
use super::progress::{Progress, toward_nothing, toward_replicas};
use super::rollout::Rollout;
use super::view::Service;
use crate::client::{self, Call, Client, Error, view};
use crate::listing::print_json;
use crate::screen::{PrintError, print_line};

/// How long the agent may hold a question back.
const HELD: Duration = Duration::from_secs(10);
/// After which a reason that ends the waiting has to be there still: the first answer after a change may be older
/// than what the change leads to.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long the agent may be away.
const AWAY: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);

/// A wish that was taken.
pub(super) struct Taken {
    /// The rollout that it began, or that is there.
    pub(super) rollout: Option<u32>,
    /// Whether it is another wish than the one before.
    pub(super) changed: bool,
    /// How many instances are wanted, where the wish began no rollout and none has to be followed.
    scaled: Option<u32>,
}

/// Sends a wish; a refusal ends with its own exit code.
pub(super) async fn send(
    client: &Client,
    service: &Name,
    call: Call,
    as_json: bool,
) -> anyhow::Result<Taken> {
    let answer = client.send(call).await.map_err(|error| super::missing(error, service));
    let answer = answer.map_err(|error| outcome::refused(error, Some(service.as_str()), as_json))?;
    Ok(Taken::of(&answer.json()?))
}

impl Taken {
    pub(super) fn of(written: &Value) -> Taken {
        let rollout = written["service"]["rollout"].as_u64().and_then(|number| u32::try_from(number).ok());
        let replicas =
            written["service"]["spec"]["replicas"].as_u64().filter(|_| written["what"] == "changed");
        Taken {
            rollout: rollout.filter(|number| *number > 0),
            changed: written["what"] != "nothing",
            scaled: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
        }
    }
}

/// The name of the service, as the result of a command that tells its outcome as text.
pub(super) fn name(service: &Name, flags: &WaitFlags) -> Result<(), PrintError> {
    if flags.is_json() { Ok(()) } else { print_line(service.as_str()) }
}

/// Waits until all instances that are wanted are proven, unless told not to wait, and tells the outcome.
pub(super) async fn converged(
    client: &Client,
    service: &Name,
    rollout: Option<u32>,
    flags: &WaitFlags,
) -> client::Outcome {
    conclude(wait(client, service, flags, Goal::Converged { rollout }).await?, flags)
}

/// The same after an update, which may have begun no rollout: more instances, or another route.
pub(super) async fn updated(
    client: &Client,
    service: &Name,
    taken: &Taken,
    flags: &WaitFlags,
) -> client::Outcome {
    let goal = match taken.scaled {
        Some(replicas) => Goal::Scaled { replicas },
        None => Goal::Converged { rollout: taken.rollout },
    };
    conclude(wait(client, service, flags, goal).await?, flags)
}

fn conclude(report: Report, flags: &WaitFlags) -> client::Outcome {
    if flags.is_json() {
        print_json(&report.json())?;
    }
    Ok(report.exit())
}

/// The same without the document, for a wish that begins no rollout: one that is under way is waited for.
pub(super) async fn scaled(
    client: &Client,
    service: &Name,
    replicas: u32,
    flags: &WaitFlags,
) -> anyhow::Result<Report> {
    wait(client, service, flags, Goal::Scaled { replicas }).await
}

/// Waits until nothing is left of a removed service, unless told not to wait.
pub(super) async fn gone(client: &Client, service: &Name, flags: &WaitFlags) -> anyhow::Result<Report> {
    wait(client, service, flags, Goal::Gone).await
}

async fn wait(client: &Client, service: &Name, flags: &WaitFlags, goal: Goal) -> anyhow::Result<Report> {
    let progress = if flags.detach { Progress::silent() } else { Progress::new() };
    let (last, wished) = (Service::default(), None);
    let mut watcher = Watcher { client, service, goal, progress, last, wished, suspected: false };
    if flags.detach {
        if flags.is_json() {
            watcher.last = watcher.look().await?.unwrap_or_default();
        }
        return watcher.finish(Outcome::Accepted, flags).await;
    }
    let outcome = tokio::select! {
        end = tokio::time::timeout(flags.timeout, watcher.follow()) => end.unwrap_or(Ok(Outcome::TimedOut)),
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            Ok(Outcome::Interrupted)
        }
    };
    let outcome = outcome.inspect_err(|_| watcher.progress.settle())?;
    watcher.finish(outcome, flags).await
}

struct Watcher<'a> {
    client: &'a Client,
    service: &'a Name,
    goal: Goal,
    progress: Progress,
    last: Service,
    /// The rollout of the wish, once another one has taken its place.
    wished: Option<Rollout>,
    /// The last answer said that the service was given up.
    suspected: bool,
}

impl Watcher<'_> {
    async fn follow(&mut self) -> Result<Outcome, anyhow::Error> {
        loop {
            let asked = Instant::now();
            let Some(service) = self.look().await? else {
                return Ok(if self.goal == Goal::Gone { Outcome::Gone } else { Outcome::Removed });
            };
            self.show(&service);
            self.look_back(&service).await?;
            let outcome = judge(self.goal, &service, self.wished.as_ref());
            let stuck = service.index == self.last.index && asked.elapsed() < AGAIN;
            self.last = service;
            match self.confirmed(outcome) {
                Some(outcome) => return Ok(outcome),
                // An agent that does not hold the question back is not to be asked in a circle.
                None if stuck => tokio::time::sleep(AGAIN).await,
                None => {}
            }
        }
    }

    /// What has been given up has to be so for a moment.
    fn confirmed(&mut self, outcome: Option<Outcome>) -> Option<Outcome> {
        let given_up = outcome == Some(Outcome::GivenUp);
        let before = std::mem::replace(&mut self.suspected, given_up);
        outcome.filter(|_| !given_up || before)
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

    async fn ask(&self) -> Result<client::Answer, Error> {
        let held = if self.suspected { SECOND_LOOK } else { HELD };
        let path = super::path(self.service);
        let path = match self.last.index {
            0 => path,
            index => path.query("index", index).query("wait", adsum_model::print_duration(held)),
        };
        self.client.send(Call::new(Method::GET, path).waiting(held)).await
    }

    /// Finds out what became of the wish's rollout when another one is there.
    async fn look_back(&mut self, service: &Service) -> Result<(), anyhow::Error> {
        let Goal::Converged { rollout: Some(wished) } = self.goal else { return Ok(()) };
        let overtaken = service.rollout.as_ref().is_some_and(|rollout| rollout.number > wished);
        if overtaken && self.wished.is_none() {
            let json = self.rollout(wished).await?;
            self.wished = json.as_ref().map(view).transpose()?;
        }
        Ok(())
    }

    /// None of one that is no longer kept.
    async fn rollout(&self, number: u32) -> Result<Option<Value>, Error> {
        let path = super::path(self.service).join("rollouts").join(&number.to_string());
        match self.client.get(path).await {
            Ok(json) => Ok(Some(json)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn show(&mut self, service: &Service) {
        let overall = match self.goal {
            Goal::Converged { .. } | Goal::Scaled { .. } => toward_replicas(service),
            Goal::Gone => toward_nothing(service),
        };
        self.progress.show(&overall, service);
    }

    async fn finish(self, outcome: Outcome, flags: &WaitFlags) -> anyhow::Result<Report> {
        let rollout = match self.goal {
            // What it came to is worth telling; that it cannot be read does not change the outcome.
            Goal::Converged { rollout: Some(number) } if !flags.detach || flags.is_json() => {
                self.rollout(number).await.unwrap_or_default()
            }
            Goal::Converged { .. } | Goal::Scaled { .. } | Goal::Gone => None,
        };
        let text = self.text(&outcome, flags);
        let service = self.service.to_string();
        let report = Report { service, outcome, text, last: self.last, rollout };
        self.progress.finish(&report.lines());
        Ok(report)
    }

    fn text(&self, outcome: &Outcome, flags: &WaitFlags) -> String {
        let service = self.service;
        let replicas = self.last.spec.replicas;
        let now = self.last.rollout.as_ref();
        let because = |rollout: Option<&Rollout>| {
            rollout.and_then(|rollout| rollout.reason.clone()).map_or(String::new(), |why| format!(": {why}"))
        };
        match outcome {
            Outcome::Accepted => String::new(),
            Outcome::Converged => format!("{service} converged: {}", self.last.counts()),
            Outcome::Gone => format!("{service} is gone"),
            Outcome::Removed => format!("error: {service} was removed meanwhile"),
            Outcome::GivenUp => format!("error: {service} was given up{}", self.reasons()),
            Outcome::RolledBack => {
                let version = self.last.version;
                let why = because(self.wished.as_ref());
                format!("error: {service} was rolled back to version {version}{why}")
            }
            Outcome::Paused => format!(
                "error: {service} is paused{}\n'adsum service resume {service}' goes on, 'adsum service abort {service}' \
                 goes back",
                because(now)
            ),
            Outcome::Superseded => {
                let by = match self.goal {
                    Goal::Scaled { replicas: wished } => format!("{replicas} instances, not {wished}"),
                    Goal::Converged { .. } | Goal::Gone => {
                        format!("by rollout {}", now.map_or(0, |rollout| rollout.number))
                    }
                };
                format!("error: {service} was wished for otherwise meanwhile, {by}")
            }
            Outcome::TimedOut => {
                let goal = if self.goal == Goal::Gone { "is not gone" } else { "has not converged" };
                format!("error: {service} {goal} within {}{}", flags.patience(), self.reasons())
            }
            Outcome::Interrupted => format!(
                "stopped waiting; the agent goes on: 'adsum service ps {service}' shows how far it is, \
                 'adsum service pause {service}' holds it, 'adsum service abort {service}' takes it back"
            ),
        }
    }

    fn reasons(&self) -> String {
        self.last.waiting_on.iter().map(|reason| format!("\nwaiting on: {reason}")).collect()
    }
}
