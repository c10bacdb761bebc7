//! What holds of a service, apart from what the gateway makes of it.

use adsum_model::Service;
use adsum_model::rollout::{Rollout, Stage};

use super::super::rollout::cause;
use super::super::service::last_rollout;
use super::{Fact, Revisions, Subject};

pub(super) fn facts(subject: &Subject<'_>, revisions: &Revisions) -> Vec<Fact> {
    let revision = revisions.of_kind("service/");
    let fact = |fact, holds, detail| Fact { fact, holds, detail, revision };
    let state = subject.state;
    let Some(service) = &state.service else {
        return vec![fact("exists", false, "its record has gone; its last instances are ending".to_string())];
    };
    let replicas = service.spec.replicas;
    let (passing, live) = (state.routable().count(), state.live().count());
    let exists = format!("version {}, generation {}", service.version, service.generation);
    let mut facts = vec![
        fact("exists", true, exists),
        fact("is to stay", !service.removed, stays(service).to_string()),
        fact("is not in maintenance", service.maintenance.is_none(), maintenance(service)),
        fact("wants instances", replicas > 0, format!("{replicas} wanted")),
        fact("has instances", live > 0, format!("{live} not over")),
    ];
    if let Some(rollout) = last_rollout(subject.catalog, state) {
        let (through, detail) = (rollout.stage.is_final(), rollout_detail(rollout, subject.tick));
        let revision = revisions.of_kind("rollout/");
        facts.push(Fact { fact: "its rollout is through", holds: through, detail, revision });
    }
    facts.push(fact("is found by name", passing > 0, format!("{passing} passing of {replicas} wanted")));
    facts
}

fn stays(service: &Service) -> &'static str {
    if service.removed { "it is being removed" } else { "nobody has removed it" }
}

fn maintenance(service: &Service) -> String {
    match service.maintenance.as_deref() {
        None => "nobody has taken it out of routing".to_string(),
        Some("") => "it was taken out of routing".to_string(),
        Some(reason) => format!("it was taken out of routing: {reason}"),
    }
}

/// `rollout 3 (updated, version 1 to 2): rolling for 4.0 s, 1 failure`.
fn rollout_detail(rollout: &Rollout, tick: u64) -> String {
    let from = rollout.from.map_or_else(|| "to version".to_string(), |from| format!("version {from} to"));
    let stage = match rollout.stage {
        Stage::Rolling | Stage::Paused | Stage::Verifying => {
            let seconds = tick.saturating_sub(rollout.since) as f64 / 1e3;
            format!("{} for {seconds:.1} s", rollout.stage.as_str())
        }
        Stage::Complete | Stage::RolledBack | Stage::Superseded | Stage::Removed => {
            rollout.stage.as_str().to_string()
        }
    };
    let failures = match rollout.failures.len() {
        0 => String::new(),
        1 => ", 1 instance failed".to_string(),
        n => format!(", {n} instances failed"),
    };
    let reason = rollout.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let (number, cause, to) = (rollout.number, cause(&rollout.cause), rollout.to);
    format!("rollout {number} ({cause}, {from} {to}): {stage}{failures}{reason}")
}
