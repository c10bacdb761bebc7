//! What the gateway makes of a service and of its instances.

use std::time::Instant;

use adsum_catalog::Catalog;
use adsum_control::{Current, Ejection, Port, Routing};
use adsum_model::{Instance, Name};
use adsum_routing::{Member, Pool, Standing, Table};

use super::super::hold::Holds;
use super::Fact;

/// The gateway as of one moment, so that all facts are of the same.
pub(super) struct Seen {
    current: Current,
    ports: Vec<Port>,
    ejected: Vec<Ejection>,
    holds: Holds,
}

impl Seen {
    pub(super) fn of(routing: &Routing, catalog: &Catalog) -> Seen {
        Seen {
            current: routing.current(),
            ports: routing.ports(),
            ejected: routing.ejected(),
            holds: Holds::of(routing, catalog),
        }
    }

    fn table(&self) -> &Table {
        &self.current.table
    }

    fn fact(&self, fact: &'static str, holds: bool, detail: String) -> Fact {
        let revision = Some(self.table().revision.0).filter(|revision| *revision > 0);
        Fact { fact, holds, detail, revision }
    }

    /// Nothing for a service that has no routes and publishes no port: it wants nothing of the gateway.
    pub(super) fn service_facts(&self, name: &Name) -> Vec<Fact> {
        let table = self.table();
        let routes: Vec<String> = table
            .routes()
            .filter(|route| route.service == *name)
            .map(|route| format!("{} for {}", route.label, route.rule))
            .collect();
        let ports: Vec<u16> =
            table.ports().map(|(port, _)| port).filter(|port| table.publisher(*port) == Some(name)).collect();
        let problems: Vec<String> =
            table.problems.iter().filter(|problem| problem.concerns(name)).map(ToString::to_string).collect();
        let mut facts = Vec::new();
        if !routes.is_empty() {
            facts.push(self.fact("has routes", true, routes.join("; ")));
        }
        if !ports.is_empty() {
            facts.push(self.ports_fact(&ports));
        }
        if !problems.is_empty() {
            facts.push(self.fact("its routes and ports are its own", false, problems.join("; ")));
        }
        let pool = table.pools.get(name).filter(|_| !facts.is_empty());
        facts.extend(pool.into_iter().flat_map(|pool| self.pool_facts(pool)));
        facts
    }

    fn ports_fact(&self, ports: &[u16]) -> Fact {
        let outcome = |port: &u16| self.ports.iter().find(|outcome| outcome.port == *port);
        let describe = |port: &u16| match outcome(port) {
            Some(Port { error: None, .. }) => format!("{port} is open"),
            Some(Port { error: Some(error), .. }) => format!("{port} cannot be opened: {error}"),
            None => format!("{port} is yet to be opened"),
        };
        let open = ports.iter().all(|port| outcome(port).is_some_and(|outcome| outcome.error.is_none()));
        self.fact("its published ports are open", open, list(ports.iter().map(describe)))
    }

    fn pool_facts(&self, pool: &Pool) -> Vec<Fact> {
        let mut facts = Vec::new();
        if pool.panic {
            let detail = "those that have passed before get requests too, until more pass".to_string();
            facts.push(self.fact("enough instances pass", false, detail));
        }
        if pool.replacing {
            let detail = "its instance is being replaced: requests wait for the next one".to_string();
            facts.push(self.fact("has an instance for requests", false, detail));
        }
        facts
    }

    /// Whether requests go to an instance, and what each gateway has of it.
    pub(super) fn instance_facts(&self, instance: &Instance) -> Vec<Fact> {
        if instance.phase.is_final() {
            return Vec::new();
        }
        let pool = self.table().pools.get(&instance.service);
        let member = self.member(instance);
        let panic = pool.is_some_and(|pool| pool.panic);
        let (routed, detail) = match member.map(|member| member.standing) {
            Some(Standing::Routable) if panic => (true, "too few pass: it stands in for them".to_string()),
            Some(Standing::Routable) => (true, format!("it gets new requests{}", self.share(instance))),
            Some(Standing::Draining(_)) => {
                (false, "it drains: it may finish what it has, and gets nothing new".to_string())
            }
            None => (false, "it is not in the table: only one that runs and passes is".to_string()),
        };
        let mut facts = vec![self.fact("is routed by the gateway", routed, detail)];
        if let Some(detail) = self.ejected(instance) {
            facts.push(self.fact("the gateway finds no fault with it", false, format!("it was {detail}")));
        }
        if member.is_some() {
            facts.push(self.known_everywhere());
        }
        if let Some(holding) = self.holds.on(instance) {
            facts.push(self.let_go(&holding));
        }
        facts
    }

    /// `taken out by the gateway after 5 technical failures in a row, for 8 s more`, when it is.
    pub(super) fn ejected(&self, instance: &Instance) -> Option<String> {
        let ejection = self.ejected.iter().find(|ejection| ejection.instance == instance.id)?;
        let seconds = ejection.rest(Instant::now()).as_secs_f64().ceil();
        let failures = ejection.failures;
        Some(format!(
            "taken out by the gateway after {failures} technical failures in a row, for {seconds} s more"
        ))
    }

    fn member(&self, instance: &Instance) -> Option<&Member> {
        let pool = self.table().pools.get(&instance.service)?;
        pool.members.iter().find(|member| member.instance == instance.id)
    }

