//! The view that follows the commits, and who waits for it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use adsum_catalog::records;
use adsum_keyspace::{Database, Space, Value};
use adsum_model::{InstanceId, Name, Node, Revision, Service, Spec};
use adsum_store::Ended;

use crate::kit::{end, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_holds_what_was_committed_before_it_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let name: Name = "n1".parse().unwrap();
    let node = Node::new(name.clone(), [127, 0, 0, 1].into());
    assert!(store.directory().view().node(&name).is_none());
    store.transact(|tx| records::put_node(tx, &node));
    assert!(store.catalog().await.unwrap().node(&name).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_addresses_were_asked_for_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (web, api): (Name, Name) = ("web".parse().unwrap(), "api".parse().unwrap());
    store.directory().asked(&web);
    assert!(store.directory().was_asked(&web) && !store.directory().was_asked(&api));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_service_is_woken_by_that_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let put = async |name: &str, generation: u64| {
        let mut service = Service::new(Spec::new(name.parse().unwrap(), vec!["true".into()]), 1, 0);
        service.generation = generation;
        store.commit(move |tx| records::put_service(tx, &service)).await.unwrap();
        store.catalog().await.unwrap()
    };
    let seen = put("web", 1).await.index_of("web");
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut waiting = pin!(store.directory().changed_of("web", seen));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    put("api", 1).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    put("web", 2).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(waiting.await.unwrap().index_of("web") > seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_service_of_a_store_that_ends_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let directory = store.directory().clone();
    let waiting = tokio::spawn(async move { directory.changed_of("web", Revision(u64::MAX)).await.is_err() });
    end(store).await;
    assert!(waiting.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_has_fallen_behind_the_history_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let name: Name = "n1".parse().unwrap();
    let node = Node::new(name.clone(), [127, 0, 0, 1].into());
    let (_, revision) = store.transact(|tx| {
        for n in 0..12 {
            let value = Value::String(vec![b'x'; 1024 * 1024].into());
            tx.put(Database::System, format!("request/{n}"), value, None, &[]);
        }
        records::put_node(tx, &node);
    });
    store.durable(revision).await.unwrap();
    let lost = store.watch(Space::System, Revision::ZERO).next().await;
    assert!(matches!(lost, Err(Ended::Compacted(_))), "the history was to overflow");
    assert!(store.catalog().await.unwrap().node(&name).is_some());
    store.commit(|tx| records::delete_instance(tx, &InstanceId::from_seed(1))).await.unwrap();
    assert!(store.catalog().await.unwrap().node(&name).is_some());
}
