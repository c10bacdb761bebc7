//! What is maintained: found by what a person calls it, and waited for.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use adsum_model::{Health, Name, Phase};
use hyper::StatusCode;
use serde::Deserialize;

use crate::client::{AGAIN, Client, Error, Outcome, Path, view};
use crate::usage::Usage;

/// A whole service, or one of its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Service(Name),
    Instance { service: Name, id: String, name: String },
}

/// A service as far as it matters here.
#[derive(Debug, Deserialize)]
struct Service {
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    id: String,
    name: String,
    slot: u32,
    phase: Phase,
    health: Health,
    reason: Option<String>,
    held_by: Option<Vec<String>>,
}

/// How far one is.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Done,
    WaitsFor(String),
    /// Back, and not well: it gets no requests.
    Unwell(String),
}

/// What there is to say of all that were named.
#[derive(Default)]
struct Found {
    waiting: Vec<String>,
    unwell: Vec<String>,
}

impl Target {
    /// A service by its name, an instance as `web.2` (both, while it is replaced) or by its id.
    pub(super) async fn find(client: &Client, text: &str) -> anyhow::Result<Vec<Target>> {
        if let Some((service, slot)) = text.split_once('.') {
            return Target::of_slot(client, service, slot, text).await;
        }
        if let Ok(name) = text.parse::<Name>()
            && look(client, &name).await?.is_some()
        {
            return Ok(vec![Target::Service(name)]);
        }
        let brief = client.get(Path::of(&["api", "instances"])).await?;
        let brief: Vec<Brief> = view(&brief)?;
        let found = brief.into_iter().find(|instance| instance.id == text);
        let found = found.ok_or_else(|| {
            anyhow::anyhow!("there is no service and no instance '{text}': 'adsum service ls' and 'adsum service ps' list them")
        })?;
        let name = format!("{}.{}", found.service, found.slot);
        Ok(vec![Target::Instance { service: found.service, id: found.id, name }])
    }

    async fn of_slot(client: &Client, service: &str, slot: &str, text: &str) -> anyhow::Result<Vec<Target>> {
        let wrong = || Usage(format!("'{text}' names no instance: write SERVICE.SLOT, such as web.2"));
        let service: Name = service.parse().map_err(|_| wrong())?;
        let slot: u32 = slot.parse().map_err(|_| wrong())?;
        let found = look(client, &service).await?;
        let found = found.ok_or_else(|| anyhow::anyhow!("there is no service '{service}'"))?;
        let of_slot = found.instances.into_iter().filter(|it| it.slot == slot && it.may_be_maintained());
        let targets: Vec<Target> = of_slot
            .map(|it| Target::Instance { service: service.clone(), id: it.id, name: it.name })
            .collect();
        if targets.is_empty() {
            anyhow::bail!(
                "slot {slot} of {service} has no instance: 'adsum service ps {service}' lists them"
            );
        }
        Ok(targets)
    }

    pub(super) fn path(&self) -> Path {
        match self {
            Target::Service(name) => Path::of(&["api", "services", name.as_str(), "maintenance"]),
            Target::Instance { id, .. } => Path::of(&["api", "instances", id, "maintenance"]),
        }
    }

    fn service(&self) -> &Name {
        match self {
            Target::Service(name) | Target::Instance { service: name, .. } => name,
        }
    }

