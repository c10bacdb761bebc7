//! A transaction: tried on the view, decided by etcd, tried again when others were faster.
//!
//! What is sent to etcd and not answered may have been applied, may be applied yet, or be lost. So every transaction
//! holds only while its process' session key is as it was: putting that key anew is a fence that the straggler cannot
//! pass, and the event records before the fence say whether it was applied.

use std::time::Duration;

use adsum_keyspace::Transaction;
use adsum_model::Revision;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::engine::Done;
use crate::error::{Broken, Error};
use crate::link::{kv, range, txn};
use crate::plan::{BASE, EVENT, SESSION, Terms};
use crate::protocol::{Compare, RangeRequest, TxnRequest, TxnResponse};
use crate::record::Id;
use crate::requests::{get, put, revision, was_made_by};
use crate::session::Session;
use crate::shared::Shared;
use crate::view::Base;

/// Within this a transaction is decided, or said to be undecided, unless others interfere.
const DEADLINE: Duration = Duration::from_millis(1900);
/// Of it, for the first answer.
const ANSWER: Duration = Duration::from_millis(1000);
/// How often others may be faster.
const ATTEMPTS: usize = 64;
/// Between two questions about a lost reply.
const PAUSE: Duration = Duration::from_millis(20);

/// A transaction as it was tried on the view.
enum Tried<T> {
    /// It changes nothing. What it has read was true at this event record.
    Reads {
        reply: T,
        applied: i64,
        revision: Revision,
    },
    Writes(Write<T>),
    /// There is no session to write in.
    Idle,
}

struct Write<T> {
    reply: T,
    sending: Sending,
}

/// What is sent, and what has to be known to find out what has become of it.
struct Sending {
    id: Id,
    request: TxnRequest,
    session: Session,
    loads: u64,
    base: Base,
}

/// The view looks out for a transaction for as long as this is there.
struct Expected<'a> {
    shared: &'a Shared,
    id: Id,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.shared.view.lock().forget(&self.id);
    }
}

enum Step<T> {
    Done(Done<T>),
    /// Others have changed what was read.
    Conflict,
    /// Nothing was wrong, and the view has gone on.
    Again,
}

/// What has become of a transaction without a reply.
enum Fate {
    Applied(i64),
    /// And it never will be.
    Lost,
}

/// One transaction, over all its attempts.
struct Course<'a> {
    shared: &'a Shared,
    /// A transaction of the timekeeper holds only while it is that.
    more: Vec<Compare>,
    /// Up to here the view has to be for a read to have seen everything that was over before it began.
    barrier: Option<i64>,
}

