//! The JSON of an instance.

use std::time::Duration;

use adsum_model::{Instance, Phase, Service};
use adsum_rollout::node::restart_at;
use serde::Serialize;

/// How long it is until an instance in back-off is started again, by its service's policy.
pub(crate) fn restart_in(instance: &Instance, service: Option<&Service>, tick: u64) -> Option<Duration> {
    let restart = &service.filter(|_| instance.phase == Phase::Backoff)?.spec.restart;
    Some(Duration::from_millis(restart_at(instance, restart).saturating_sub(tick)))
}

/// All there is to say of it, as the service it belongs to lists it.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    id: &'a str,
    /// `web.1`.
    name: String,
    slot: u32,
    version: u32,
    node: &'a str,
    address: String,
    port: u16,
    phase: &'static str,
    health: &'static str,
    /// Whether the check has ever passed.
    proven: bool,
    /// Taken out of routing by a person, with the reason.
    maintenance: Option<&'a str>,
    pid: Option<u32>,
    restarts: u32,
    /// Of one in back-off: milliseconds until it is started again.
    restart_in: Option<u64>,
    reason: Option<&'a str>,
    /// Of one that gets nothing new: who has yet to let go of it. None of others.
    held_by: Option<Vec<String>>,
    /// Unix milliseconds, both.
    created: u64,
    changed: u64,
}

/// What a client needs to reach it.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: &'a str,
    service: &'a str,
    slot: u32,
    version: u32,
    node: &'a str,
    address: String,
    port: u16,
    health: &'static str,
    phase: &'static str,
}

impl<'a> Full<'a> {
    pub(crate) fn of(
        instance: &'a Instance,
        restart_in: Option<Duration>,
        held_by: Option<Vec<String>>,
    ) -> Full<'a> {
        Full {
            id: instance.id.as_str(),
            name: instance.title(),
            slot: instance.slot,
            version: instance.version,
            node: instance.node.as_str(),
            address: instance.endpoint.ip().to_string(),
            port: instance.endpoint.port(),
            phase: instance.phase.as_str(),
            health: instance.health.as_str(),
            proven: instance.proven,
            maintenance: instance.maintenance.as_deref(),
            pid: instance.process.as_ref().map(|process| process.pid),
            restarts: instance.restarts,
            restart_in: restart_in.map(|rest| rest.as_millis() as u64),
            reason: instance.reason.as_deref(),
            held_by,
            created: instance.created,
            changed: instance.changed,
        }
    }
}

impl<'a> Brief<'a> {
    pub(crate) fn of(instance: &'a Instance) -> Brief<'a> {
        Brief {
            id: instance.id.as_str(),
            service: instance.service.as_str(),
            slot: instance.slot,
            version: instance.version,
            node: instance.node.as_str(),
            address: instance.endpoint.ip().to_string(),
            port: instance.endpoint.port(),
            health: instance.health.as_str(),
            phase: instance.phase.as_str(),
        }
    }
}
