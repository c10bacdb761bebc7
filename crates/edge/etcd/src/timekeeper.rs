//! What the one timekeeper does: it expires keys that are due, and clears away what flushed databases have left.
//!
//! Its deadlines begin when this process has read them, so none comes early, whoever is the timekeeper. It writes
//! `expired` by a transaction that reads the key: one that was renewed meanwhile stays.

use std::time::Duration;

use adsum_keyspace::{Database, Place, Transaction, switch};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;

use crate::error::{Broken, Error};
use crate::layout::Span;
use crate::link::{PATIENCE, range, txn};
use crate::protocol::{RangeRequest, TxnRequest};
use crate::requests::{delete_all, scan};
use crate::session::Session;
use crate::shared::Shared;
use crate::transact::while_timekeeper;

/// Keys that one transaction takes out: within etcd's 128 operations, with room for what goes with them.
const ROUND: usize = 50;
/// Rows of a flushed database that one request clears away.
const LITTER: i64 = 500;
/// Between two looks when nothing is due.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// After an attempt that has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Ends never; dropped with the engine.
pub(crate) async fn run(shared: &Shared) {
    let mut session = shared.session.subscribe();
    loop {
        let made_by = |session: &Option<Session>| session.and_then(|session| session.timekeeper);
        let appointed = session.wait_for(|session| made_by(session).is_some()).await;
        let Some(made_by) = appointed.ok().and_then(|session| made_by(&session)) else { return };
        turn(shared, made_by).await;
    }
}

/// Takes out what is due, or sleeps until something may be.
async fn turn(shared: &Shared, made_by: i64) {
    let (due, rest) = due(shared);
    if !due.is_empty() {
        if let Err(error) = expire(shared, made_by, &due).await {
            tracing::debug!(%error, "keys that are due could not be taken out");
            sleep(PAUSE).await;
        }
        return;
    }
    if let Err(error) = clear_away(shared).await {
        tracing::debug!(%error, "the rows of a flushed database could not be cleared away");
    }
    // Woken or not: somebody looks.
    let _ = timeout(rest.min(HEARTBEAT), shared.alarm.notified()).await;
}

/// The first keys that are due, and how long until the next may be.
fn due(shared: &Shared) -> (Vec<Place>, Duration) {
    let mut view = shared.view.lock();
    let now = view.now();
    let due: Vec<Place> = view.keyspace.due(now).take(ROUND).map(|(of, key)| (of, key.clone())).collect();
    view.keyspace.look_ahead();
    let rest = view.keyspace.next_deadline(now).map_or(HEARTBEAT, Duration::from_millis);
    (due, rest)
}

async fn expire(shared: &Shared, made_by: i64, due: &[Place]) -> Result<(), Error> {
    let body = |transaction: &mut Transaction<'_>| {
        let now = transaction.now();
        for (database, key) in due {
            let deadline = transaction.get(*database, key).and_then(|entry| entry.deadline);
            if deadline.is_some_and(|deadline| deadline.is_due(now)) {
                // What fires depends on the switch as well.
                switch::key_of(*database, key)
                    .map(|switch| transaction.get(Database::System, &switch).is_some());
                transaction.expire(*database, key);
            }
        }
    };
    shared.transact(while_timekeeper(shared, made_by), body).await.map(drop)
}

/// One piece of what is left of a flushed database.
async fn clear_away(shared: &Shared) -> Result<(), Broken> {
    let Some((database, generation)) = ({
        let view = shared.view.lock();
        view.littered.first().map(|database| (*database, view.generation(*database)))
    }) else {
        return Ok(());
    };
    let channel = timeout(PATIENCE, shared.link.until_up()).await.map_err(|_| Broken::Silent(PATIENCE))?;
    if clear_some(&channel, shared.layout.rows_before(database, generation)).await? {
        shared.alarm.notify_one();
    } else {
        let mut view = shared.view.lock();
        if view.generation(database) == generation {
            view.littered.remove(&database);
        }
    }
    Ok(())
}

/// Whether there was anything to clear away.
async fn clear_some(channel: &Channel, span: Span) -> Result<bool, Broken> {
    let to = span.to.clone();
    let request = RangeRequest { limit: LITTER, keys_only: true, ..scan(span) };
    let rows = range(channel, request).await?.kvs;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(false) };
    let after = [&last.key[..], b"\0"].concat().min(to);
    let delete = delete_all(Span { from: first.key.to_vec(), to: after });
    txn(channel, TxnRequest { success: vec![delete.into()], ..TxnRequest::default() }).await?;
    Ok(true)
}
