//! The store on a real disk: what is acknowledged is there after a restart, what is watched has no gaps, time is kept.

// A test says what it expects by failing.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use adsum_catalog::records;
use adsum_catalog::register::{self, Others};
use adsum_keyspace::{Database, Deadline, Notice, Space, Transaction, Value};
use adsum_model::registered::{self, Check, Definition, Kind};
use adsum_model::{InstanceId, Name, Node, Revision, Service, Spec};
use adsum_resp::About;
use adsum_store::{Durability, Ended, OpenError, Options, Store, Unreadable, restore_snapshot};

const DB: Database = Database::User(0);

/// Opens the directory, once its last owner has let go of it.
fn open(dir: &Path) -> Store {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match try_open(dir, Durability::Always) {
            Err(OpenError::Journal(error))
                if Instant::now() < deadline && error.to_string().contains("in use") =>
            {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

fn try_open(dir: &Path, durability: Durability) -> Result<Store, OpenError> {
    Store::open(Options { dir: dir.to_path_buf(), durability, about: About::default() })
}

fn set(tx: &mut Transaction<'_>, key: &str, ttl: Option<u64>) {
    let deadline = ttl.map(|ttl| Deadline::after(ttl, tx.now()));
    tx.put(DB, key, Value::String("v".into()), deadline, &[Notice::Set]);
}

fn has(store: &Store, key: &str) -> bool {
    store.transact(|tx| tx.get(DB, key.as_bytes()).is_some()).0
}

fn rest(store: &Store, key: &str) -> Option<u64> {
    let rest = |tx: &mut Transaction<'_>| {
        let now = tx.now();
        tx.get(DB, key.as_bytes()).and_then(|entry| entry.deadline).map(|deadline| deadline.rest(now))
    };
    store.transact(rest).0
}

async fn end(store: Store) {
    store.close();
    store.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_restart_under_its_revision() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let cluster = store.cluster();
    for n in 0..100 {
        store.commit(|tx| set(tx, &format!("k{n}"), None)).await.unwrap();
    }
    let revision = store.durable_revision();
    end(store).await;

    let store = open(dir.path());
    assert_eq!((store.durable_revision(), store.cluster()), (revision, cluster));
    assert!((0..100).all(|n| has(&store, &format!("k{n}"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_becomes_visible_only_when_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    store.durable(revision).await.unwrap();
    assert_eq!(store.durable_revision(), revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everysec_a_write_is_visible_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    assert_eq!(store.durable_revision(), revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downtime_does_not_shorten_a_ttl() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "lease", Some(60_000))).await.unwrap();
    let begin = Instant::now();
    let before = rest(&store, "lease").unwrap();
    end(store).await;
    let (ended, begin_anew) = (begin.elapsed(), Instant::now());
    let store = open(dir.path());
    let after = rest(&store, "lease").unwrap();
    // Only the time in which there was a store counts, and on a busy machine that is more than none.
    let up = u64::try_from((ended + begin_anew.elapsed()).as_millis()).unwrap();
    assert!(after <= 60_000 && after + up + 1_000 >= before, "{before} before, {after} after, {up} up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_expires_at_its_time_though_nobody_looks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let begin = Instant::now();
    let mut watch = store.watch(Space::User, store.durable_revision());
    store.commit(|tx| set(tx, "soon", Some(80))).await.unwrap();
    let expired = loop {
        let commits = watch.next().await.unwrap();
        let changes = commits.iter().flat_map(|commit| &commit.changes);
        if changes.flat_map(|change| &change.notices).any(|notice| *notice == Notice::Expired) {
            break begin.elapsed();
        }
    };
    assert!(expired >= Duration::from_millis(80), "early: {expired:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_delivers_every_commit_after_its_revision_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "before", None)).await.unwrap();
    let from = store.durable_revision();
    let mut watch = store.watch(Space::User, from);
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            writer.transact(|tx| set(tx, &format!("k{n}"), None));
            tokio::task::yield_now().await;
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.extend(watch.next().await.unwrap().iter().map(|commit| commit.revision));
    }
    writing.await.unwrap();
    assert_eq!(seen, (1..=200).map(|n| Revision(from.0 + n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_store_still_has_its_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(|tx| set(tx, "a", None)).await.unwrap();
    store.commit(|tx| set(tx, "b", None)).await.unwrap();
    end(store).await;
    let store = open(dir.path());
    let commits = store.watch(Space::User, Revision::ZERO).next().await.unwrap();
    assert_eq!(commits.len(), 2);
}

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
async fn a_second_store_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    let error = try_open(dir.path(), Durability::Always).err().expect("the directory is in use");
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(text.contains(&std::process::id().to_string()), "{text}");
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

fn set_to(tx: &mut Transaction<'_>, key: &str, value: &str) {
    tx.put(DB, key, Value::String(value.into()), None, &[Notice::Set]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_held_can_be_read_over_many_slices_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let place = (DB, "a".into());
    let (_, absent) = store.transact(|tx| set_to(tx, "b", "x"));
    let mut revisions = Vec::new();
    for n in 0..5000 {
        let (_, revision) =
            store.transact(|tx| set_to(tx, if n % 1000 == 0 { "a" } else { "b" }, &n.to_string()));
        revisions.push(revision);
    }
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..2000 {
            writer.transact(|tx| set_to(tx, "a", &format!("later {n}")));
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(store.entry_at(&place, absent).await.unwrap(), None);
    for n in [0, 999, 1000, 2500, 4999] {
        let entry = store.entry_at(&place, revisions[n]).await.unwrap().unwrap();
        let expect = (n / 1000 * 1000).to_string();
        assert_eq!(entry.value, Value::String(expect.as_str().into()), "at {n}");
    }
    writing.await.unwrap();
    let history = store.history_of(&place, 3).await.unwrap();
    let values: Vec<_> = history.events.iter().map(|event| event.change().op.clone()).collect();
    let put = |n: u32| adsum_keyspace::Op::Put {
        value: Value::String(format!("later {n}").as_str().into()),
        deadline: None,
        copy_of: None,
    };
    assert_eq!(values, [put(1997), put(1998), put(1999)]);
    assert!(history.more);
    assert_eq!(store.history_of(&place, 5000).await.unwrap().events.len(), 2005);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_kept_or_not_yet_there_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, first) = store.transact(|tx| set_to(tx, "a", "1"));
    let big = "x".repeat(1024 * 1024);
    for _ in 0..20 {
        store.transact(|tx| set_to(tx, "b", &big));
    }
    let place = (DB, "a".into());
    let Err(Unreadable::Compacted { asked, oldest }) = store.entry_at(&place, first).await else { panic!() };
    assert!(asked == first && oldest > first);
    assert!(store.entry_at(&place, oldest).await.unwrap().is_some());
    let history = store.history_of(&place, 10).await.unwrap();
    assert!(history.events.is_empty() && history.oldest == oldest);
    let Err(Unreadable::Future { last, .. }) = store.entry_at(&place, Revision(1000)).await else { panic!() };
    assert_eq!(last, store.durable_revision());
}

/// What a disk would have after a power cut at this moment: everything that is in the files.
fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    dir
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everysec_no_revision_that_was_seen_and_lost_is_given_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    store.transact(|tx| set(tx, "kept", None));
    store.flush().await.unwrap();
    let mut disk = copy(dir.path());
    let kept = store.durable_revision();
    let mut seen = store.transact(|tx| set(tx, "lost", None)).1;
    // The second time nothing was written since the first crash but what is lost again.
    for _ in 0..2 {
        let found = try_open(disk.path(), Durability::EverySecond).unwrap();
        assert!(has(&found, "kept") && !has(&found, "lost"));
        let mut watch = found.watch(Space::User, seen);
        let told = watch.next().await;
        assert!(matches!(told, Err(Ended::Compacted(_))), "{told:?} of {seen}");
        let next = copy(disk.path());
        let (_, revision) = found.transact(|tx| set(tx, "lost", None));
        assert!(revision > seen, "{revision} was given out before");
        // What was seen and is still there is no reason to begin anew.
        assert_eq!(found.watch(Space::User, kept).next().await.unwrap().len(), 1);
        (seen, disk) = (revision, next);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_go_on_without_a_gap_when_nothing_can_have_been_lost() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let dir = tempfile::tempdir().unwrap();
        let store = try_open(dir.path(), durability).unwrap();
        store.transact(|tx| set(tx, "a", None));
        store.flush().await.unwrap();
        let last = store.durable_revision();
        // A clean end with everysec, an unclean one with always.
        let disk = if durability == Durability::Always { copy(dir.path()) } else { dir };
        end(store).await;
        let store = loop {
            match try_open(disk.path(), durability) {
                Ok(store) => break store,
                Err(error) => assert!(error.to_string().contains("journal"), "{error}"),
            }
        };
        // With everysec a start has a record of its own.
        let next = if durability == Durability::Always { last.next() } else { last.next().next() };
        assert_eq!(store.transact(|tx| set(tx, "b", None)).1, next, "{durability:?}");
    }
}

/// The process that has lost them may have had another mode than the one that finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_everysec_has_lost_is_known_to_a_store_that_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path(), Durability::EverySecond).unwrap();
    store.transact(|tx| set(tx, "kept", None));
    store.flush().await.unwrap();
    let disk = copy(dir.path());
    let (_, seen) = store.transact(|tx| set(tx, "lost", None));
    let store = try_open(disk.path(), Durability::Always).unwrap();
    let (_, revision) = store.transact(|tx| set(tx, "a", None));
    assert!(revision > seen);
    store.durable(revision).await.unwrap();
    let again = copy(disk.path());
    let store = try_open(again.path(), Durability::Always).unwrap();
    assert_eq!(store.transact(|tx| set(tx, "b", None)).1, revision.next());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_was_released_is_anothers_though_handles_on_it_live() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let dir = tempfile::tempdir().unwrap();
        let store = try_open(dir.path(), durability).unwrap();
        store.commit(|tx| set(tx, "before", None)).await.unwrap();
        store.release().await.unwrap();
        let next = try_open(dir.path(), durability).unwrap();
        assert!(has(&next, "before"));
        // What comes too late is not acknowledged, and harms nobody.
        let late = store.commit(|tx| set(tx, "late", None)).await;
        assert!(late.is_err(), "{durability:?}: {late:?}");
        next.commit(|tx| set(tx, "after", None)).await.unwrap();
        next.release().await.unwrap();
        let last = try_open(dir.path(), durability).unwrap();
        assert_eq!((has(&last, "after"), has(&last, "late")), (true, false));
    }
}

fn web() -> registered::Service {
    let (node, id, service) = ("n1".into(), "web".into(), "web".into());
    registered::Service { node, id, service, ..registered::Service::default() }
}

fn ttl_check(id: &str) -> Check {
    let definition = Definition { kind: Kind::Ttl(Duration::from_secs(3600)), ..Definition::default() };
    Check { node: "n1".into(), id: id.into(), service: "web".into(), definition, ..Check::default() }
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

async fn checks_left(store: &Store) -> Vec<String> {
    store.catalog().await.unwrap().registry().checks().map(|check| check.id.clone()).collect()
}

/// Which checks an end of the service leaves behind.
async fn left_by(store: &Store, end: impl FnOnce(&mut Transaction<'_>)) -> Vec<String> {
    assert_eq!(checks_left(store).await, ["a", "b"]);
    store.commit(end).await.unwrap();
    checks_left(store).await
}

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
