//! What older agents have left behind.

use std::time::Duration;

use adsum_catalog::register::{self, Others};
use adsum_keyspace::{Database, Notice, Transaction};
use adsum_model::Revision;
use adsum_model::registered::{self, Check, Definition, Kind};
use adsum_store::{Store, restore_snapshot};

use crate::kit::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checks_of_a_service_of_an_older_agent_go_with_it_however_its_data_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register_as_of_old(&store).await;
    let snapshot = dir.path().join("old.snapshot");
    store.save_snapshot(snapshot.clone()).await.unwrap();
    let deregister = |tx: &mut Transaction<'_>| {
        register::deregister_service(tx, "n1", "web");
    };
    // The control: what is not noted is not found.
    assert_eq!(left_by(&store, deregister).await, ["a", "b"]);
    for id in ["a", "b"] {
        store.commit(|tx| register::deregister_check(tx, "n1", id)).await.unwrap();
    }

    register_as_of_old(&store).await;
    store.release().await.unwrap();
    let taken_over = open(dir.path());
    assert_eq!(left_by(&taken_over, deregister).await, [""; 0]);
    taken_over
        .commit(|tx| register::register_service(tx, &web(), vec![], Others::Stay))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(checks_left(&taken_over).await, [""; 0]);

    let others = |tx: &mut Transaction<'_>| {
        register::register_service(tx, &web(), vec![ttl_check("b")], Others::Go).unwrap();
    };
    let dir = tempfile::tempdir().unwrap();
    restore_snapshot(&snapshot, dir.path(), Revision(0)).unwrap();
    assert_eq!(left_by(&open(dir.path()), others).await, ["b"]);
}

/// A service with two checks, as an agent has left them that did not note whose they are.
async fn register_as_of_old(store: &Store) {
    let checks = vec![ttl_check("a"), ttl_check("b")];
    let register = |tx: &mut Transaction<'_>| {
        register::register_service(tx, &web(), checks, Others::Stay).unwrap();
        for id in ["a", "b"] {
            let key = format!("check-of/n1/web/{id}");
            assert!(tx.delete(Database::System, key.as_bytes(), Notice::Del));
        }
    };
    store.commit(register).await.unwrap();
}

fn web() -> registered::Service {
    let (node, id, service) = ("n1".into(), "web".into(), "web".into());
    registered::Service { node, id, service, ..registered::Service::default() }
}

fn ttl_check(id: &str) -> Check {
    let definition = Definition { kind: Kind::Ttl(Duration::from_secs(3600)), ..Definition::default() };
    Check { node: "n1".into(), id: id.into(), service: "web".into(), definition, ..Check::default() }
}

/// Which checks an end of the service leaves behind.
async fn left_by(store: &Store, end: impl FnOnce(&mut Transaction<'_>)) -> Vec<String> {
    assert_eq!(checks_left(store).await, ["a", "b"]);
    store.commit(end).await.unwrap();
    checks_left(store).await
}

async fn checks_left(store: &Store) -> Vec<String> {
    store.catalog().await.unwrap().registry().checks().map(|check| check.id.clone()).collect()
}