    fn is(&self, instance: &Instance) -> bool {
        match self {
            Target::Service(_) => true,
            Target::Instance { id, .. } => instance.id == *id,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Brief {
    id: String,
    service: Name,
    slot: u32,
}

impl Instance {
    fn may_be_maintained(&self) -> bool {
        matches!(self.phase, Phase::Planned | Phase::Running | Phase::Backoff)
            && self.health != Health::Draining
    }

    fn state(&self, on: bool) -> State {
        if on { self.going_out() } else { self.coming_back() }
    }

    fn going_out(&self) -> State {
        match self.held_by.as_ref().filter(|holding| !holding.is_empty()) {
            Some(holding) => State::WaitsFor(format!("{}: {}", self.name, holding.join("; "))),
            None => State::Done,
        }
    }

    /// One that is leaving for another reason is nobody's concern here.
    fn coming_back(&self) -> State {
        match (self.phase, self.health) {
            (Phase::Planned, _) => State::WaitsFor(format!("{}: its process to be started", self.name)),
            (Phase::Running, Health::Maintenance | Health::Starting) => {
                State::WaitsFor(format!("{}: its check to pass", self.name))
            }
            (Phase::Running, Health::Critical) => self.unwell("is critical"),
            (Phase::Backoff, _) => self.unwell("ended and waits for its restart"),
            (Phase::Failed, _) => self.unwell("was given up"),
            (Phase::Running, Health::Passing | Health::Warning | Health::Draining)
            | (Phase::Stopping | Phase::Stopped | Phase::Complete, _) => State::Done,
        }
    }

    fn unwell(&self, how: &str) -> State {
        let reason = self.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        State::Unwell(format!("{} gets no requests: it {how}{reason}", self.name))
    }
}

/// Waits until nothing is in flight on what is out, or until what is back has been found well.
pub(super) async fn wait(client: &Client, targets: &[Target], on: bool, patience: Duration) -> Outcome {
    let mut said = Vec::new();
    let all = async {
        loop {
            let Found { waiting, unwell } = found(client, targets, on).await?;
            if waiting.is_empty() {
                return anyhow::Ok(unwell);
            }
            let news = waiting.iter().filter(|line| !said.contains(*line));
            news.for_each(|line| eprintln!("waiting on: {line}"));
            said = waiting;
            tokio::time::sleep(AGAIN).await;
        }
    };
    let over = tokio::select! {
        over = tokio::time::timeout(patience, all) => over,
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            eprintln!("stopped waiting; it stays as it is");
            return Ok(ExitCode::from(3));
        }
    };
    let Ok(unwell) = over else {
        let patience = adsum_model::print_duration(patience);
        let left = if on { "it is not free" } else { "it has not been found well" };
        eprintln!("error: {left} within {patience}");
        return Ok(ExitCode::from(3));
    };
    let unwell = unwell?;
    unwell.iter().for_each(|line| eprintln!("error: {line}"));
    if !unwell.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    eprintln!("{}", if on { "nothing is in flight" } else { "found well: requests come to it" });
    Ok(ExitCode::SUCCESS)
}

async fn found(client: &Client, targets: &[Target], on: bool) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for target in targets {
        let service = look(client, target.service()).await?;
        let instances = service.map(|service| service.instances).unwrap_or_default();
        let mut instances = instances.iter().filter(|it| target.is(it)).peekable();
        if !on && matches!(target, Target::Instance { .. }) && instances.peek().is_none() {
            found.unwell.push(format!("{target} has gone meanwhile"));
        }
        for instance in instances {
            match instance.state(on) {
                State::Done => {}
                State::WaitsFor(what) => found.waiting.push(what),
                State::Unwell(how) => found.unwell.push(how),
            }
        }
    }
    Ok(found)
}

/// None of a service that is not there.
async fn look(client: &Client, service: &Name) -> anyhow::Result<Option<Service>> {
    match client.get(Path::of(&["api", "services", service.as_str()])).await {
        Ok(json) => Ok(Some(view(&json)?)),
        Err(Error::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Service(name) => write!(f, "{name}"),
            Target::Instance { id, name, .. } => write!(f, "{name} ({id})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(on: bool, phase: &str, health: &str, held_by: serde_json::Value, expect: State) {
        let json = json!({"id": "a", "name": "web.1", "slot": 1, "phase": phase, "health": health, "held_by": held_by});
        let instance = Instance::deserialize(&json).unwrap();
        assert_eq!(instance.state(on), expect);
    }

    #[test]
    fn what_goes_out_is_waited_for_until_nobody_holds_it() {
        check(
            true,
            "running",
            "maintenance",
            json!(["worker 0 has 1 request"]),
            State::WaitsFor("web.1: worker 0 has 1 request".into()),
        );
        check(true, "running", "maintenance", json!([]), State::Done);
        check(true, "backoff", "maintenance", json!(null), State::Done);
    }

    #[test]
    fn what_comes_back_is_waited_for_until_it_is_found_well_or_not() {
        let back = |phase, health, expect| check(false, phase, health, json!(null), expect);
        back("running", "starting", State::WaitsFor("web.1: its check to pass".into()));
        back("running", "maintenance", State::WaitsFor("web.1: its check to pass".into()));
        back("planned", "starting", State::WaitsFor("web.1: its process to be started".into()));
        back("running", "passing", State::Done);
        back("running", "warning", State::Done);
        back("running", "critical", State::Unwell("web.1 gets no requests: it is critical".into()));
        let unwell = "web.1 gets no requests: it ended and waits for its restart";
        back("backoff", "starting", State::Unwell(unwell.into()));
        back("stopping", "draining", State::Done);
    }
}
