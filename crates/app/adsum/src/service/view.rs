//! Services and instances as the agent shows them: what our tables and our waiting need of them.

use adsum_model::{Health, Phase};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::rollout::Rollout;
use crate::moment;

/// A line of the list of services.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) replicas: u32,
    pub(super) passing: u32,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) check: Value,
    #[serde(default)]
    pub(super) ports: Vec<String>,
    #[serde(default)]
    pub(super) removed: bool,
    #[serde(default = "yes")]
    pub(super) converged: bool,
}

/// One service with its instances.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Service {
    pub(super) name: String,
    pub(super) version: u32,
    /// None when the record has gone before the last instance.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) removed: bool,
    #[serde(default)]
    pub(super) instances: Vec<Instance>,
    #[serde(default)]
    pub(super) converged: bool,
    #[serde(default)]
    pub(super) waiting_on: Vec<String>,
    /// The same for programs.
    #[serde(default)]
    pub(super) waiting: Vec<Waiting>,
    /// The one that is under way, or the last one.
    pub(super) rollout: Option<Rollout>,
    /// Taken out of routing by a person, with the reason.
    pub(super) maintenance: Option<String>,
    #[serde(default)]
    pub(super) index: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Waiting {
    pub(super) kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default = "one")]
    pub(super) replicas: u32,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) check: Value,
    #[serde(default)]
    pub(super) exclusive: bool,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(flatten)]
    pub(super) rest: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) slot: u32,
    pub(super) version: u32,
    pub(super) node: String,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) phase: Phase,
    pub(super) health: Health,
    #[serde(default)]
    pub(super) restarts: u32,
    /// Milliseconds, of one in back-off.
    pub(super) restart_in: Option<u64>,
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) created: u64,
    #[serde(default)]
    pub(super) changed: u64,
}

impl Service {
    /// Instances of the version that is wanted which get traffic.
    pub(super) fn proven(&self) -> usize {
        let current = self.instances.iter().filter(|instance| instance.version == self.version);
        current.filter(|instance| instance.is_routable()).count()
    }

    /// `2 of 3 instances pass, 1 in maintenance`.
    pub(super) fn counts(&self) -> String {
        let passing = format!("{} of {} instances pass", self.proven(), self.spec.replicas);
        let out = self.instances.iter().filter(|instance| instance.is_in_maintenance());
        match out.count() {
            0 => passing,
            out => format!("{passing}, {out} in maintenance"),
        }
    }

    /// The instance of a slot that matters most: of the wanted version before others, of those the newest.
    pub(super) fn of_slot(&self, slot: u32) -> Option<&Instance> {
        let instances = self.instances.iter().filter(|instance| instance.slot == slot);
        instances.max_by_key(|instance| (instance.version == self.version, instance.created))
    }
}

impl Instance {
    pub(super) fn is_routable(&self) -> bool {
        self.phase == Phase::Running && self.health == Health::Passing
    }

    fn is_in_maintenance(&self) -> bool {
        !self.phase.is_final() && self.health == Health::Maintenance
    }

    pub(super) fn endpoint(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }

    /// `backoff 3 seconds ago, next start in 1.6 s`.
    pub(super) fn state(&self, now: u64) -> String {
        let state = format!("{} {}", self.phase.as_str(), moment::ago(now, self.changed));
        match self.restart_in {
            Some(rest) => format!("{state}, next start in {:.1} s", rest as f64 / 1e3),
            None => state,
        }
    }

    /// Health says something only while the process runs.
    pub(super) fn health(&self) -> &'static str {
        if self.phase == Phase::Running { self.health.as_str() } else { "-" }
    }
}

/// `http /healthz`, `tcp`: a check given as its kind, or as an object with the kind and more.
pub(super) fn check(check: &Value) -> String {
    let text = |name: &str| check.get(name).and_then(Value::as_str);
    match (check.as_str().or(text("kind")), text("path")) {
        (Some(kind), Some(path)) => format!("{kind} {path}"),
        (Some(kind), None) => kind.to_string(),
        (None, _) => "-".to_string(),
    }
}

fn or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spec, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// An instance of slot, version, phase and health; its creation is its version.
    pub(in crate::service) fn instance(slot: u32, version: u32, phase: &str, health: &str) -> Value {
        json!({
            "id": format!("id-{slot}-{version}"), "name": format!("web.{slot}"), "slot": slot, "version": version, "node": "one",
            "address": "127.0.0.1", "port": 20000 + slot, "phase": phase, "health": health, "pid": 7, "restarts": 0,
            "reason": null, "created": version, "changed": 0,
        })
    }

    /// The service `web`, version 2, with three replicas.
    pub(in crate::service) fn service(instances: Vec<Value>) -> Service {
        let json = json!({
            "name": "web", "version": 2, "spec": {"command": ["web"], "replicas": 3}, "instances": instances,
            "converged": false, "waiting_on": [], "index": 5,
        });
        Service::deserialize(&json).unwrap()
    }

    #[test]
    fn only_what_passes_in_the_wanted_version_is_proven() {
        let service = service(vec![
            instance(1, 2, "running", "passing"),
            instance(1, 1, "running", "draining"),
            instance(2, 1, "running", "passing"),
            instance(3, 2, "running", "starting"),
        ]);
        assert_eq!(service.proven(), 1);
        assert_eq!(service.of_slot(1).unwrap().version, 2);
        assert_eq!(service.of_slot(2).unwrap().version, 1);
        assert!(service.of_slot(4).is_none());
    }

    #[test]
    fn who_is_in_maintenance_is_told_and_not_counted_as_passing() {
        let mut service =
            service(vec![instance(1, 2, "running", "passing"), instance(2, 2, "running", "maintenance")]);
        assert_eq!(service.counts(), "1 of 3 instances pass, 1 in maintenance");
        service.instances.pop();
        assert_eq!(service.counts(), "1 of 3 instances pass");
    }

    #[test]
    fn one_in_back_off_says_when_it_is_started_again() {
        let mut json = instance(1, 2, "backoff", "critical");
        json["restart_in"] = json!(1_600);
        let instance = Instance::deserialize(&json).unwrap();
        assert_eq!(instance.state(3_000), "backoff 3 seconds ago, next start in 1.6 s");
        let running = Instance::deserialize(&super::tests::instance(1, 2, "running", "passing")).unwrap();
        assert_eq!(running.state(3_000), "running 3 seconds ago");
    }

    #[test]
    fn a_service_may_have_gone_before_its_instances() {
        let json = json!({"name": "web", "version": 0, "spec": null, "instances": [instance(1, 2, "stopping", "draining")]});
        let service = Service::deserialize(&json).unwrap();
        assert_eq!((service.spec.replicas, service.instances.len()), (0, 1));
    }

    #[test]
    fn a_check_is_shown_with_its_path() {
        assert_eq!(check(&json!({"kind": "http", "path": "/healthz"})), "http /healthz");
        assert_eq!(check(&json!("tcp")), "tcp");
        assert_eq!(check(&Value::Null), "-");
    }
}
