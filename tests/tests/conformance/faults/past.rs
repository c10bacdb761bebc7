//! When the past is gone, or is another one.

use adsum_etcd::{Error, raise_base};
use adsum_keyspace::Space;
use adsum_model::Revision;
use tokio::task::block_in_place;

use crate::etcd::{EtcdNode, OnEtcd};
use crate::proxy::Mode;
use crate::world::{DB, Ended, Node, Watch, World, entries, next, notices, put, run, soon, text, until};

#[test]
fn what_is_compacted_while_a_node_is_away_is_read_anew_and_watchers_are_told() {
    run::<OnEtcd, _>(|mut world| async move {
        let stays = world.node().await;
        let (proxy, engine) = world.behind_a_proxy().await;
        let away = EtcdNode { engine };
        stays.transact(|tx| put(tx, "k", "before")).await.unwrap();
        until("both have it", || away.local(|tx| text(tx, "k")).reply).await;
        let mut watch = away.watch(Space::User, away.engine.revision());
        proxy.set(Mode::Cut);
        for n in 0..10 {
            stays.transact(|tx| put(tx, "k", &n.to_string())).await.unwrap();
        }
        stays.transact(|tx| tx.clear(DB)).await.unwrap();
        let last = stays.transact(|tx| put(tx, "k", "after")).await.unwrap().revision;
        let compacted = last.0.to_string();
        block_in_place(|| world.etcd.etcdctl(&["compact", &compacted]).ok());
        assert_eq!(away.local(|tx| text(tx, "k")).reply, Some("before".to_string()));
        proxy.set(Mode::Pass);
        let Err(Ended::Compacted(told)) = soon("the watch ends", Watch::next(&mut watch)).await else {
            panic!("it has missed commits and was not told")
        };
        assert_eq!(told.oldest, last);
        assert_eq!(away.local(|tx| text(tx, "k")).reply, Some("after".to_string()));
        // From there it goes on, and both are the same.
        let mut watch = away.watch(Space::User, told.oldest);
        stays.transact(|tx| put(tx, "next", "")).await.unwrap();
        assert_eq!(notices(&next(&mut watch).await[0]), [("next".to_string(), "set")]);
        assert_eq!(entries(&away, DB), entries(&stays, DB));
    });
}

#[test]
fn an_etcd_that_has_gone_back_is_not_written_to_until_the_base_is_raised() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        node.transact(|tx| put(tx, "k", "before")).await.unwrap();
        world.save().await;
        node.transact(|tx| put(tx, "k", "after")).await.unwrap();
        let last = node.engine.revision();
        let mut watch = node.watch(Space::User, last);
        block_in_place(|| world.etcd.restore("snapshot"));
        let refused = async {
            loop {
                match node.engine.transact(|tx| put(tx, "k", "lost")).await {
                    Ok(done) => panic!("written to another past as revision {}", done.revision),
                    Err(error) if error.to_string().contains("base") => return error,
                    Err(_) => {}
                }
            }
        };
        let error = soon("it is noticed", refused).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert_eq!(node.local(|tx| text(tx, "k")).reply, Some("after".to_string()));
        assert_eq!(raise_base(&world.options(), last).await.unwrap(), last);
        let Err(Ended::Compacted(_)) = soon("the watch ends", Watch::next(&mut watch)).await else {
            panic!("the past is another one, and the watch was not told")
        };
        assert_eq!(node.local(|tx| text(tx, "k")).reply, Some("before".to_string()));
        let write = async {
            loop {
                if let Ok(done) = node.engine.transact(|tx| put(tx, "k", "anew")).await {
                    return done.revision;
                }
            }
        };
        assert!(soon("writes go on", write).await > last);
        // It never falls.
        assert_eq!(raise_base(&world.options(), Revision(1)).await.unwrap(), last);
    });
}