    /// Its part among those that get new requests: `, one of 3`.
    fn share(&self, instance: &Instance) -> String {
        let Some(pool) = self.table().pools.get(&instance.service) else { return String::new() };
        let of_version = |version| pool.routable().filter(move |member| member.version == version).count();
        match pool.weights.get(&instance.version) {
            None => format!(", one of {}", pool.routable().count()),
            Some(weight) => {
                let whole: u32 = pool.weights.values().sum();
                let percent = f64::from(*weight) * 100.0 / f64::from(whole.max(1));
                let version = instance.version;
                format!(", one of {} of version {version}, which has {percent:.2} %", of_version(version))
            }
        }
    }

    /// Whether any route or port of the gateway leads to a service.
    pub(super) fn is_led_to(&self, name: &Name) -> bool {
        let table = self.table();
        table.routes().any(|route| route.service == *name)
            || table.ports().any(|(port, _)| table.publisher(port) == Some(name))
    }

    /// Whether an instance gets requests although it does not pass.
    pub(super) fn stands_in(&self, instance: &Instance) -> bool {
        !instance.is_routable()
            && self.member(instance).is_some_and(|member| member.standing == Standing::Routable)
    }

    /// Who has yet to let go of an instance.
    pub(super) fn holding(&self, instance: &Instance) -> Vec<String> {
        self.holds.holding(instance)
    }

    fn known_everywhere(&self) -> Fact {
        let wanted = self.table().revision;
        let all = self.holds.gateways().all(|member| member.applied >= wanted);
        let detail =
            list(self.holds.gateways().map(|member| format!("{} has applied {}", member.id, member.applied)));
        self.fact("every gateway knows", all, detail)
    }

    fn let_go(&self, holding: &[String]) -> Fact {
        let detail = if holding.is_empty() { "no gateway has any".to_string() } else { holding.join("; ") };
        self.fact("nothing is in flight", holding.is_empty(), detail)
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Instant;

    use adsum_catalog::records;
    use adsum_control::Acknowledged;
    use adsum_keyspace::{Database, Keyspace, Now};
    use adsum_model::{Berth, Health, InstanceId, Phase, Revision};
    use adsum_routing::{Face, InFlight, MemberId};

    use super::*;

    fn draining() -> Instance {
        let berth = Berth {
            id: InstanceId::from_seed(1),
            node: "n1".parse().unwrap(),
            endpoint: "127.0.0.1:20000".parse().unwrap(),
        };
        Instance {
            phase: Phase::Running,
            health: Health::Draining,
            proven: true,
            ..Instance::planned("web".parse().unwrap(), berth)
        }
    }

    /// One worker that has applied this revision, and has so many requests on the draining instance.
    fn seen(applied: u64, requests: u64) -> Seen {
        let mut keyspace = Keyspace::default();
        for _ in 0..3 {
            keyspace.transact(Now::default(), |tx| records::put_instance(tx, &mut draining())).unwrap();
        }
        let catalog = Catalog::load(keyspace.keys(Database::System), keyspace.revision());
        let table = Arc::new(Table::build(&catalog, None));
        let id = MemberId { node: "n1".parse().unwrap(), face: Face::Gateway, worker: 0 };
        let count = InFlight { requests, upgrades: 0 };
        let in_flight = (requests > 0).then(|| (draining().id, count)).into_iter().collect();
        let member = Acknowledged { id, applied: Revision(applied), in_flight, live: true };
        let current = Current { table, fresh: true, since: Instant::now() };
        let holds = Holds::new(vec![member], catalog);
        Seen { current, ports: Vec::new(), ejected: Vec::new(), holds }
    }

    #[test]
    fn an_instance_that_is_out_is_told_with_its_failures_and_the_rest_of_its_time() {
        let ejection = Ejection {
            service: draining().service,
            instance: draining().id,
            failures: 5,
            until: Instant::now() + std::time::Duration::from_secs(1000),
            workers: 1,
        };
        let mut seen = seen(3, 0);
        assert_eq!(seen.ejected(&draining()), None);
        seen.ejected.push(ejection);
        let expect = "taken out by the gateway after 5 technical failures in a row, for ";
        let said = seen.ejected(&draining()).unwrap();
        assert!(said.starts_with(expect) && said.ends_with(" s more"), "{said}");
        let facts = seen.instance_facts(&draining());
        assert!(facts.iter().any(|fact| !fact.holds && fact.detail.starts_with("it was taken out")));
    }

    #[test]
    fn nothing_is_in_flight_once_every_gateway_knows_of_the_drain_and_has_none() {
        #[track_caller]
        fn check(applied: u64, requests: u64, expect: (bool, &str)) {
            let facts = seen(applied, requests).instance_facts(&draining());
            let facts: BTreeMap<_, _> =
                facts.iter().map(|fact| (fact.fact, (fact.holds, fact.detail.as_str()))).collect();
            assert_eq!(facts["nothing is in flight"], expect);
        }
        let gateway = "gateway on node n1 (worker 0)";
        check(2, 0, (false, &format!("{gateway} does not know yet that it gets nothing new")));
        check(3, 1, (false, &format!("{gateway} has 1 request in flight")));
        check(3, 0, (true, "no gateway has any"));
    }
}
