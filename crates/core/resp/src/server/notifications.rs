//! Keyspace notifications: the events of a commit, and keys that somebody has looked for in vain.
//!
//! Invariant: a miss that may depend on the transaction which is under way leaves when that is committed, with its
//! revision, and is forgotten when it is taken back.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::Ordering;

use adsum_keyspace::{Audience, Blob, Change, Commit, Database, Notice, Publish};

use super::Server;
use crate::command::{Command, READ};

/// Keys that the transaction which is under way has looked for in vain.
#[derive(Default)]
pub(crate) struct Misses {
    /// Whether the transaction has parts, any of which may take all of it back, whatever it has done so far.
    pub(super) has_parts: bool,
    keys: Vec<(Database, Blob)>,
    bytes: usize,
}

impl Misses {
    /// Of one transaction, and the bytes of them. What is missed beyond that is not told: a script can miss any number of
    /// keys, which neither its effects nor its replies show, and a transaction does not fail for who listens to it.
    const KEYS: usize = 100_000;
    const BYTES: usize = 16 * 1024 * 1024;

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn push(&mut self, database: Database, key: &[u8]) {
        if self.keys.len() < Misses::KEYS && self.bytes + key.len() <= Misses::BYTES {
            self.bytes += key.len();
            self.keys.push((database, key.into()));
        }
    }
}

impl Server {
    /// Publishes the events of a commit, and what its transaction publishes itself, as they came. `made`: the changes that made
    /// a key, if those are asked for.
    pub(super) fn tell_of(&self, commit: &Commit, made: &[usize], mut publishes: &[Publish]) {
        if self.settings.notify.any() && self.subscriptions.may_want_notifications() {
            self.notify_of(commit, made, &mut publishes);
        }
        publishes.iter().for_each(|message| self.publish(message));
    }

    pub(super) fn publish(&self, Publish { to, channel, payload, .. }: &Publish) {
        match to {
            Audience::Channel => self.subscriptions.publish(channel, payload, self.revision()),
            Audience::Shard => self.subscriptions.publish_to_shard(channel, payload, self.revision()),
        }
    }

    /// Leaves what is published behind the last change.
    fn notify_of(&self, commit: &Commit, made: &[usize], publishes: &mut &[Publish]) {
        let tells_new = self.settings.notify.new_keys();
        let is_new = |at: usize| made.binary_search(&at).is_ok() || is_anew(&commit.changes[at]);
        // What is given another name is there under it first: told of before its old one goes.
        let mut told = None;
        for (at, change) in commit.changes.iter().enumerate() {
            while let Some((message, rest)) = publishes.split_first()
                && message.behind <= at
            {
                self.publish(message);
                *publishes = rest;
            }
            let here = if is_moved(change) { at + 1 } else { at };
            if tells_new && told != Some(here) && here < commit.changes.len() && is_new(here) {
                let made = &commit.changes[here];
                self.notify(made.database, &made.key, "new");
                told = Some(here);
            }
            for notice in self.settings.notify.of(change) {
                self.notify(change.database, &change.key, notice.as_str());
            }
        }
    }

    /// The keyspace message first, then the keyevent.
    fn notify(&self, database: Database, key: &[u8], event: &str) {
        let Database::User(number) = database else { return };
        let revision = self.revision();
        if self.settings.notify.keyspace() {
            let mut channel = format!("__keyspace@{number}__:").into_bytes();
            channel.extend_from_slice(key);
            self.subscriptions.publish(&channel, event.as_bytes(), revision);
        }
        if self.settings.notify.keyevent() {
            let mut channel = String::new();
            let _ = write!(channel, "__keyevent@{number}__:{event}");
            self.subscriptions.publish(channel.as_bytes(), key, revision);
        }
    }

    /// A command has been run: the keys that it has read and that are not there are missed.
    pub(super) fn note_misses(&mut self, command: &Command, args: &[&[u8]]) {
        if !self.settings.notify.misses() || !self.subscriptions.may_want_notifications() {
            return;
        }
        let author = self.author.and_then(|author| self.clients.by_id.get(&author));
        let Some(author) = author else { return };
        let database = Database::User(author.database.load(Ordering::Relaxed));
        let read = read_by(command);
        for key in command.keys_in(args).into_iter().flatten().skip(read.start).take(read.len()) {
            if self.keyspace.keys(database).get(key).is_none() {
                self.note_miss(database, key);
            }
        }
    }

    /// A key that is not there is missed.
    pub(crate) fn note_miss(&mut self, database: Database, key: &[u8]) {
        if !self.settings.notify.misses() || !self.subscriptions.may_want_notifications() {
            return;
        }
        if self.misses.has_parts || self.keyspace.under_way() > 0 {
            self.misses.push(database, key);
        } else {
            self.notify(database, key, "keymiss");
        }
    }

    /// The transaction that has missed them holds.
    pub(super) fn publish_misses(&mut self) {
        for (database, key) in std::mem::take(&mut self.misses).keys {
            self.notify(database, &key, "keymiss");
        }
    }
}

/// Which of the keys that it names a command reads and can miss. What GETSET, GETDEL and SET have missed is not told: it
/// cannot be seen behind them.
fn read_by(command: &Command) -> Range<usize> {
    match command.name {
        "memory|usage" | "object|encoding" | "object|freq" | "object|idletime" | "object|refcount" => 0..0,
        "bitop" | "sdiffstore" | "sinterstore" | "sunionstore" | "zdiffstore" | "zinterstore"
        | "zrangestore" | "zunionstore" => 1..usize::MAX,
        "bitfield" | "copy" | "getex" | "sort" | "xack" | "xautoclaim" | "xclaim" => 0..1,
        _ if command.flags.has(READ) => 0..usize::MAX,
        _ => 0..0,
    }
}

fn is_moved(change: &Change) -> bool {
    change.notices.iter().any(|notice| matches!(notice, Notice::RenameFrom | Notice::MoveFrom))
}

/// Redis takes what is copied or moved over another key for new, too.
fn is_anew(change: &Change) -> bool {
    let anew = |notice: &Notice| matches!(notice, Notice::RenameTo | Notice::CopyTo | Notice::MoveTo);
    change.notices.iter().any(anew)
}
