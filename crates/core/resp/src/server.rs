//! The keyspace with everything that clients share.

use std::sync::Arc;
use std::time::Duration;

use adsum_keyspace::{Commit, Garbage, Keyspace, Now, Outcome, TooBig, Transaction};
use adsum_model::Revision;
use smallvec::SmallVec;

use crate::blocking::Waiters;
use crate::client::{Client, ClientId, Clients, Ends};
use crate::command::{Command, Table, WRITE};
use crate::cursors::Cursors;
use crate::grants::Grants;
use crate::lot::Lot;
use crate::multi::Watched;
use crate::pause::Pause;
use crate::readers::Readers;
use crate::scripts::Scripts;
use crate::settings::Settings;
use crate::subscriptions::Subscriptions;
use crate::tracking::{Scene, Tracking};
use crate::{About, Deferred, Outbox, Request, Session, Vitals, Wake, Writer, limits};

mod errors;
mod execute;
mod notifications;
mod settle;
mod transaction;
mod waiting;

pub(crate) use errors::Errors;
pub(crate) use execute::{allow, check_keys, help};
use notifications::Misses;
pub(crate) use transaction::{Marks, fill_in};

/// One of it exists, behind one lock. The order in which its methods are called is the order of everything.
pub struct Server {
    pub(crate) keyspace: Keyspace,
    pub(crate) about: About,
    pub(crate) vitals: Vitals,
    pub(crate) commands: Table,
    pub(crate) clients: Clients,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) waiters: Waiters,
    pub(crate) cursors: Cursors,
    pub(crate) settings: Settings,
    pub(crate) stats: Stats,
    pub(crate) lot: Lot,
    pub(crate) readers: Readers,
    pub(crate) watched: Watched,
    pub(crate) grants: Grants,
    pub(crate) scripts: Scripts,
    pub(crate) tracking: Tracking,
    pub(crate) pause: Pause,
    /// Whose request is being run.
    pub(crate) author: Option<ClientId>,
    /// Of the transaction that is under way.
    pub(crate) marks: Marks,
    misses: Misses,
    /// Why nothing may grow at the moment.
    pub(crate) no_growth: Option<Arc<str>>,
    commits: Vec<Arc<Commit>>,
    /// Bytes of them, about.
    committed: usize,
    /// The buffer in which replies are written, kept for the next one.
    scratch: Vec<u8>,
}

/// What the connection does after a request.
#[derive(Debug)]
pub enum Flow {
    Continue,
    /// No further request of this client until its outbox is woken with [`Wake::Unblocked`], or until the time is
    /// over: then [`Server::time_out`] and on. None is for ever.
    Blocked {
        timeout: Option<Duration>,
    },
    /// No further request of this client until this reply has been written and put into its outbox.
    Deferred(Deferred),
    /// Nothing was done, since a script takes so long that others would be held up: the same request is to be run by
    /// [`Server::execute_patiently`], on a thread that serves nobody else.
    HeldUp,
    /// Nothing was done, as a pause has been asked for: the same request again when the outbox is woken with
    /// [`Wake::Unblocked`], or after this time.
    Paused {
        rest: Duration,
    },
    /// Send what is in the outbox and close.
    Close,
}

/// Counted since the start, or since CONFIG RESETSTAT.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) commands: u64,
    pub(crate) connections_before: u64,
    pub(crate) expired: u64,
    pub(crate) errors: Errors,
}

/// A reply buffer larger than this is not kept.
const SCRATCH: usize = 1024 * 1024;

impl Server {
    pub fn new(keyspace: Keyspace, about: About) -> Server {
        Server {
            keyspace,
            settings: Settings::new(&about),
            lot: Lot::new(about.seed),
            about,
            vitals: Vitals::default(),
            commands: Table::new(),
            clients: Clients::default(),
            subscriptions: Subscriptions::default(),
            waiters: Waiters::default(),
            cursors: Cursors::default(),
            stats: Stats::default(),
            readers: Readers::default(),
            watched: Watched::default(),
            grants: Grants::default(),
            scripts: Scripts::new(),
            tracking: Tracking::default(),
            pause: Pause::default(),
            author: None,
            marks: Marks::new(),
            misses: Misses::default(),
            no_growth: None,
            commits: Vec::new(),
            committed: 0,
            scratch: Vec::new(),
        }
    }

