//! `GET /api/services/NAME/usable`: whether it makes sense to call a service now, for load balancers, scripts and
//! services that depend on it.
//!
//! 200 when it does, 503 when not; the body says why. It goes by the records. What this node's gateway has ejected is told
//! beside that: it is never all that a service has, and so never makes it unusable.

use adsum_catalog::ServiceState;
use adsum_control::Ejection;
use adsum_model::{Health, InstanceId, Name};
use adsum_routing::Pool;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Serialize;

use super::Refusal;
use super::answer::json;
use crate::ApiState;

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Usable {
    name: Name,
    usable: bool,
    /// What speaks against it, or limits it.
    reasons: Vec<String>,
    instances: Counts,
    breaker: Breaker,
    /// Since when at least; Unix milliseconds. None when there never was an instance.
    since: Option<u64>,
    judged_by: &'static str,
}

const JUDGED_BY: &str =
    "the wish, the checks and maintenance; what this node's gateway has ejected is told and leaves it usable";

/// What the gateway of this node sends nothing for a while.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Breaker {
    ejected: usize,
    /// Of so many that are to get requests.
    of: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Counts {
    wanted: u32,
    /// Not over.
    live: usize,
    /// Found by name, getting requests.
    passing: usize,
    maintenance: usize,
    draining: usize,
}

pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(text): Path<String>,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let view = state.store.catalog().await?;
    let service = view.service(&name).ok_or_else(|| Refusal::unknown_service(&text))?;
    let current = state.routing.current();
    let pool = current.table.pools.get(&name).map(|pool| &**pool);
    let usable = Usable::of(&name, service, pool, &state.routing.ejected());
    let status = if usable.usable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(json(status, &usable))
}

impl Usable {
    fn of(name: &Name, state: &ServiceState, pool: Option<&Pool>, ejected: &[Ejection]) -> Usable {
        let instances = Counts::of(state);
        let breaker = Breaker::of(pool, ejected);
        let usable = instances.passing > 0;
        // One that has passed all the while shows for how long the service has been usable at least.
        let since = match usable {
            true => state.routable().map(|instance| instance.changed).min(),
            false => state.instances.iter().map(|instance| instance.changed).max(),
        };
        Usable {
            name: name.clone(),
            usable,
            reasons: reasons(state, &instances, &breaker, pool),
            instances,
            breaker,
            since,
            judged_by: JUDGED_BY,
        }
    }
}

impl Breaker {
    fn of(pool: Option<&Pool>, ejected: &[Ejection]) -> Breaker {
        let routable = || pool.into_iter().flat_map(Pool::routable);
        let is_out = |instance: &InstanceId| ejected.iter().any(|ejection| ejection.instance == *instance);
        let out = routable().filter(|member| is_out(&member.instance)).count();
        Breaker { ejected: out, of: routable().count() }
    }
}

impl Counts {
    fn of(state: &ServiceState) -> Counts {
        let with = |health| state.live().filter(|instance| instance.health == health).count();
        Counts {
            wanted: state.service.as_ref().map_or(0, |service| service.spec.replicas),
            live: state.live().count(),
            passing: state.routable().count(),
            maintenance: with(Health::Maintenance),
            draining: with(Health::Draining),
        }
    }
}

fn reasons(state: &ServiceState, counts: &Counts, breaker: &Breaker, pool: Option<&Pool>) -> Vec<String> {
    let mut reasons = Vec::new();
    let service = state.service.as_ref();
    if service.is_none_or(|service| service.removed) {
        reasons.push("it is being removed".to_string());
    }
    match service.and_then(|service| service.maintenance.as_deref()) {
        None => {}
        Some("") => reasons.push("it is in maintenance".to_string()),
        Some(reason) => reasons.push(format!("it is in maintenance: {reason}")),
    }
    let Counts { wanted, passing, .. } = counts;
    if *wanted == 0 {
        reasons.push("no instance is wanted".to_string());
    } else if *passing == 0 {
        reasons.push(format!("none of the {wanted} instances that are wanted passes"));
    }
    let in_the_way = state.live().filter(|instance| !instance.is_routable() && *passing == 0);
    reasons.extend(in_the_way.filter_map(|it| Some(format!("{}: {}", it.title(), it.reason.as_ref()?))));
    if pool.is_some_and(|pool| pool.panic) {
        let text = "too few instances pass: the gateway sends requests to some that do not, too";
        reasons.push(text.to_string());
    }
    if pool.is_some_and(|pool| pool.replacing) {
        reasons.push("its instance is being replaced: the gateway holds requests".to_string());
    }
    if let Breaker { ejected: out @ 1.., of } = breaker {
        reasons
            .push(format!("breaker: the gateway has taken out {out} of {of} instances for their failures"));
    }
    reasons.truncate(SHOWN);
    reasons
}

/// Of very many instances the first ones are enough.
const SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use adsum_model::{Policy, Upstream};
    use adsum_routing::{Member, Standing};

    use super::*;

    fn member(seed: u64, standing: Standing) -> Member {
        Member {
            instance: InstanceId::from_seed(seed),
            version: 1,
            endpoint: "127.0.0.1:20000".parse().unwrap(),
            upstream: Upstream::default(),
            node: "n1".parse().unwrap(),
            process: None,
            standing,
        }
    }

    fn ejection(seed: u64) -> Ejection {
        let (service, instance) = ("web".parse().unwrap(), InstanceId::from_seed(seed));
        Ejection { service, instance, failures: 5, until: Instant::now(), workers: 1 }
    }

    #[test]
    fn the_breaker_counts_those_that_are_to_get_requests_and_are_out() {
        let pool = Pool {
            service: "web".parse().unwrap(),
            policy: Policy::default(),
            members: (1..=3).map(|seed| member(seed, Standing::Routable)).collect(),
            weights: Default::default(),
            panic: false,
            replacing: false,
        };
        let of_another_service = ejection(9);
        let breaker = Breaker::of(Some(&pool), &[ejection(2), of_another_service]);
        assert_eq!(breaker, Breaker { ejected: 1, of: 3 });
        assert_eq!(Breaker::of(None, &[ejection(2)]), Breaker { ejected: 0, of: 0 });
    }
}
