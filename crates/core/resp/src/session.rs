//! A client, as its own connection holds it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::Database;

use crate::Protocol;
use crate::client::Client;
use crate::multi::Multi;
use crate::readers::Reading;
use crate::refusal::Refusal;

/// What a connection holds of its client between two requests. Made by [`crate::Server::connect`], and to be given
/// back to [`crate::Server::disconnect`].
pub struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) database: u8,
    pub(crate) replies: Replies,
    /// Whether what the request answers with are confirmations of SUBSCRIBE or its like.
    pub(crate) confirmed: bool,
    /// What is queued since MULTI.
    pub(crate) multi: Option<Multi>,
    /// Whether what it watches is to be forgotten before the next request.
    pub(crate) lets_go: bool,
    /// The last reading of watches that found nothing.
    pub(crate) read: Option<Reading>,
}

/// `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replies {
    On,
    Off,
    /// The request after this one gets no reply.
    SkipNext,
    /// The request that is being run gets none.
    SkipThis,
}

impl Session {
    pub(crate) fn new(client: Arc<Client>) -> Session {
        Session {
            client,
            database: 0,
            replies: Replies::On,
            confirmed: false,
            multi: None,
            lets_go: false,
            read: None,
        }
    }

    /// Of the client, as `CLIENT ID` gives it.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    pub fn protocol(&self) -> Protocol {
        self.client.protocol()
    }

    /// Whether it waits for pushes: such a client is not idle.
    pub fn is_subscribed(&self) -> bool {
        self.client.subscriptions() > 0
    }

    /// Whether it waits for a blocking command, so that no further request of it may be executed.
    pub fn is_blocked(&self) -> bool {
        self.client.blocked.load(Relaxed)
    }

    /// Whether the request that is being run gets no reply.
    pub(crate) fn is_silent(&self) -> bool {
        self.replies != Replies::On
    }

    /// Without the server: what is queued is dropped now, and what is watched by the next request.
    pub(crate) fn leave_multi(&mut self) {
        self.multi = None;
        self.show_multi();
        self.lets_go = true;
    }

    /// What was queued since MULTI is not to be run without a request that was refused, and ends with an EXEC that is.
    pub(crate) fn note_refused(&mut self, args: &[&[u8]], refusal: Refusal) -> Refusal {
        if args[0].eq_ignore_ascii_case(b"exec") {
            self.leave_multi();
            return refusal.of_exec();
        }
        self.multi.iter_mut().for_each(Multi::refuse);
        refusal
    }

    /// For CLIENT LIST.
    pub(crate) fn show_multi(&self) {
        let queued = self.multi.as_ref().map_or(-1, |multi| multi.len() as isize);
        self.client.queued.store(queued, Relaxed);
    }

    pub(crate) fn database(&self) -> Database {
        Database::User(self.database)
    }

    pub(crate) fn select(&mut self, database: u8) {
        self.database = database;
        self.client.database.store(database, Relaxed);
    }

    /// As if it had just connected. Subscriptions and watched keys are the server's.
    pub(crate) fn reset(&mut self) {
        self.select(0);
        self.replies = Replies::On;
        self.multi = None;
        self.show_multi();
        self.read = None;
        self.client.no_evict.store(false, Relaxed);
        self.client.no_touch.store(false, Relaxed);
        self.client.set_protocol(Protocol::Resp2);
        self.client.names.lock().name.clear();
    }
}
