//! Replies that do not arrive.

use std::time::Instant;

use adsum_etcd::{Engine, Error, Options};

use crate::etcd::OnEtcd;
use crate::faults::{FAST, increment};
use crate::proxy::{Mode, Proxy};
use crate::world::{Node, World, number, run, soon, text, until};

#[test]
fn a_lost_reply_is_found_out_and_the_write_not_made_again() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let proxy = Proxy::start(world.etcd.address()).await;
        let engine =
            Engine::open(Options { endpoints: vec![proxy.endpoint()], ..world.options() }).await.unwrap();
        proxy.set(Mode::SwallowAnswers);
        let write = tokio::spawn(async move { engine.transact(|tx| increment(tx, "sum")).await });
        until("etcd has applied it", || witness.local(|tx| text(tx, "sum")).reply).await;
        let applied = witness.engine.revision();
        assert!(!write.is_finished(), "the reply was not lost");
        proxy.set(Mode::Cut);
        proxy.set(Mode::Pass);
        let done = soon("the write is answered", write).await.unwrap().unwrap();
        assert_eq!((done.reply, done.revision), (1, applied));
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}

#[test]
fn a_reply_that_stays_lost_is_called_unknown() {
    run::<OnEtcd, _>(|mut world| async move {
        let witness = world.node().await;
        let proxy = Proxy::start(world.etcd.address()).await;
        let engine =
            Engine::open(Options { endpoints: vec![proxy.endpoint()], ..world.options() }).await.unwrap();
        proxy.set(Mode::SwallowAnswers);
        let begin = Instant::now();
        let error = engine.transact(|tx| increment(tx, "sum")).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }) && begin.elapsed() < FAST, "{error}");
        assert!(error.to_string().contains("before it is sent again"), "{error}");
        assert_eq!(witness.transact(|tx| number(tx, "sum")).await.unwrap().reply, 1);
    });
}
