//! The instances of one service that a request may go to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{
    Health, Instance, InstanceId, Name, Order, Phase, Policy, Process, Service, Update, Upstream,
};
use serde::{Deserialize, Serialize};

use crate::table::drawn;

/// The instances of one service that a request may go to, and how they are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub service: Name,
    /// All of it but what the instances speak: each member says so itself.
    pub policy: Policy,
    /// In the order of their ids.
    pub members: Vec<Member>,
    /// The shares of the versions that have routable members, relative to their sum; without any, each member has the
    /// same share. A version that has no share while others do has no routable members either.
    pub weights: BTreeMap<u32, u32>,
    /// Too few pass, so that members stand for those that once did.
    pub panic: bool,
    /// The service's only instance is being replaced: a request waits for the next one instead of being refused.
    pub replacing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub instance: InstanceId,
    pub version: u32,
    pub endpoint: SocketAddr,
    /// As its version has it.
    pub upstream: Upstream,
    pub node: Name,
    /// By which it is told whether the one that has its address now is still the instance.
    pub process: Option<Process>,
    pub standing: Standing,
}

/// What a member gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// New requests.
    Routable,
    /// No new request; what it has in flight may go on for this long from the moment this table is first seen.
    Draining(Duration),
}

impl Pool {
    /// Made from what is on record of the service. A service whose record has gone keeps what its instances have in
    /// flight; nothing is known any more of how they are to be treated.
    pub(crate) fn of(catalog: &Catalog, name: &Name, state: &ServiceState) -> Pool {
        let service = state.service.as_ref();
        let shares = service.map(|service| service.weights.clone()).unwrap_or_default();
        let policy = service.map(|service| service.spec.routing.policy.clone()).unwrap_or_default();
        let has_share = |instance: &&Instance| {
            shares.is_empty() || shares.get(&instance.version).is_some_and(|share| *share > 0)
        };
        let instances = || state.instances.iter().map(|instance| &**instance);
        let passing: Vec<&Instance> = instances().filter(|i| i.is_routable()).filter(has_share).collect();
        let fallen: Vec<&Instance> = instances().filter(has_fallen).filter(has_share).collect();
        let panic = panics(passing.len(), fallen.len(), policy.panic_threshold);
        let routable = passing.into_iter().chain(fallen.into_iter().filter(|_| panic));
        let upstream = |instance: &Instance| {
            let version = catalog.version(name, instance.version);
            version.map_or_else(|| policy.upstream.clone(), |version| version.upstream.clone())
        };
        let member = |instance: &Instance, standing| Member::of(instance, upstream(instance), standing);
        let mut members: Vec<Member> = routable.map(|i| member(i, Standing::Routable)).collect();
        let weights = shares
            .into_iter()
            .filter(|(version, share)| *share > 0 && members.iter().any(|m| m.version == *version))
            .collect();
        let replacing = members.is_empty() && service.is_some_and(|service| is_replaced(service, state));
        let drain =
            service.map_or(Update::default().drain_timeout, |service| service.spec.update.drain_timeout);
        members.extend(instances().filter(is_draining).map(|i| member(i, Standing::Draining(drain))));
        members.sort_by(|one, other| one.instance.cmp(&other.instance));
        Pool { service: name.clone(), policy, members, weights, panic, replacing }
    }

    /// The same without some of its members.
    pub(crate) fn without(&self, gone: impl Fn(&Member) -> bool) -> Pool {
        let mut pool = self.clone();
        pool.members.retain(|member| !gone(member));
        let has_routable = |version: u32| pool.routable().any(|member| member.version == version);
        pool.weights =
            self.weights.clone().into_iter().filter(|(version, _)| has_routable(*version)).collect();
        pool
    }

    /// Those that get new requests.
    pub fn routable(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.standing == Standing::Routable)
    }

    /// Whether a request would get an answer, be it after a moment.
    pub(crate) fn answers(&self) -> bool {
        self.replacing || self.routable().next().is_some()
    }

    /// A member by chance, each version by its share.
    pub(crate) fn drawn(&self, lot: u64) -> Option<&Member> {
        let shares = self.weights.iter().map(|(version, share)| (*version, u64::from(*share)));
        let version = drawn(shares, lot);
        let eligible =
            || self.routable().filter(|member| version.is_none_or(|version| member.version == version));
        let count = eligible().count() as u64;
        eligible().nth(lot.rotate_left(32).checked_rem(count)? as usize)
    }
}

impl Member {
    fn of(instance: &Instance, upstream: Upstream, standing: Standing) -> Member {
        let Instance { id, version, endpoint, node, process, .. } = instance.clone();
        Member { instance: id, version, endpoint, upstream, node, process, standing }
    }
}

/// Whether the instance has passed since its process was started, still runs, and does not pass now.
fn has_fallen(instance: &&Instance) -> bool {
    let fallen = matches!(instance.health, Health::Warning | Health::Critical);
    instance.phase == Phase::Running && instance.proven && fallen
}

/// On its way out, or out of use by a person: it finishes what it has.
fn is_draining(instance: &&Instance) -> bool {
    let gets_nothing = matches!(instance.health, Health::Draining | Health::Maintenance);
    instance.phase == Phase::Running && gets_nothing
}

/// Whether so few pass, of those that pass or have fallen, that the fallen ones get requests too.
fn panics(passing: usize, fallen: usize, threshold: u8) -> bool {
    let below = passing * 100 < usize::from(threshold) * (passing + fallen);
    fallen > 0 && (passing == 0 || below)
}

/// Whether the service may have no routable instance only because others take the place of its last ones.
fn is_replaced(service: &Service, state: &ServiceState) -> bool {
    let spec = &service.spec;
    let stop_first = spec.exclusive || spec.update.order == Order::StopFirst;
    stop_first && !service.removed && spec.replicas > 0 && is_coming(service, state)
}

/// Whether an instance is on its way in or out, or the next step is to create one: between two commits nobody may be
/// there at all.
fn is_coming(service: &Service, state: &ServiceState) -> bool {
    let mut live = state.live().peekable();
    if live.peek().is_some() {
        return live.any(|instance| match instance.phase {
            Phase::Planned | Phase::Backoff | Phase::Stopping => true,
            Phase::Running => matches!(instance.health, Health::Starting | Health::Draining),
            Phase::Stopped | Phase::Complete | Phase::Failed => false,
        });
    }
    let ended_by_itself =
        |instance: &Instance| instance.phase != Phase::Stopped && instance.version == service.version;
    !state.instances.iter().any(|instance| ended_by_itself(instance))
}
