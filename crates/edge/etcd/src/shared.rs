//! What the tasks of an engine and its handles have in common.

use std::sync::Arc;
use std::time::Instant as Moment;

use adsum_keyspace::Publish;
use adsum_model::Revision;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::time::{Instant, timeout_at};

use crate::layout::Layout;
use crate::link::Link;
use crate::protocol::KeyValue;
use crate::record::{Record, RecordError};
use crate::session::Session;
use crate::view::{Loaded, View};
use crate::watch::Published;

/// Publishes that a subscriber may be behind before it loses some, and is told.
const PUBLISHES: usize = 1024;

pub(crate) struct Shared {
    pub(crate) layout: Layout,
    pub(crate) link: Link,
    pub(crate) view: Mutex<View>,
    pub(crate) level: watch::Sender<Level>,
    /// None until etcd has given a lease, and when it was lost.
    pub(crate) session: watch::Sender<Option<Session>>,
    pub(crate) published: broadcast::Sender<Arc<Published>>,
    /// Rung when the next deadline may have come nearer.
    pub(crate) alarm: Notify,
    /// Transactions that have met a conflict go one by one.
    pub(crate) turn: Semaphore,
    /// Names this process.
    pub(crate) id: String,
}

/// How far the view has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    pub(crate) revision: Revision,
    /// The same, as etcd counts.
    pub(crate) applied: i64,
    pub(crate) closed: bool,
}

impl Shared {
    pub(crate) fn new(layout: Layout, link: Link, id: String) -> Shared {
        Shared {
            layout,
            link,
            view: Mutex::new(View::new()),
            level: watch::Sender::default(),
            session: watch::Sender::default(),
            published: broadcast::Sender::new(PUBLISHES),
            alarm: Notify::new(),
            turn: Semaphore::new(1),
            id,
        }
    }

    /// Goes on by the event record that etcd has told.
    pub(crate) fn apply(&self, kv: &KeyValue) -> Result<(), RecordError> {
        let record = Record::decode(&kv.value)?;
        let mut view = self.view.lock();
        let Some(applied) = view.apply(record, kv.mod_revision) else { return Ok(()) };
        self.raise(&view);
        drop(view);
        self.publish(applied.revision, applied.publishes);
        self.alarm.notify_one();
        Ok(())
    }

    /// Begins anew with what was read.
    pub(crate) fn replace(&self, loaded: Loaded) {
        let mut view = self.view.lock();
        view.replace(loaded);
        self.raise(&view);
        drop(view);
        self.alarm.notify_one();
    }

    /// At `asked` the last event record was that of `applied`, and etcd at `revision`. Whether that is in the view.
    pub(crate) fn hear(&self, applied: i64, revision: i64, asked: Moment) -> bool {
        let mut view = self.view.lock();
        // So that a stall of the process is told from idleness.
        view.now();
        let complete = view.applied >= applied;
        if complete {
            view.hear(revision, asked);
        }
        complete
    }

    /// Whether the view has come to this event record before `deadline`.
    pub(crate) async fn until_applied(&self, applied: i64, deadline: Instant) -> bool {
        let mut level = self.level.subscribe();
        let reached = level.wait_for(|level| level.applied >= applied);
        timeout_at(deadline, reached).await.is_ok_and(|level| level.is_ok())
    }

    pub(crate) fn close(&self) {
        self.level.send_modify(|level| level.closed = true);
    }

    /// Tells how far the view is, while it is locked, so that levels are told in order.
    fn raise(&self, view: &View) {
        let (revision, applied) = (view.revision(), view.applied);
        self.level.send_modify(|level| *level = Level { revision, applied, ..*level });
    }

    fn publish(&self, revision: Revision, publishes: Vec<Publish>) {
        if !publishes.is_empty() {
            // An error says that nobody listens.
            let _ = self.published.send(Arc::new(Published { revision, publishes }));
        }
    }
}
