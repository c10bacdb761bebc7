//! Sessions that end by themselves, on a real store.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use adsum_keyspace::Notice;
use adsum_model::{Berth, Health, Instance, InstanceId, Node, Phase, PreparedQuery};
use adsum_session::Beside;
use adsum_session::kv::{Locked, Put};
use adsum_session::session::ServiceCheck;
use adsum_store::{Durability, Options};
use tokio::task::JoinHandle;

use super::*;

fn open(dir: &Path) -> Store {
    let options = Options { dir: dir.into(), durability: Durability::Always, about: Default::default() };
    Store::open(options).unwrap()
}

fn start(store: &Store) -> JoinHandle<Result<Infallible, Failed>> {
    tokio::spawn(run(store.clone()))
}

fn session(name: &str, lasts: Option<Duration>) -> Session {
    Session {
        id: format!("{name:0>36}"),
        name: name.to_string(),
        node: "n1".to_string(),
        behavior: Behavior::Release,
        lock_delay: Duration::ZERO,
        ttl: String::new(),
        lasts,
        node_checks: vec!["serfHealth".to_string()],
        service_checks: Vec::new(),
        over: false,
    }
}

/// A node, and a session on it that holds `k`.
fn begin(store: &Store, session: &Session) {
    let node = Node::new("n1".parse().unwrap(), "127.0.0.1".parse().unwrap());
    store.transact(|tx| {
        records::put_node(tx, &node);
        session::create(tx, session).unwrap();
        assert_eq!(lock(tx, &session.id), Locked::Yes);
    });
}

fn lock(tx: &mut Transaction<'_>, id: &str) -> Locked {
    kv::lock(tx, &Put { key: b"k", value: b"v", flags: 0, deadline: None }, id).unwrap()
}

fn holder(store: &Store) -> Option<String> {
    store.transact(|tx| Beside::read(tx, b"k").session).0
}

/// Waits for the level: the controller acts by commits of the system space.
async fn until(store: &Store, reached: impl Fn(&Store) -> bool) {
    let mut watch = store.watch(Space::System, store.durable_revision());
    while !reached(store) {
        watch.next().await.unwrap();
    }
}

fn events(store: &Store) -> Vec<Event> {
    let keys = store.transact(|tx| tx.keys(Database::System).clone()).0;
    let events = keys.iter_from(&b"event/"[..]).take_while(|(key, _)| key.starts_with(b"event/"));
    events.map(|(_, entry)| records::decode(entry)).collect()
}

#[tokio::test]
async fn a_session_that_is_not_renewed_lets_go_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    begin(&store, &session("a", Some(Duration::from_millis(5))));
    until(&store, |store| holder(store).is_none()).await;
    let events = events(&store);
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "session-ended"));
    let expect =
        format!("session 'a' ({:0>36}) of node n1 is over, its time has run out: 1 key released", "a");
    assert_eq!(events[0].message, expect);
    controller.abort();
}

#[tokio::test]
async fn what_was_over_when_the_agent_was_not_there_is_ended_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (short, long) = (session("a", Some(Duration::from_millis(1))), session("b", None));
    begin(&store, &short);
    store.transact(|tx| session::create(tx, &long).unwrap());
    // Nobody ends it here: that is the control.
    until(&store, |store| store.transact(|tx| session::valid(tx, &short.id).is_none()).0).await;
    assert_eq!(holder(&store), Some(short.id.clone()));
    assert_eq!(store.transact(|tx| lock(tx, &long.id)).0, Locked::Held);
    store.end().await.unwrap();
    store.release().await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(holder(&store), Some(short.id));
    let controller = start(&store);
    until(&store, |store| holder(store).is_none()).await;
    assert_eq!(store.transact(|tx| lock(tx, &long.id)).0, Locked::Yes);
    controller.abort();
}

pub(crate) fn instance(health: Health) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(1),
        node: "n1".parse().unwrap(),
        endpoint: SocketAddr::from(([127, 0, 0, 1], 20_001)),
    };
    Instance {
        phase: Phase::Running,
        health,
        proven: true,
        ..Instance::planned("web".parse().unwrap(), berth)
    }
}

#[tokio::test]
async fn a_session_ends_with_the_check_that_it_lives_with() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.transact(|tx| records::put_instance(tx, &mut instance(Health::Passing)));
    let mut bound = session("a", None);
    let id = format!("service:{}", InstanceId::from_seed(1));
    bound.service_checks = vec![ServiceCheck { id: id.clone(), namespace: String::new() }];
    begin(&store, &bound);
    let controller = start(&store);
    let watched = session("b", Some(Duration::from_millis(1)));
    store.transact(|tx| session::create(tx, &watched).unwrap());
    // The controller has been at work, and the bound one still holds its key.
    let is_gone = |store: &Store| {
        !session::all(&store.transact(|tx| tx.keys(Database::System).clone()).0)
            .any(|(listed, _)| listed.session.id == watched.id)
    };
    until(&store, is_gone).await;
    assert_eq!(holder(&store), Some(bound.id.clone()));
    store.transact(|tx| records::put_instance(tx, &mut instance(Health::Critical)));
    until(&store, |store| holder(store).is_none()).await;
    assert!(events(&store)[0].message.contains(&format!("Check '{id}' is in critical state")));
    controller.abort();
}

#[tokio::test]
async fn a_prepared_query_goes_with_its_session() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let bound = session("a", None);
    begin(&store, &bound);
    let query = |id: &str, session: &str| {
        let (id, session) = (id.to_string(), session.to_string());
        store.transact(|tx| {
            records::put_query(tx, &PreparedQuery { id, session, ..PreparedQuery::default() });
        });
    };
    query("bound", &bound.id);
    query("free", "");
    store.transact(|tx| end::end(tx, &bound.id));
    let is_there = |store: &Store, id: &str| {
        let key = format!("query/{id}");
        store.transact(|tx| tx.get(Database::System, key.as_bytes()).is_some()).0
    };
    until(&store, |store| !is_there(store, "bound")).await;
    assert!(is_there(&store, "free"));
    controller.abort();
}

#[tokio::test]
async fn what_is_left_over_of_deleted_keys_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let flagged = |number: usize| format!("k{number:05}");
    store.transact(|tx| {
        for number in 0..SWEPT_FROM {
            let key = flagged(number);
            kv::set(tx, &Put { key: key.as_bytes(), value: b"v", flags: 1, deadline: None });
        }
    });
    store.transact(|tx| {
        for number in 1..SWEPT_FROM {
            tx.delete(kv::DATABASE, flagged(number).as_bytes(), Notice::Del);
        }
    });
    let one_more = Put { key: b"more", value: b"v", flags: 1, deadline: None };
    store.transact(|tx| kv::set(tx, &one_more));
    let count = |store: &Store| sweep::count(&store.transact(|tx| tx.keys(Database::System).clone()).0);
    until(&store, |store| count(store) == 2).await;
    controller.abort();
}

#[test]
fn sessions_are_looked_at_when_what_they_live_with_has_changed() {
    for key in ["node/n1", "external/n2", "instance/1", "check/n1/web"] {
        assert!(is_looked_at(key.as_bytes()), "{key}");
    }
    for key in ["event/1", "beat/n1/web", "lock-delay/k", "session-lock/ID/k", "registered/n1/web", "query/1"]
    {
        assert!(!is_looked_at(key.as_bytes()), "{key}");
    }
}
