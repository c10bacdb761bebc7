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
    held_by: Option<Vec<String>>,
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

    /// What has yet to happen, if anything.
    fn waits_for(&self, on: bool) -> Option<String> {
        match (on, self.phase, self.health) {
            (true, _, _) => {
                let holding = self.held_by.as_ref().filter(|holding| !holding.is_empty())?;
                Some(format!("{}: {}", self.name, holding.join("; ")))
            }
            (false, Phase::Running, Health::Maintenance | Health::Starting) => {
                Some(format!("{}: its check to pass", self.name))
            }
            (false, _, _) => None,
        }
    }
}

/// Waits until nothing is in flight on what is out, or until what is back has been looked at.
pub(super) async fn wait(client: &Client, targets: &[Target], on: bool, patience: Duration) -> Outcome {
    let mut said = Vec::new();
    let all = async {
        loop {
            let waiting = waiting(client, targets, on).await?;
            if waiting.is_empty() {
                return anyhow::Ok(());
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
    match over {
        Ok(done) => done?,
        Err(_elapsed) => {
            let patience = adsum_model::print_duration(patience);
            let left = if on { "it is not free" } else { "it has not been found well" };
            eprintln!("error: {left} within {patience}");
            return Ok(ExitCode::from(3));
        }
    }
    eprintln!("{}", if on { "nothing is in flight" } else { "it gets requests as its check says" });
    Ok(ExitCode::SUCCESS)
}

async fn waiting(client: &Client, targets: &[Target], on: bool) -> anyhow::Result<Vec<String>> {
    let mut waiting = Vec::new();
    for target in targets {
        let service = look(client, target.service()).await?;
        let instances = service.map(|service| service.instances).unwrap_or_default();
        waiting.extend(instances.iter().filter(|it| target.is(it)).filter_map(|it| it.waits_for(on)));
    }
    Ok(waiting)
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
    fn check(on: bool, phase: &str, health: &str, held_by: serde_json::Value, expect: Option<&str>) {
        let json = json!({"id": "a", "name": "web.1", "slot": 1, "phase": phase, "health": health, "held_by": held_by});
        let instance = Instance::deserialize(&json).unwrap();
        assert_eq!(instance.waits_for(on).as_deref(), expect);
    }

    #[test]
    fn what_goes_out_is_waited_for_until_nobody_holds_it() {
        check(
            true,
            "running",
            "maintenance",
            json!(["worker 0 has 1 request"]),
            Some("web.1: worker 0 has 1 request"),
        );
        check(true, "running", "maintenance", json!([]), None);
        check(true, "backoff", "maintenance", json!(null), None);
    }

    #[test]
    fn what_comes_back_is_waited_for_until_its_check_has_said_something() {
        check(false, "running", "starting", json!(null), Some("web.1: its check to pass"));
        check(false, "running", "passing", json!(null), None);
        check(false, "running", "critical", json!(null), None);
        check(false, "backoff", "starting", json!(null), None);
    }
}
