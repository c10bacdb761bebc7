//! What is wrong with routes, ports and pools: told to the event log once, when it begins.

use std::collections::BTreeSet;

use adsum_catalog::records;
use adsum_model::{Event, Name};
use adsum_routing::{Problem, Table};
use adsum_store::Store;

use super::Port;

/// Those that were told and are still there.
#[derive(Default)]
pub(super) struct Troubles {
    told: BTreeSet<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    kind: &'static str,
    service: Option<Name>,
    message: String,
}

impl Troubles {
    /// Tells of those that have not been told.
    pub(super) fn log(&mut self, store: &Store, table: &Table, ports: &[Port]) {
        let now = all(table, ports);
        let new: Vec<Trouble> = now.difference(&self.told).cloned().collect();
        self.told = now;
        if new.is_empty() {
            return;
        }
        // Not waited for: an event that is lost with the store is no loss.
        store.transact(|tx| {
            for Trouble { kind, service, message } in new {
                let time = tx.now().wall;
                records::log(tx, &Event { time, kind: kind.to_string(), service, instance: None, message });
            }
        });
    }
}

fn all(table: &Table, ports: &[Port]) -> BTreeSet<Trouble> {
    let problems = table.problems.iter().map(|problem| Trouble {
        kind: kind(problem),
        service: subject(problem),
        message: problem.to_string(),
    });
    let closed = ports.iter().filter_map(|port| {
        let error = port.error.as_ref()?;
        let service = table.publisher(port.port)?.clone();
        let message = format!("port {} of {service} cannot be opened: {error}", port.port);
        Some(Trouble { kind: "port-taken", service: Some(service), message })
    });
    let panics = table.pools.values().filter(|pool| pool.panic).map(|pool| Trouble {
        kind: "pool-panic",
        service: Some(pool.service.clone()),
        message: format!(
            "too few instances of {} pass: those that have passed before get requests too",
            pool.service
        ),
    });
    problems.chain(closed).chain(panics).collect()
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
    use adsum_model::{Protocol, Publish, Service, Spec};
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
        troubles.log(&store, &table, &[]);
        troubles.log(&store, &table, &[]);
        let told = events(&store).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].kind.as_str(), told[0].service.clone()), ("port-taken", "web".parse().ok()));
        troubles.log(&store, &Table::default(), &[]);
        troubles.log(&store, &table, &[]);
        assert_eq!(events(&store).await.len(), 2);
    }

    #[tokio::test]
    async fn a_port_that_cannot_be_opened_is_told_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let table = Table::build(&store.catalog().await.unwrap(), None);
        let port = Port { port: 9000, error: Some("permission denied".into()) };
        let message = all(&table, &[port]).into_iter().map(|trouble| trouble.message);
        let expect = "port 9000 of shop cannot be opened: permission denied";
        assert!(message.collect::<Vec<_>>().contains(&expect.to_string()));
        let of_nobody = Port { port: 9001, error: Some("permission denied".into()) };
        assert_eq!(all(&table, &[of_nobody]).len(), 1);
    }
}
