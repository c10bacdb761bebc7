//! The client of a connection, as the server knows it.

use std::sync::Arc;

use adsum_keyspace::Now;
use adsum_resp::{Ends, Flow, Overseer, Parsed, Parser, Request, Server, Session, answer_while_busy};

use super::outbox::Mailbox;
use super::{Busy, Engine};

/// The session of a connection. However the connection ends, the server learns of it.
pub(super) struct Client<E: Engine> {
    pub(super) engine: E,
    /// None until the server could be had for the first time.
    session: Option<Session>,
    mailbox: Arc<Mailbox>,
    ends: Ends,
}

impl<E: Engine> Client<E> {
    /// One that the server does not know yet.
    pub(super) fn new(engine: E, mailbox: Arc<Mailbox>, ends: Ends) -> Client<E> {
        Client { engine, session: None, mailbox, ends }
    }

    /// As CLIENT ID gives it; 0 for one that the server does not know yet.
    pub(super) fn id(&self) -> u64 {
        self.session.as_ref().map_or(0, Session::id)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_blocked)
    }

    /// Makes the server know it, if there are fewer than `limit` others. Whether there are.
    pub(super) fn introduce(&mut self, limit: usize) -> Result<bool, Busy> {
        let (session, mailbox, ends) = (&mut self.session, &self.mailbox, &self.ends);
        self.engine.try_enter(|server, now| {
            let room = server.connected() < limit;
            if room {
                *session = Some(server.connect(mailbox.clone(), ends.clone(), now));
            }
            room
        })
    }

    pub(super) fn try_enter<T>(
        &mut self,
        body: impl FnOnce(&mut Server, &mut Session, Now) -> T,
    ) -> Result<T, Busy> {
        let (session, mailbox, ends) = (&mut self.session, &self.mailbox, &self.ends);
        self.engine.try_enter(|server, now| {
            let session = session.get_or_insert_with(|| server.connect(mailbox.clone(), ends.clone(), now));
            body(server, session, now)
        })
    }

    /// Answers a request that cannot be run because of a script.
    pub(super) fn answer_while_busy(&mut self, request: &Request<'_>, out: &mut Vec<u8>) -> Flow {
        let overseer: &Overseer = self.engine.overseer();
        answer_while_busy(self.session.as_mut(), request, overseer, out)
    }

    /// Takes the client away for as long as somebody else runs a request for it.
    pub(super) fn lend(&mut self) -> Client<E> {
        let absent = Client::new(self.engine.clone(), self.mailbox.clone(), self.ends.clone());
        std::mem::replace(self, absent)
    }

    /// Runs the one request that `bytes` are, for as long as that takes: not on a thread that serves others.
    pub(super) fn execute_patiently(&mut self, bytes: &[u8], longest: usize) -> Flow {
        let Some(session) = &mut self.session else { return Flow::Continue };
        self.engine.enter(|server, now| match Parser::new(longest).parse(bytes) {
            Parsed::Request { request, .. } => server.execute_patiently(session, &request, now),
            Parsed::Incomplete | Parsed::Error(_) => Flow::Continue,
        })
    }
}

impl<E: Engine> Drop for Client<E> {
    fn drop(&mut self) {
        let mut session = self.session.take();
        if session.is_none() {
            return;
        }
        let left = self.engine.try_enter(|server, _| {
            if let Some(session) = session.take() {
                server.disconnect(session);
            }
        });
        // Its last commits, and what its leaving has committed, are followed by nothing.
        self.engine.hasten();
        if left.is_err() {
            let engine = self.engine.clone();
            // It is for the server to learn of it some time, and this thread has others to serve.
            tokio::task::spawn_blocking(move || {
                engine.enter(|server, _| session.map(|session| server.disconnect(session)))
            });
        }
    }
}
