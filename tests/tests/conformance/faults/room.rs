//! What etcd has no room for, and what is cleared away.

use adsum_etcd::Error;
use adsum_keyspace::{Blob, Notice, Transaction, Value};
use adsum_tests::Etcd;
use tokio::task::block_in_place;

use crate::etcd::OnEtcd;
use crate::world::{DB, Node, World, put, run, soon, text, until};

#[test]
fn what_etcd_would_refuse_is_refused_with_size_and_limit() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        let fill = |bytes: usize| {
            let value = Value::String(Blob::from(vec![b'x'; bytes]));
            move |tx: &mut Transaction<'_>| tx.put(DB, "k", value.clone(), None, &[Notice::Set])
        };
        node.engine.transact(fill(700 * 1024)).await.unwrap();
        // Its row and its event record have it both.
        let error = node.engine.transact(fill(800 * 1024)).await.unwrap_err();
        assert_eq!(
            (limit(&error), matches!(error, Error::TooBig(_))),
            ("bytes of a request", true),
            "{error}"
        );
        let error = node.engine.transact(fill(1100 * 1024)).await.unwrap_err();
        assert_eq!(limit(&error), "bytes of one key", "{error}");
        let many = |tx: &mut Transaction<'_>| (0..127).for_each(|n| put(tx, &n.to_string(), ""));
        let error = node.engine.transact(many).await.unwrap_err();
        assert_eq!(limit(&error), "operations", "{error}");
        // By its deltas an aggregate grows to the limit of one key.
        let push = |tx: &mut Transaction<'_>| {
            let element = Blob::from(vec![b'x'; 100 * 1024]);
            tx.splice(DB, b"list", usize::MAX >> 1, 0, [element][..].into(), &[Notice::Rpush]);
        };
        let mut pushes = 0;
        let error = loop {
            match node.engine.transact(push).await {
                Ok(_) => pushes += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((limit(&error), pushes), ("bytes of one key", 10), "{error}");
    });
}

fn limit(error: &Error) -> &str {
    match error {
        Error::TooBig(too_big) => too_big.what,
        other => panic!("{other}"),
    }
}

#[test]
fn an_etcd_without_room_says_so_and_goes_on_when_it_has_some() {
    run::<OnEtcd, _>(|world| async move {
        drop(world);
        let quota = "--quota-backend-bytes=16777216";
        let mut world = OnEtcd { etcd: block_in_place(|| Etcd::start_with(&[quota])) };
        let node = world.node().await;
        let value = Value::String(Blob::from(vec![b'x'; 500 * 1024]));
        let fill = |tx: &mut Transaction<'_>| tx.put(DB, "k", value.clone(), None, &[Notice::Set]);
        let mut writes = 0;
        let error = loop {
            match node.engine.transact(fill).await {
                Ok(_) => writes += 1,
                Err(error) => break error,
            }
            assert!(writes < 100, "etcd has more room than it was given");
        };
        assert!(matches!(error, Error::Refused { .. }) && error.to_string().contains("space"), "{error}");
        let read = node.transact(|tx| tx.get(DB, b"k").is_some()).await.unwrap();
        assert!(read.reply);
        // What etcd's guide says.
        let revision = node.engine.revision().0.to_string();
        block_in_place(|| {
            world.etcd.etcdctl(&["compact", &revision]).ok();
            world.etcd.etcdctl(&["defrag"]).ok();
            world.etcd.etcdctl(&["alarm", "disarm"]).ok();
        });
        let write = async { while node.transact(|tx| put(tx, "after", "")).await.is_err() {} };
        soon("writes go on", write).await;
    });
}

#[test]
fn what_a_flush_leaves_in_etcd_is_cleared_away() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        for piece in 0..12 {
            let fill =
                |tx: &mut Transaction<'_>| (0..100).for_each(|n| put(tx, &format!("{piece}/{n}"), "v"));
            node.transact(fill).await.unwrap();
        }
        let rows = || {
            let words = ["get", "/adsum/test/k/", "--prefix", "--keys-only"];
            let keys = block_in_place(|| world.etcd.etcdctl(&words).ok());
            keys.lines().filter(|line| !line.is_empty()).count()
        };
        assert_eq!(rows(), 1200);
        let flush = |tx: &mut Transaction<'_>| {
            tx.clear(DB);
            put(tx, "new", "v");
        };
        node.transact(flush).await.unwrap();
        until("the old rows are gone", || (rows() == 1).then_some(())).await;
        assert_eq!(node.transact(|tx| text(tx, "new")).await.unwrap().reply, Some("v".to_string()));
    });
}
