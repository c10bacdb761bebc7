//! Checks on a real store, with real listeners.

use std::path::Path;
use std::sync::Arc;

use adsum_catalog::register::Others;
use adsum_model::registered::{Definition, Service, Status, Tls};
use adsum_store::{Durability, Options};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

fn open(dir: &Path) -> Store {
    Store::open(Options { dir: dir.into(), durability: Durability::Always, about: Default::default() })
        .unwrap()
}

fn start(store: &Store) -> JoinHandle<Result<Infallible, Failed>> {
    tokio::spawn(run(store.clone(), "n1".parse().unwrap()))
}

fn check(id: &str, of: &str, kind: Kind) -> Check {
    let definition = Definition {
        kind,
        interval: Duration::from_millis(5),
        timeout: Duration::from_secs(20),
        ..Definition::default()
    };
    Check {
        node: "n1".into(),
        id: id.into(),
        name: id.into(),
        service: of.into(),
        definition,
        ..Check::default()
    }
}

async fn put(store: &Store, check: Check) {
    store.commit(|tx| register::register_check(tx, check)).await.unwrap().unwrap();
}

async fn put_service(store: &Store, id: &str, checks: Vec<Check>) {
    let service = Service { node: "n1".into(), id: id.into(), service: id.into(), ..Service::default() };
    store.commit(|tx| register::register_service(tx, &service, checks, Others::Stay)).await.unwrap().unwrap();
}

/// The view, once it is as wanted.
async fn until(store: &Store, wanted: impl Fn(&Catalog) -> bool) -> Arc<Catalog> {
    let waiting = async {
        let mut view = store.catalog().await.unwrap();
        while !wanted(&view) {
            view = store.directory().changed(view.revision()).await.unwrap();
        }
        view
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes in time")
}

fn is(id: &'static str, status: Status) -> impl Fn(&Catalog) -> bool {
    move |view| view.registry().check("n1", id).is_some_and(|check| check.status == status)
}

#[tokio::test]
async fn a_check_follows_what_it_looks_at_and_an_alias_follows_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    put_service(&store, "web", vec![check("port", "web", Kind::Tcp { address, tls: Tls::default() })]).await;
    put(&store, check("alias", "", Kind::Alias { node: String::new(), service: "web".into() })).await;
    until(&store, is("port", Status::Passing)).await;
    until(&store, is("alias", Status::Passing)).await;
    drop(listener);
    let view = until(&store, is("port", Status::Critical)).await;
    assert!(view.registry().check("n1", "port").unwrap().output.starts_with("TCP connect 127.0.0.1:"));
    until(&store, is("alias", Status::Critical)).await;
    controller.abort();
}

#[tokio::test]
async fn a_check_that_is_defined_anew_looks_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let tcp = |address: String| check("port", "", Kind::Tcp { address, tls: Tls::default() });
    // Port 1 of this machine: nobody listens there.
    put(&store, tcp("127.0.0.1:1".into())).await;
    until(&store, |view| view.registry().check("n1", "port").is_some_and(|check| !check.output.is_empty()))
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    put(&store, tcp(listener.local_addr().unwrap().to_string())).await;
    until(&store, is("port", Status::Passing)).await;
    controller.abort();
}

#[tokio::test]
async fn a_check_without_a_sign_of_life_is_critical_after_its_ttl() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    put(&store, check("short", "", Kind::Ttl(Duration::from_millis(20)))).await;
    put(&store, check("long", "", Kind::Ttl(Duration::from_secs(3600)))).await;
    for id in ["short", "long"] {
        store.commit(|tx| register::heard(tx, "n1", id, Status::Passing, "fine")).await.unwrap();
    }
    let view = until(&store, is("short", Status::Critical)).await;
    let output = &view.registry().check("n1", "short").unwrap().output;
    assert_eq!(output, "TTL expired (last output before timeout follows): fine");
    assert!(is("long", Status::Passing)(&view));
    controller.abort();
}

#[tokio::test]
async fn a_ttl_that_ran_out_while_nobody_looked_is_found_by_the_next_agent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, check("short", "", Kind::Ttl(Duration::from_millis(1)))).await;
    put(&store, check("long", "", Kind::Ttl(Duration::from_secs(3600)))).await;
    for id in ["short", "long"] {
        store.commit(|tx| register::heard(tx, "n1", id, Status::Passing, "")).await.unwrap();
    }
    store.release().await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(is("short", Status::Passing)(&store.directory().view()), "nobody has looked yet");
    let controller = start(&store);
    let view = until(&store, is("short", Status::Critical)).await;
    assert!(is("long", Status::Passing)(&view));
    controller.abort();
}
