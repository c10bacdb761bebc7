//! This process in etcd: a lease, a key that lives as long, and whether it is the timekeeper.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::error::Broken;
use crate::link::{PATIENCE, txn, within};
use crate::protocol::lease_client::LeaseClient;
use crate::protocol::response_op::Response;
use crate::protocol::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, TxnRequest, TxnResponse,
};
use crate::requests::{get, put, revision, was_made_by};
use crate::shared::Shared;

/// After this long without a sign of life another process may be the timekeeper. Seconds.
const LEASE: i64 = 5;
/// Between two signs of life, and two attempts to become the timekeeper.
const TURN: Duration = Duration::from_secs(1);
/// Between two attempts to get a lease.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) lease: i64,
    /// By which transaction of etcd the session's key was put. Transactions hold only while that is so.
    pub(crate) fence: i64,
    /// By which transaction of etcd this process was made the timekeeper.
    pub(crate) timekeeper: Option<i64>,
}

/// Ends never; dropped with the engine.
pub(crate) async fn run(shared: &Shared) {
    loop {
        let Err(broken) = hold(shared).await;
        tracing::debug!(%broken, "the session with etcd has ended and begins again");
        shared.session.send_replace(None);
        sleep(PAUSE).await;
    }
}

/// Gives back the lease, so that nobody has to wait for its end.
pub(crate) async fn end(shared: &Shared) {
    let Some(session) = shared.session.send_replace(None) else { return };
    let channel = timeout(PATIENCE, shared.link.until_up());
    let Ok(channel) = channel.await else { return };
    let revoke = LeaseRevokeRequest { id: session.lease };
    // Where that fails the lease ends by itself.
    let _ = within(PATIENCE, LeaseClient::new(channel).lease_revoke(revoke)).await;
}

async fn hold(shared: &Shared) -> Result<Infallible, Broken> {
    let mut session = begin(shared).await?;
    let mut changes = shared.session.subscribe();
    shared.session.send_replace(Some(session));
    loop {
        if session.timekeeper.is_none() {
            let timekeeper = campaign(shared, &session).await.unwrap_or(None);
            shared.session.send_if_modified(|session| appoint(session, timekeeper));
        }
        let lost = changes.wait_for(Option::is_none);
        if timeout(TURN, lost).await.is_ok() || keep_alive(shared, session.lease).await == Some(false) {
            return Err(Broken::Cancelled("the lease has ended".to_string()));
        }
        session = (*shared.session.borrow()).unwrap_or(session);
    }
}

fn appoint(session: &mut Option<Session>, timekeeper: Option<i64>) -> bool {
    if let Some(session) = session {
        session.timekeeper = timekeeper;
    }
    timekeeper.is_some()
}

async fn begin(shared: &Shared) -> Result<Session, Broken> {
    let channel = shared.link.until_up().await;
    let grant = LeaseGrantRequest { ttl: LEASE, id: 0 };
    let lease = within(PATIENCE, LeaseClient::new(channel.clone()).lease_grant(grant)).await?.id;
    let key = put(shared.layout.session(&shared.id), Vec::new(), lease);
    let answer = txn(&channel, TxnRequest { success: vec![key.into()], ..TxnRequest::default() }).await?;
    Ok(Session { lease, fence: revision(answer.header.as_ref()), timekeeper: None })
}

/// Whether the lease lives; none when etcd cannot be asked, which does not end it.
async fn keep_alive(shared: &Shared, lease: i64) -> Option<bool> {
    let channel = timeout(PATIENCE, shared.link.until_up()).await.ok()?;
    let (sender, receiver) = mpsc::channel(1);
    sender.try_send(LeaseKeepAliveRequest { id: lease }).expect("the channel is new");
    let mut client = LeaseClient::new(channel);
    let answers = within(PATIENCE, client.lease_keep_alive(ReceiverStream::new(receiver))).await;
    let answer = timeout(PATIENCE, answers.ok()?.message()).await.ok()?.ok()??;
    Some(answer.ttl > 0)
}

/// By which transaction of etcd this process was made the timekeeper, if it is that.
async fn campaign(shared: &Shared, session: &Session) -> Result<Option<i64>, Broken> {
    let channel: Channel =
        timeout(PATIENCE, shared.link.until_up()).await.map_err(|_| Broken::Silent(PATIENCE))?;
    let key = shared.layout.timekeeper();
    let request = TxnRequest {
        compare: vec![was_made_by(key.clone(), 0)],
        success: vec![put(key.clone(), shared.id.clone().into_bytes(), session.lease).into()],
        failure: vec![get(key).into()],
    };
    let answer = txn(&channel, request).await?;
    Ok(match answer.succeeded {
        true => Some(revision(answer.header.as_ref())),
        // A former attempt of ours may have had success without an answer.
        false => holder(&answer).filter(|(lease, _)| *lease == session.lease).map(|(_, made_by)| made_by),
    })
}

/// The lease of the timekeeper, and by which transaction of etcd it was made that.
fn holder(answer: &TxnResponse) -> Option<(i64, i64)> {
    match answer.responses.first()?.response.as_ref()? {
        Response::ResponseRange(range) => range.kvs.first().map(|kv| (kv.lease, kv.create_revision)),
        Response::ResponsePut(_) | Response::ResponseDeleteRange(_) => None,
    }
}
