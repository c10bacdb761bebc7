//! What follows from a commit: events, messages, blocked clients served.

use std::sync::Arc;

use adsum_keyspace::{Blob, Change, Commit, Database, Kind, Notice, Now, Outcome, Publish};

use super::transaction::fill_in;
use super::{Server, writer};
use crate::Protocol;
use crate::Wake;
use crate::blocking::{Action, Ready};
use crate::client::{Client, ClientId};
use crate::readers::{Reader, Reading};
use crate::refusal::Refusal;
use crate::tracking::Scene;

impl Server {
    /// Reacts to a transaction. Returns when nothing follows any more: a client that was served may have made work
    /// for another one.
    pub(super) fn settle(&mut self, outcome: Outcome<()>, now: Now) {
        let Outcome { reply: (), commit, made, publishes } = outcome;
        if commit.is_none() && publishes.is_empty() && self.misses.is_empty() {
            // A mere read.
            return;
        }
        if !self.misses.is_empty() {
            self.publish_misses();
        }
        match commit {
            Some(commit) => self.record(commit, &made, &publishes, self.author),
            None => publishes.iter().for_each(|message| self.publish(message)),
        }
        while let Some(place) = self.waiters.next_ready() {
            self.serve_waiters(&place, now);
        }
        self.serve_readers();
    }

    /// Gives those who watch what they wait for. Most read the same, which is then written once.
    fn serve_readers(&mut self) {
        let mut last: Option<(Reading, Protocol, Vec<u8>)> = None;
        for Reader { client, reading, silent } in self.readers.take_ready() {
            if silent {
                client.outbox.push(self.revision(), &[], Wake::Unblocked);
                continue;
            }
            let protocol = client.protocol();
            let same = last.as_ref().is_some_and(|last| last.0.is_same(&reading) && last.1 == protocol);
            if !same {
                let bytes = self.read(&reading, &client);
                last = Some((reading, protocol, bytes));
            }
            if let Some((_, _, bytes)) = &last {
                client.outbox.push(self.revision(), bytes, Wake::Unblocked);
            }
        }
    }

    fn read(&self, reading: &Reading, client: &Client) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = writer(client, &mut bytes);
        match reading.write(&self.keyspace, &mut out) {
            Ok(true) => {}
            Ok(false) => out.null_array(),
            Err(compacted) => out.error(&Refusal::from(compacted).to_string()),
        }
        bytes
    }

    /// `made`: see [`Outcome::made`].
    fn record(
        &mut self,
        commit: Arc<Commit>,
        made: &[usize],
        publishes: &[Publish],
        changed_by: Option<ClientId>,
    ) {
        self.count_expired(&commit);
        self.tell_of(&commit, made, publishes);
        self.waiters.note(&commit);
        self.readers.note(&commit);
        self.watched.note(&commit);
        self.grants.note(&commit);
        let (clients, author, revision) = (&self.clients, self.author, commit.revision);
        self.tracking.note(&commit, Scene { clients, author, changed_by, revision });
        self.committed += commit.changes.iter().map(Change::weight).sum::<usize>();
        self.commits.push(commit);
    }

    fn count_expired(&mut self, commit: &Commit) {
        let expired = commit.changes.iter().filter(|change| change.notices.first() == Some(&Notice::Expired));
        self.stats.expired += expired.count() as u64;
    }

    /// Serves those who wait for a key, the longest waiting first, until there is nothing left for the next one.
    fn serve_waiters(&mut self, place: &(Ready, Database, Blob), now: Now) {
        if place.0 == Ready::Given(Kind::Stream) {
            return self.serve_stream(place, now);
        }
        while let Some(waiter) = self.waiters.first(place) {
            if !self.is_ready(place) {
                return;
            }
            let (client, action, silent) = (waiter.client.clone(), waiter.action.clone(), waiter.silent);
            if !client.outbox.is_open() {
                self.waiters.remove(client.id);
                continue;
            }
            let bytes = self.serve(place, &client, &action, now);
            if bytes.is_empty() {
                return;
            }
            self.waiters.remove(client.id);
            let reply = if silent { &[] } else { bytes.as_slice() };
            client.outbox.push(self.revision(), reply, Wake::Unblocked);
        }
    }

    /// Whether a key still is what is waited for: it may have become something else since, even in the same commit.
    fn is_ready(&self, (ready, database, key): &(Ready, Database, Blob)) -> bool {
        let entry = self.keyspace.keys(*database).get(key.as_slice());
        match ready {
            Ready::Given(kind) => entry.is_some_and(|entry| entry.value.kind() == *kind),
            Ready::Free => entry.is_none(),
        }
    }

    /// Its reply; empty when the key is not what was waited for any more.
    pub(super) fn serve(
        &mut self,
        place: &(Ready, Database, Blob),
        client: &Client,
        action: &Action,
        now: Now,
    ) -> Vec<u8> {
        let (_, database, key) = place;
        let mut bytes = Vec::new();
        let mut out = writer(client, &mut bytes);
        let done = self.act((*database, key), action, client.id, now, &mut out);
        match &done {
            Ok(true) => {}
            Ok(false) => out.truncate(0),
            Err(refusal) => {
                let text = refusal.to_string();
                self.stats.errors.count(&text);
                out.truncate(0);
                out.error(&text);
            }
        }
        let marks = std::mem::take(&mut self.marks);
        let outcome =
            self.keyspace.finish(now).expect("an element moved, or some popped, is within the limit");
        if let Some(commit) = outcome.commit {
            if matches!(done, Ok(true)) {
                fill_in(&mut bytes, &marks, commit.revision.0);
            }
            self.record(commit, &outcome.made, &outcome.publishes, Some(client.id));
        }
        bytes
    }
}
