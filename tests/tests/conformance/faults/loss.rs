//! While etcd is away: what is refused, how fast, and what goes on.

use std::time::Instant;

use adsum_etcd::{Engine, Error, Options};
use tokio::task::block_in_place;

use crate::etcd::OnEtcd;
use crate::faults::FAST;
use crate::world::{Node, World, put, run, soon, text, until};

#[test]
fn without_etcd_writes_fail_fast_and_reads_go_on() {
    run::<OnEtcd, _>(|mut world| async move {
        let node = world.node().await;
        node.transact(|tx| put(tx, "k", "1")).await.unwrap();
        block_in_place(|| world.etcd.kill());
        let begin = Instant::now();
        let error = node.engine.transact(|tx| put(tx, "k", "2")).await.unwrap_err();
        assert!(begin.elapsed() < FAST, "{:?}", begin.elapsed());
        let message = error.to_string();
        assert!(message.contains(&world.etcd.endpoint()), "{message}");
        until("it is known to be away", || {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(node.engine.available()).err()
            })
        })
        .await;
        let begin = Instant::now();
        let error = node.engine.transact(|tx| put(tx, "k", "3")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("etcdctl") && begin.elapsed() < FAST, "{error}");
        let begin = Instant::now();
        let error = node.engine.transact(|tx| text(tx, "k")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)) && begin.elapsed() < FAST, "{error}");
        assert_eq!(node.local(|tx| text(tx, "k")).reply, Some("1".to_string()));
        block_in_place(|| world.etcd.start_again());
        let read = async {
            loop {
                if let Ok(done) = node.transact(|tx| text(tx, "k")).await {
                    return done.reply;
                }
            }
        };
        let read = soon("it goes on by itself", read).await;
        // The first write may have been on its way when etcd was killed; the second one was refused.
        assert!(matches!(read.as_deref(), Some("1" | "2")), "{read:?}");
    });
}

#[test]
fn an_endpoint_that_is_away_is_passed_over() {
    run::<OnEtcd, _>(|world| async move {
        // Nobody is given a port of a block by the system, so that nobody ever listens there.
        let nobody = adsum_tests::port::Block::reserve();
        let away = format!("http://{}", nobody.address(0));
        let options = Options { endpoints: vec![away.clone(), world.etcd.endpoint()], ..world.options() };
        let engine = Engine::open(options).await.unwrap();
        engine.transact(|tx| put(tx, "k", "v")).await.unwrap();
        let options = Options { endpoints: vec![away.clone()], ..world.options() };
        let error = Engine::open(options).await.err().unwrap();
        assert!(error.to_string().contains(&away), "{error}");
    });
}
