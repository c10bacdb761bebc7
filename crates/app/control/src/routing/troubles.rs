//! What is wrong with routes, ports and pools: told to the event log once, when it begins. Of an instance that the gateway
//! had ejected it is told, too, that it is back.

use std::collections::BTreeSet;

use adsum_catalog::records;
use adsum_model::{Event, InstanceId, Name};
use adsum_routing::{Problem, Table};
use adsum_store::Store;

use super::{Ejection, Port};

/// Those that were told and are still there.
#[derive(Default)]
pub(super) struct Troubles {
    told: BTreeSet<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    kind: &'static str,
    service: Option<Name>,
    instance: Option<InstanceId>,
    message: String,
}

const EJECTED: &str = "instance-ejected";

impl Troubles {
    /// Tells of those that have not been told.
    pub(super) fn log(&mut self, store: &Store, table: &Table, ports: &[Port], ejected: &[Ejection]) {
        let now = all(table, ports, ejected);
        let mut new: Vec<Trouble> = now.difference(&self.told).cloned().collect();
        new.extend(self.told.difference(&now).filter(|over| over.is_back(table)).map(Trouble::over));
        self.told = now;
        if new.is_empty() {
            return;
        }
        // Not waited for: an event that is lost with the store is no loss.
        store.transact(|tx| {
            for Trouble { kind, service, instance, message } in new {
                let time = tx.now().wall;
                records::log(tx, &Event { time, kind: kind.to_string(), service, instance, message });
            }
        });
    }
}

impl Trouble {
    fn of(kind: &'static str, service: Option<Name>, message: String) -> Trouble {
        Trouble { kind, service, instance: None, message }
    }

    /// Of an ejection that has ended: whether the instance is there still. One that has gone or drains is not back.
    fn is_back(&self, table: &Table) -> bool {
        let pool = self.service.as_ref().and_then(|service| table.pools.get(service));
        let mut routable = pool.into_iter().flat_map(|pool| pool.routable());
        self.kind == EJECTED && routable.any(|member| Some(&member.instance) == self.instance.as_ref())
    }

    /// That an ejection has ended.
    fn over(&self) -> Trouble {
        let message = "the gateway sends it requests again".to_string();
        Trouble { kind: "instance-readmitted", message, ..self.clone() }
    }
}

fn all(table: &Table, ports: &[Port], ejected: &[Ejection]) -> BTreeSet<Trouble> {
    let problems = table
        .problems
        .iter()
        .map(|problem| Trouble::of(kind(problem), subject(problem), problem.to_string()));
    let closed = ports.iter().filter_map(|port| {
        let error = port.error.as_ref()?;
        let service = table.publisher(port.port)?.clone();
        let message = format!("port {} of {service} cannot be opened: {error}", port.port);
        Some(Trouble::of("port-taken", Some(service), message))
    });
    let panics = table.pools.values().filter(|pool| pool.panic).map(|pool| {
        let service = pool.service.clone();
        let message =
            format!("too few instances of {service} pass: those that have passed before get requests too");
        Trouble::of("pool-panic", Some(service), message)
    });
    let ejections = ejected.iter().map(|ejection| Trouble {
        kind: EJECTED,
        service: Some(ejection.service.clone()),
        instance: Some(ejection.instance.clone()),
        // Without figures: what is told once must not change while it lasts.
        message: "the gateway sends it nothing for a while: it has failed several times in a row".to_string(),
    });
    problems.chain(closed).chain(panics).chain(ejections).collect()
}

fn kind(problem: &Problem) -> &'static str {
    match problem {
        Problem::Conflict { .. } => "route-conflict",
        Problem::Shadowed { .. } => "route-shadowed",
        Problem::PortTaken { .. } | Problem::PortTwice { .. } | Problem::PortOfInstance { .. } => {
            "port-taken"
        }
        Problem::WeightMissing { .. }
        | Problem::NoWeight { .. }
        | Problem::NeverMet { .. }
        | Problem::ImpossiblePath { .. }
        | Problem::TooManyAlternatives { .. }
        | Problem::RedirectWithoutPrefix { .. }
        | Problem::RedirectPattern { .. }
        | Problem::More { .. } => "route-problem",
    }
}

