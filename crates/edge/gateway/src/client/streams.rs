//! The streams of an HTTP/2 connection whose answers nobody takes: each has a window of its own, so that a client that
//! reads its connection, and answers each PING, can still leave any of them unread for ever. Such a stream is reset.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::patience::Watch;

/// Since when an answer waits for its client to take what there is of it.
#[derive(Debug, Default)]
pub(crate) struct Stall(Cell<Option<Instant>>);

impl Stall {
    /// There is something to be taken.
    pub(crate) fn offer(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// It was taken, or there is nothing.
    pub(crate) fn end(&self) {
        self.0.set(None);
    }
}

/// Runs the streams of one connection. hyper begins each of them by a call of the service, and hands over its future
/// right behind that: so each future is that of the request before it.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    next: Rc<RefCell<Option<Rc<Stall>>>>,
    patience: Duration,
}

impl Streams {
    /// An answer that is not taken for `patience` is given up.
    pub(super) fn new(patience: Duration) -> Streams {
        Streams { next: Rc::default(), patience }
    }

    /// A request has come, whose future follows.
    pub(super) fn begin(&self) -> Rc<Stall> {
        let stall = Rc::<Stall>::default();
        *self.next.borrow_mut() = Some(stall.clone());
        stall
    }
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        match self.next.borrow_mut().take() {
            Some(stall) => drop(tokio::task::spawn_local(watch(task, stall, self.patience))),
            None => drop(tokio::task::spawn_local(task)),
        }
    }
}

/// Dropped before its end, a stream is reset.
async fn watch(task: impl Future<Output = ()>, stall: Rc<Stall>, patience: Duration) {
    let mut task = pin!(task);
    let mut watch = Watch::default();
    poll_fn(|cx| match (task.as_mut().poll(cx), stall.0.get()) {
        (Poll::Ready(()), _) => Poll::Ready(()),
        (Poll::Pending, None) => Poll::Pending,
        (Poll::Pending, Some(since)) => watch.poll_until(since + patience, Instant::now(), cx),
    })
    .await;
}