    /// Has fetched what these requests will look for, which are run next: each by itself would wait for memory anew.
    pub fn expect(&self, session: &Session, requests: &[(usize, Request<'_>)]) {
        if requests.len() < 2 {
            return;
        }
        let mut keys: SmallVec<[&[u8]; 32]> = SmallVec::new();
        let mut elements: SmallVec<[(&[u8], &[u8]); 32]> = SmallVec::new();
        let mut writes = 0;
        for (_, request) in requests {
            let Some(command) = request.args.first().and_then(|name| self.commands.find(name)) else {
                continue;
            };
            for key in command.keys_in(&request.args).into_iter().flatten() {
                if keys.last() != Some(&key) && keys.len() < keys.inline_size() {
                    keys.push(key);
                }
            }
            if let Some(name) = command.element_in(&request.args)
                && elements.len() < elements.inline_size()
            {
                elements.push((request.args[1], name));
            }
            writes += usize::from(command.flags.has(WRITE));
        }
        let database = session.database();
        if keys.len() > 1 {
            self.keyspace.expect(database, &keys);
        }
        for named in elements.chunk_by(|(key, _), (next, _)| key == next) {
            let names: SmallVec<[&[u8]; 32]> = named.iter().map(|(_, name)| *name).collect();
            self.keyspace.expect_elements(database, named[0].0, &names);
        }
        self.keyspace.expect_writes(writes);
    }

    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// A transaction of any other face. Reacts to what it did as to a command: with notifications, and by serving
    /// blocked clients.
    pub fn transact<T>(
        &mut self,
        now: Now,
        body: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Result<T, TooBig> {
        let Outcome { reply, commit, made, publishes } = self.keyspace.transact(now, body)?;
        self.settle(Outcome { reply: (), commit, made, publishes }, now);
        Ok(reply)
    }

    /// Applies expiries that are due: a bounded round of them, so that it takes several calls when there are very
    /// many. First of all in every batch, and by the timer.
    pub fn expire(&mut self, now: Now) {
        if let Some(commit) = self.keyspace.expire(now) {
            let outcome =
                Outcome { reply: (), commit: Some(commit), made: Vec::new(), publishes: Vec::new() };
            self.settle(outcome, now);
        }
    }

    /// Marks the clock for the journal: from here ticks go on after a restart.
    pub fn mark_clock(&mut self, now: Now) {
        let commit = self.keyspace.mark_clock(now);
        self.commits.push(commit);
    }

    /// Whether [`Server::take_commits`] would give any.
    pub fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Whether they are so large that the journal is to have them before there are more: a short request can commit a long
    /// value.
    pub fn has_large_commits(&self) -> bool {
        self.committed > limits::COMMITS
    }

    /// The commits made since the last call, in order, for the journal.
    pub fn take_commits(&mut self) -> std::vec::Drain<'_, Arc<Commit>> {
        self.committed = 0;
        self.commits.drain(..)
    }

    /// What is no longer needed, to be freed where nobody waits.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        self.keyspace.take_garbage()
    }

    /// What INFO shows of the process from now on.
    pub fn report(&mut self, vitals: Vitals) {
        self.vitals = vitals;
    }

    /// How `CONFIG GET appendfsync` names the durability: `always` (as long as nothing is said) or `everysec`.
    pub fn set_durability(&mut self, appendfsync: &str) {
        self.settings.set_durability(appendfsync);
    }

    /// From now on commands that make the state grow are refused for this reason, until there is none. What takes away
    /// goes on, and so does what holds a lock.
    pub fn refuse_growth(&mut self, reason: Option<Arc<str>>) {
        self.no_growth = reason;
    }

    /// `ends`: the address of the client, or both.
    pub fn connect(&mut self, outbox: Arc<dyn Outbox>, ends: impl Into<Ends>, now: Now) -> Session {
        Session::new(self.clients.add(outbox, ends.into(), self.about.mode(), now))
    }

    /// How many clients are connected.
    pub fn connected(&self) -> usize {
        self.clients.by_id.len()
    }

    /// Nothing is sent to the client any more, and nothing is done for it.
    pub fn disconnect(&mut self, session: Session) {
        self.forget(&session.client);
    }

    /// The time of a blocked command is over. Answers with null unless the client was served meanwhile.
    pub fn time_out(&mut self, session: &mut Session, _now: Now) {
        if let Some(bytes) = self.stop_waiting(&session.client) {
            self.reply(session, &bytes);
        }
    }

    /// Takes a client out of what it waits for. What it gets then; None when it did not wait.
    fn stop_waiting(&mut self, client: &Client) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut out = writer(client, &mut bytes);
        let silent = if let Some(waiter) = self.waiters.remove(client.id) {
            waiter.action.give_up(&mut out);
            waiter.silent
        } else {
            let reader = self.readers.remove(client.id)?;
            out.null_array();
            reader.silent
        };
        Some(if silent { Vec::new() } else { bytes })
    }

    /// Has a client go on that waits, with this error or as if its time were over. Whether it did.
    pub(crate) fn unblock(&mut self, id: ClientId, error: Option<&str>) -> bool {
        let Some(client) = self.clients.by_id.get(&id).cloned() else { return false };
        let Some(mut bytes) = self.stop_waiting(&client) else { return false };
        if let Some(error) = error.filter(|_| !bytes.is_empty()) {
            bytes.clear();
            self.stats.errors.count(error);
            writer(&client, &mut bytes).error(error);
        }
        client.outbox.push(self.revision(), &bytes, Wake::Unblocked);
        true
    }

    pub(crate) fn forget(&mut self, client: &Client) {
        self.waiters.remove(client.id);
        self.readers.remove(client.id);
        self.watched.remove(client);
        self.subscriptions.remove_client(client);
        self.tracking.turn_off(client.id);
        self.pause.forget(client);
        self.clients.by_id.remove(&client.id);
    }

    /// A command has been run, for a client or for its script.
    pub(crate) fn note_command(&mut self, command: &Command, args: &[&[u8]]) {
        self.note_misses(command, args);
        if self.tracking.clients() > 0 {
            let (revision, author) = (self.revision(), self.author);
            let scene = Scene { clients: &self.clients, author, changed_by: author, revision };
            self.tracking.note_command(command, args, scene);
        }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.keyspace.revision()
    }

    fn reply(&self, session: &Session, bytes: &[u8]) {
        session.client.outbox.push(self.revision(), bytes, Wake::No);
    }
}

/// Writes into a buffer in the protocol of `client`.
fn writer<'a>(client: &Client, buffer: &'a mut Vec<u8>) -> Writer<'a> {
    Writer::new(buffer, client.protocol())
}