/// Who has to do something about it.
fn subject(problem: &Problem) -> Option<Name> {
    let of_label = |label: &str| label.split('/').next()?.parse().ok();
    match problem {
        Problem::Conflict { loser: route, .. }
        | Problem::Shadowed { route, .. }
        | Problem::WeightMissing { route, .. }
        | Problem::NoWeight { route }
        | Problem::NeverMet { route }
        | Problem::ImpossiblePath { route, .. }
        | Problem::TooManyAlternatives { route }
        | Problem::RedirectWithoutPrefix { route }
        | Problem::RedirectPattern { route, .. } => of_label(route),
        Problem::PortTaken { loser: service, .. }
        | Problem::PortTwice { service, .. }
        | Problem::PortOfInstance { service, .. } => Some(service.clone()),
        Problem::More { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use adsum_model::{Policy, Protocol, Publish, Service, Spec, Upstream};
    use adsum_routing::{Member, Pool, Standing};
    use adsum_store::{Durability, Options};

    use super::*;

    /// `shop` is the older of two services that publish the same port.
    async fn store(dir: &std::path::Path) -> Store {
        let options =
            Options { dir: dir.to_path_buf(), durability: Durability::Always, about: Default::default() };
        let store = Store::open(options).unwrap();
        for (created, name) in [(1, "shop"), (2, "web")] {
            let mut spec = Spec::new(name.parse().unwrap(), vec!["serve".into()]);
            spec.routing.publish = vec![Publish { port: 9000, target: None, protocol: Protocol::Http }];
            let service = Service::new(spec, 1, created);
            store.commit(|tx| records::put_service(tx, &service)).await.unwrap();
        }
        store
    }

    async fn events(store: &Store) -> Vec<Event> {
        let view = store.catalog().await.unwrap();
        view.events().map(|(_, event)| Event::clone(event)).collect()
    }

    #[tokio::test]
    async fn a_trouble_is_told_once_to_the_service_that_loses_by_it_and_again_when_it_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let table = Table::build(&store.catalog().await.unwrap(), None);
        let mut troubles = Troubles::default();
        troubles.log(&store, &table, &[], &[]);
        troubles.log(&store, &table, &[], &[]);
        let told = events(&store).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].kind.as_str(), told[0].service.clone()), ("port-taken", "web".parse().ok()));
        troubles.log(&store, &Table::default(), &[], &[]);
        troubles.log(&store, &table, &[], &[]);
        assert_eq!(events(&store).await.len(), 2);
    }

    /// A table with one instance of `web`.
    fn table_with(instance: &InstanceId) -> Table {
        let service: Name = "web".parse().unwrap();
        let member = Member {
            instance: instance.clone(),
            version: 1,
            endpoint: "127.0.0.1:20000".parse().unwrap(),
            upstream: Upstream::default(),
            node: "n1".parse().unwrap(),
            process: None,
            standing: Standing::Routable,
        };
        let pool = Pool {
            service: service.clone(),
            policy: Policy::default(),
            members: vec![member],
            weights: BTreeMap::new(),
            panic: false,
            replacing: false,
        };
        let mut table = Table::default();
        table.pools.insert(service, pool.into());
        table
    }

    #[tokio::test]
    async fn an_ejection_is_told_once_and_that_it_is_over_too_unless_the_instance_has_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let instance = InstanceId::from_seed(1);
        let ejection = |failures| Ejection {
            service: "web".parse().unwrap(),
            instance: instance.clone(),
            failures,
            until: Instant::now(),
            workers: 1,
        };
        let (with, without) = (table_with(&instance), Table::default());
        let mut troubles = Troubles::default();
        for ejected in [&[ejection(5)][..], &[ejection(6)], &[], &[], &[ejection(6)]] {
            troubles.log(&store, &with, &[], ejected);
        }
        troubles.log(&store, &without, &[], &[]);
        let told: Vec<_> =
            events(&store).await.into_iter().map(|event| (event.kind, event.instance)).collect();
        let expect = [EJECTED, "instance-readmitted", EJECTED];
        assert_eq!(told, expect.map(|kind| (kind.to_string(), Some(instance.clone()))));
    }

    #[tokio::test]
    async fn a_port_that_cannot_be_opened_is_told_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let table = Table::build(&store.catalog().await.unwrap(), None);
        let port = Port { port: 9000, error: Some("permission denied".into()) };
        let message = all(&table, &[port], &[]).into_iter().map(|trouble| trouble.message);
        let expect = "port 9000 of shop cannot be opened: permission denied";
        assert!(message.collect::<Vec<_>>().contains(&expect.to_string()));
        let of_nobody = Port { port: 9001, error: Some("permission denied".into()) };
        assert_eq!(all(&table, &[of_nobody], &[]).len(), 1);
    }
}
