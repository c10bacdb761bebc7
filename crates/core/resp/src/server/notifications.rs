//! Keyspace notifications: the events of a commit, and keys that somebody has looked for in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::Ordering;

use adsum_keyspace::{Blob, Change, Commit, Database, Notice, Op};

use adsum_model::Revision;

use super::Server;
use crate::command::{Command, READ};

impl Server {
    /// Publishes the events of a commit, in order.
    pub(super) fn notify_of(&self, commit: &Commit) {
        if !self.settings.notify.any() || !self.subscriptions.may_want_notifications() {
            return;
        }
        let mut new = if self.settings.notify.new_keys() { self.new_keys(commit) } else { BTreeSet::new() };
        for (at, change) in commit.changes.iter().enumerate() {
            // What is given another name is there under it first.
            let is_moved =
                change.notices.iter().any(|one| matches!(one, Notice::RenameFrom | Notice::MoveFrom));
            let first = if is_moved { at..at + 2 } else { at..at + 1 };
            for at in first.rev().filter(|at| new.remove(at)) {
                let change = &commit.changes[at];
                self.notify(change.database, &change.key, "new");
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

    /// Which changes of a commit make a key that was not there. Redis takes what is copied or moved over another key for
    /// new, too.
    fn new_keys(&self, commit: &Commit) -> BTreeSet<usize> {
        let mut there: BTreeMap<(Database, &Blob), bool> = BTreeMap::new();
        let mut cleared = BTreeSet::new();
        let mut new = BTreeSet::new();
        for (at, change) in commit.changes.iter().enumerate() {
            let place = (change.database, &change.key);
            let makes = match change.op {
                Op::Put { .. } | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => true,
                Op::Delete => false,
                Op::SetDeadline(_) => continue,
                Op::Clear => {
                    there.retain(|(database, _), _| *database != change.database);
                    cleared.insert(change.database);
                    continue;
                }
            };
            let was = there.get(&place).copied();
            let was =
                was.unwrap_or_else(|| !cleared.contains(&change.database) && self.was_there(change, commit));
            if makes && (!was || is_anew(change)) {
                new.insert(at);
            }
            there.insert(place, makes);
        }
        new
    }

    /// Whether the key of a change was there before the commit, as far as anybody knows.
    fn was_there(&self, change: &Change, commit: &Commit) -> bool {
        let place = (change.database, change.key.clone());
        let before = self.keyspace.entry_at(&place, Revision(commit.revision.0 - 1));
        before.is_ok_and(|entry| entry.is_some())
    }

    /// A command has been run: the keys that it has read and that are not there are missed.
    pub(super) fn note_misses(&self, command: &Command, args: &[&[u8]]) {
        if !self.settings.notify.misses() || !self.subscriptions.may_want_notifications() {
            return;
        }
        let author = self.author.and_then(|author| self.clients.by_id.get(&author));
        let Some(author) = author else { return };
        let database = Database::User(author.database.load(Ordering::Relaxed));
        let read = read_by(command);
        let keys = command.keys_in(args).into_iter().flatten().skip(read.start).take(read.len());
        for key in keys.filter(|key| self.keyspace.keys(database).get(*key).is_none()) {
            self.notify(database, key, "keymiss");
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

fn is_anew(change: &Change) -> bool {
    let anew = |notice: &Notice| matches!(notice, Notice::RenameTo | Notice::CopyTo | Notice::MoveTo);
    change.notices.iter().any(anew)
}