impl Shared {
    /// Returns when the view has what was committed. Reads see everything that was over when they began.
    pub(crate) async fn transact<T: Send>(
        &self,
        more: Vec<Compare>,
        mut body: impl FnMut(&mut Transaction<'_>) -> T + Send,
    ) -> Result<Done<T>, Error> {
        let mut course = Course { shared: self, more, barrier: None };
        let mut turn = None;
        let mut conflicts = 0;
        while conflicts < ATTEMPTS {
            match course.step(&mut body).await? {
                Step::Done(done) => return Ok(done),
                Step::Again => {}
                Step::Conflict => {
                    conflicts += 1;
                    if turn.is_none() {
                        turn = self.turn.acquire().await.ok();
                    }
                    sleep(jitter(conflicts)).await;
                }
            }
        }
        Err(Error::Contended { attempts: ATTEMPTS })
    }

    fn refused(&self, reason: impl ToString) -> Error {
        Error::Refused { endpoints: self.link.names().to_string(), reason: reason.to_string() }
    }
}

impl Course<'_> {
    async fn step<T: Send>(
        &mut self,
        body: &mut (impl FnMut(&mut Transaction<'_>) -> T + Send),
    ) -> Result<Step<T>, Error> {
        let deadline = Instant::now() + DEADLINE;
        match self.attempt(body)? {
            Tried::Reads { reply, applied, revision } => {
                let barrier = self.barrier(deadline).await?;
                match applied >= barrier {
                    true => Ok(Step::Done(Done { reply, revision, committed: false })),
                    false => self.catch_up(barrier, deadline).await.map(|()| Step::Again),
                }
            }
            Tried::Writes(write) => {
                let _expected = Expected { shared: self.shared, id: write.sending.id };
                self.send(write, deadline).await
            }
            Tried::Idle => {
                self.shared.link.channel(deadline).await?;
                let mut session = self.shared.session.subscribe();
                let begun = timeout_at(deadline, session.wait_for(Option::is_some)).await;
                let late = || self.shared.link.unavailable("it has given this process no lease");
                begun.map(|_| Step::Again).map_err(|_| late().into())
            }
        }
    }

    /// Runs the body on the view, under its lock.
    fn attempt<T>(&self, body: &mut impl FnMut(&mut Transaction<'_>) -> T) -> Result<Tried<T>, Error> {
        let shared = self.shared;
        let session = *shared.session.borrow();
        let mut view = shared.view.lock();
        let now = view.now();
        let attempt = view.attempt(now, body);
        if attempt.changes.is_empty() && attempt.publishes.is_empty() {
            let (applied, revision) = (view.applied, view.revision());
            return Ok(Tried::Reads { reply: attempt.reply, applied, revision });
        }
        let Some(session) = session else { return Ok(Tried::Idle) };
        let id = id().map_err(|error| shared.refused(error))?;
        let terms =
            Terms { session: (shared.layout.session(&shared.id), session.fence), more: self.more.clone() };
        let request = view.plan(&shared.layout, &attempt, (id, now), terms)?;
        view.expect(id);
        let sending = Sending { id, request, session, loads: view.loads, base: view.base };
        Ok(Tried::Writes(Write { reply: attempt.reply, sending }))
    }

    /// The last event record that etcd had after this transaction began.
    async fn barrier(&mut self, deadline: Instant) -> Result<i64, Error> {
        if let Some(barrier) = self.barrier {
            return Ok(barrier);
        }
        let channel = self.shared.link.channel(deadline).await?;
        let barrier = last_event(self.shared, &channel).await;
        let barrier = barrier.map_err(|broken| self.shared.link.unavailable(broken))?;
        self.barrier = Some(barrier);
        Ok(barrier)
    }

    async fn catch_up(&self, applied: i64, deadline: Instant) -> Result<(), Error> {
        match self.shared.until_applied(applied, deadline).await {
            true => Ok(()),
            false => Err(self.shared.link.unavailable("its watch is behind its answers").into()),
        }
    }

    async fn send<T: Send>(&self, write: Write<T>, deadline: Instant) -> Result<Step<T>, Error> {
        let Write { reply, sending } = write;
        let begin = Instant::now();
        let channel = self.shared.link.channel(deadline).await?;
        let mut client = kv(channel);
        let answer = timeout_at(begin + ANSWER, client.txn(sending.request.clone())).await;
        let reason = match answer {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                return match answer.succeeded {
                    true => self.committed(reply, &sending, revision(answer.header.as_ref())).await,
                    false => {
                        self.conflict(&sending.session, &answer, deadline).await.map(|()| Step::Conflict)
                    }
                };
            }
            Ok(Err(status)) if is_refusal(&status) => return Err(self.shared.refused(status.message())),
            Ok(Err(status)) => status.to_string(),
            Err(_) => format!("no answer within {ANSWER:?}"),
        };
        match self.fate(&sending, deadline).await {
            Some(Fate::Applied(by)) => self.committed(reply, &sending, by).await,
            Some(Fate::Lost) => Ok(Step::Conflict),
            None => {
                let endpoints = self.shared.link.names().to_string();
                Err(Error::Unknown { endpoints, reason, waited: begin.elapsed() })
            }
        }
    }

    async fn committed<T>(&self, reply: T, sent: &Sending, by: i64) -> Result<Step<T>, Error> {
        let revision = sent.base.public(by);
        match self.shared.until_applied(by, Instant::now() + DEADLINE).await {
            true => Ok(Step::Done(Done { reply, revision, committed: true })),
            false => Err(Error::Behind { revision }),
        }
    }

    /// Learns from the refusal what is different, and lets the view catch up.
    async fn conflict(&self, used: &Session, answer: &TxnResponse, deadline: Instant) -> Result<(), Error> {
        self.shared.learn_fence(used, answer.put_by(SESSION));
        if answer.put_by(BASE) != self.shared.view.lock().base.put_by {
            // The feed sees that as well, and reads everything anew.
            sleep(PAUSE).await;
        }
        self.catch_up(answer.put_by(EVENT), deadline).await
    }

    /// Finds out what has become of a transaction without a reply, if etcd tells before `deadline`.
    async fn fate(&self, sending: &Sending, deadline: Instant) -> Option<Fate> {
        while Instant::now() < deadline {
            if let Some(fate) = self.ask_fate(sending, deadline).await {
                return Some(fate);
            }
            sleep(PAUSE).await;
        }
        None
    }

    async fn ask_fate(&self, sending: &Sending, deadline: Instant) -> Option<Fate> {
        let shared = self.shared;
        let channel = shared.link.channel(deadline).await.ok()?;
        let fenced = timeout_at(deadline, shared.fence_off(&channel, &sending.session)).await.ok()?.ok()?;
        if !shared.until_applied(fenced?, deadline).await {
            return None;
        }
        let view = shared.view.lock();
        match view.fate(&sending.id) {
            Some(by) => Some(Fate::Applied(by)),
            None if view.loads == sending.loads => Some(Fate::Lost),
            // Its event record may be among those that were missed.
            None => None,
        }
    }
}

impl Shared {
    /// From now on nothing is applied that was sent in `used`. Returns the last event record before that; none when
    /// there is no session to put.
    async fn fence_off(&self, channel: &Channel, used: &Session) -> Result<Option<i64>, Broken> {
        let Some(session) = *self.session.borrow() else { return Ok(None) };
        if session.fence != used.fence {
            return last_event(self, channel).await.map(Some);
        }
        let key = self.layout.session(&self.id);
        let event = RangeRequest { keys_only: true, ..get(self.layout.event()) };
        let success = vec![put(key, Vec::new(), session.lease).into(), event.into()];
        let answer = match txn(channel, TxnRequest { success, ..TxnRequest::default() }).await {
            Ok(answer) => answer,
            Err(Broken::Status(status)) if status.code() == Code::NotFound => {
                self.learn_fence(used, 0);
                return Ok(None);
            }
            Err(broken) => return Err(broken),
        };
        self.learn_fence(used, revision(answer.header.as_ref()));
        Ok(Some(answer.put_by(1)))
    }

    /// The session key that was put by `used` is put by this transaction of etcd now; 0 for: the lease is no more.
    fn learn_fence(&self, used: &Session, fence: i64) {
        self.session.send_if_modified(|session| {
            if session.is_none_or(|session| session.fence != used.fence || fence == used.fence) {
                return false;
            }
            *session = session.filter(|_| fence != 0).map(|session| Session { fence, ..session });
            true
        });
    }
}

async fn last_event(shared: &Shared, channel: &Channel) -> Result<i64, Broken> {
    let request = RangeRequest { keys_only: true, ..get(shared.layout.event()) };
    let response = range(channel, request).await?;
    Ok(response.kvs.first().map_or(0, |kv| kv.mod_revision))
}

/// What the timekeeper's transactions depend on beside what they read.
pub(crate) fn while_timekeeper(shared: &Shared, made_by: i64) -> Vec<Compare> {
    vec![was_made_by(shared.layout.timekeeper(), made_by)]
}

/// Whether etcd says that it has not applied the transaction, and will not.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::NotFound
    )
}

fn id() -> Result<Id, getrandom::Error> {
    let mut id = Id::default();
    getrandom::fill(&mut id)?;
    Ok(id)
}

/// Longer the more often others were faster, and different for everybody.
fn jitter(conflicts: usize) -> Duration {
    let mut byte = [0];
    // Without chance everybody waits as long, which is no worse than no pause at all.
    let _ = getrandom::fill(&mut byte);
    let limit = conflicts.min(10) as u64;
    Duration::from_micros(limit * 1000 * u64::from(byte[0]) / 255)
}
