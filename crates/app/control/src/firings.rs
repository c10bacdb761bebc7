//! The controller of dead man's switches: does what the firings say, and takes them out.
//!
//! ```text
//! fired/0:alive/web@1042    event ...      the entry of the event log and the end of the firing are one transaction
//! fired/0:alive/web@1042    restart web    so are the new version of the service and the end of the firing
//! fired/0:alive/web@1042    webhook ...    sent until it is taken, then the firing ends: at least once
//! sending/0:alive/web@1042  811000         the tick of the first attempt: an hour after it there is no other
//! ```
//!
//! A firing that is there is one that is not done, whoever has been killed since: so it is found again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::records;
use adsum_keyspace::switch::{self, Action};
use adsum_keyspace::{Blob, Database, Entry, Keys, Notice, Space, Transaction, Value};
use adsum_model::{Event, Revision, print_duration};
use adsum_rollout::desire;
use adsum_store::{Ended, Failed, Store};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::webhook::{Call, send};

/// Webhooks that are tried at once; others wait.
const AT_ONCE: usize = 32;
/// Firings that wait for their webhook in memory; further ones wait on record.
const TASKS: usize = 1000;
/// The first pause after an attempt that failed; it doubles with each.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// From the first attempt to the last.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What has fired, and is not done.
#[derive(Clone, Debug)]
struct Firing {
    /// Of its record.
    key: Blob,
    database: u8,
    of: Blob,
    created: Revision,
    /// As it was put on record.
    words: Blob,
}

struct Controller {
    store: Store,
    patience: Duration,
    room: Arc<Semaphore>,
    webhooks: HashMap<Vec<u8>, JoinHandle<Result<(), Failed>>>,
}

/// Follows the system space for ever.
pub(crate) async fn run(store: Store) -> Result<Infallible, Failed> {
    Controller::new(store, PATIENCE).follow().await
}

impl Controller {
    fn new(store: Store, patience: Duration) -> Controller {
        Controller { store, patience, room: Arc::new(Semaphore::new(AT_ONCE)), webhooks: HashMap::new() }
    }

    async fn follow(mut self) -> Result<Infallible, Failed> {
        loop {
            let read = |tx: &mut Transaction<'_>| {
                (tx.keys_under(Database::System, switch::all_fired()).clone(), tx.read_revision())
            };
            let (keys, revision) = self.store.transact(read).0;
            self.store.durable(revision).await?;
            self.activate(all(keys)).await?;
            self.news(revision).await?;
        }
    }

    async fn activate(&mut self, firings: Vec<Firing>) -> Result<(), Failed> {
        self.webhooks.retain(|_, task| !task.is_finished());
        for firing in firings {
            match Action::parse(&String::from_utf8_lossy(&firing.words)) {
                Ok(Action::Event(text)) => self.store.commit(|tx| firing.say(tx, &text)).await?,
                Ok(Action::Restart(service)) => self.store.commit(|tx| firing.restart(tx, &service)).await?,
                Ok(Action::Webhook(url)) => self.begin(firing, url),
                Err(error) => {
                    self.store.commit(|tx| firing.end(tx, "switch-failed", &error.to_string())).await?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, firing: Firing, url: String) {
        let key = firing.key.to_vec();
        if self.webhooks.len() < TASKS && !self.webhooks.contains_key(&key) {
            let task = deliver(self.store.clone(), self.patience, self.room.clone(), firing, url);
            self.webhooks.insert(key, tokio::spawn(task));
        }
    }

    /// Returns when a firing may have come, or have gone, since `seen`.
    async fn news(&self, seen: Revision) -> Result<(), Failed> {
        let mut watch = self.store.watch(Space::System, seen);
        loop {
            match watch.next().await {
                Ok(commits) => {
                    let mut changes = commits.iter().flat_map(|commit| &commit.changes);
                    if changes.any(|change| change.key.starts_with(switch::all_fired())) {
                        return Ok(());
                    }
                }
                Err(Ended::Compacted(_)) => return Ok(()),
                Err(Ended::Failed(failed)) => return Err(failed),
            }
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.webhooks.values().for_each(JoinHandle::abort);
    }
}

/// Sends a webhook until it is taken or there is no patience left.
async fn deliver(
    store: Store,
    patience: Duration,
    room: Arc<Semaphore>,
    firing: Firing,
    url: String,
) -> Result<(), Failed> {
    let begun = store.commit(|tx| firing.begun(tx)).await?;
    let call = Call { url, name: firing.name(), body: firing.body() };
    let mut pause = PAUSE;
    loop {
        let outcome = {
            let _place = room.acquire().await;
            send(&call).await
        };
        let waited = store.now().tick.saturating_sub(begun);
        let (kind, what) = match outcome {
            Ok(()) => ("switch-fired", format!("POST {} was taken", call.url)),
            Err(error) if Duration::from_millis(waited) >= patience => {
                let patience = print_duration(patience);
                ("switch-failed", format!("POST {} was given up after {patience}: {error}", call.url))
            }
            Err(error) => {
                tracing::debug!(firing = call.name, url = call.url, error, "a webhook is tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        return store.commit(|tx| firing.end(tx, kind, &what)).await;
    }
}

/// Looked for where nobody waits: there may be many.
fn all(keys: Keys) -> Vec<Firing> {
    let begin = switch::all_fired();
    let records = keys.iter_from(begin).take_while(|(key, _)| key.starts_with(begin));
    records.filter_map(|(key, entry)| Firing::of(key, entry)).collect()
}

impl Firing {
    fn of(key: &Blob, entry: &Entry) -> Option<Firing> {
        let ((Database::User(database), of), created) = switch::fired_place(key)? else { return None };
        let Value::String(words) = &entry.value else { return None };
        Some(Firing { key: key.clone(), database, of, created, words: words.clone() })
    }

    fn say(&self, tx: &mut Transaction<'_>, text: &str) {
        self.end(tx, "switch-fired", text);
    }

    fn restart(&self, tx: &mut Transaction<'_>, service: &str) {
        if !self.is_there(tx) {
            return;
        }
        let restarted = match service.parse() {
            Ok(name) => desire::restart(tx, &name, &self.why()).map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(format!("'{service}' is no name of a service: {error}")),
        };
        match restarted {
            Ok(()) => self.end(tx, "switch-fired", &format!("service {service} is restarted")),
            Err(error) => self.end(tx, "switch-failed", &error),
        }
    }

    /// Says so in the event log and takes the firing out; nothing when that has been done.
    fn end(&self, tx: &mut Transaction<'_>, kind: &str, what: &str) {
        if !self.is_there(tx) {
            return;
        }
        let message = format!("{what} ({})", self.why());
        let time = tx.now().wall;
        records::log(tx, &Event { time, kind: kind.to_string(), service: None, instance: None, message });
        tx.delete(Database::System, &self.key, Notice::Del);
        tx.delete(Database::System, &self.sending(), Notice::Del);
    }

    fn is_there(&self, tx: &mut Transaction<'_>) -> bool {
        tx.get(Database::System, &self.key).is_some()
    }

    /// The tick of the first attempt, which may have been that of a process before this one.
    fn begun(&self, tx: &mut Transaction<'_>) -> u64 {
        let known = tx.get(Database::System, &self.sending()).map(|entry| &entry.value);
        let known = match known {
            Some(Value::String(tick)) => str::from_utf8(tick).ok().and_then(|tick| tick.parse().ok()),
            _ => None,
        };
        known.unwrap_or_else(|| {
            let now = tx.now().tick;
            if self.is_there(tx) {
                let value = Value::String(now.to_string().into());
                tx.put(Database::System, self.sending(), value, None, &[Notice::Set]);
            }
            now
        })
    }

    fn sending(&self) -> Blob {
        [b"sending/", &self.key[switch::all_fired().len()..]].concat().into()
    }

    fn why(&self) -> String {
        let of = self.of.escape_ascii();
        match self.database {
            0 => format!("key '{of}' has expired"),
            number => format!("key '{of}' of database {number} has expired"),
        }
    }

    /// The same in every attempt, and no other firing has it.
    fn name(&self) -> String {
        name(&self.key[switch::all_fired().len()..])
    }

    fn body(&self) -> String {
        let key = String::from_utf8_lossy(&self.of);
        let body = serde_json::json!({
            "event": "expired", "key": key, "db": self.database, "created": self.created.0, "firing": self.name(),
        });
        body.to_string()
    }
}

/// Fit for a header: visible characters, 255 of them at most. The end of a long name, which tells it from others of the
/// same key, stays as it is, and a sum stands for the rest.
fn name(key: &[u8]) -> String {
    const LONGEST: usize = 255;
    let mut name = String::new();
    for byte in key {
        match byte {
            b'"' | b'%' | b',' => name += &format!("%{byte:02X}"),
            byte if byte.is_ascii_graphic() => name.push(char::from(*byte)),
            byte => name += &format!("%{byte:02X}"),
        }
    }
    if name.len() <= LONGEST {
        return name;
    }
    // FNV-1a.
    let sum = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{sum:016x}~{}", &name[name.len() - 200..])
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::Deadline;
    use adsum_store::{Durability, Options};

    use super::*;

    #[tokio::test]
    async fn a_webhook_that_nobody_takes_is_given_up_and_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            Options { dir: dir.path().into(), durability: Durability::Always, about: Default::default() };
        let store = Store::open(options).unwrap();
        let controller = Controller::new(store.clone(), Duration::from_millis(1));
        let controller = tokio::spawn(controller.follow());
        let mut watch = store.watch(Space::System, store.durable_revision());
        store.transact(|tx| {
            let database = Database::User(0);
            let switch = switch::key_of(database, b"a").unwrap();
            // Port 1 of this machine: nobody listens there.
            let action = Value::String("webhook http://127.0.0.1:1/".into());
            tx.put(Database::System, switch, action, None, &[]);
            let deadline = Some(Deadline::after(1, tx.now()));
            tx.put(database, "a", Value::String("x".into()), deadline, &[]);
        });
        let is_told = |key: &[u8]| key.starts_with(b"event/");
        let is_told =
            |commit: &adsum_keyspace::Commit| commit.changes.iter().any(|change| is_told(&change.key));
        while !watch.next().await.unwrap().iter().any(|commit| is_told(commit)) {}
        let keys = store.transact(|tx| tx.keys(Database::System).clone()).0;
        let names: Vec<String> =
            keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        assert_eq!(names.len(), 2, "the switch and the event are left: {names:?}");
        let event: Event = keys.first().map(|(_, entry)| records::decode(entry)).unwrap();
        assert_eq!(event.kind, "switch-failed");
        assert!(event.message.contains("was given up after 1ms"), "{}", event.message);
        controller.abort();
    }

    #[test]
    fn the_name_of_a_firing_fits_into_a_header_and_is_its_own() {
        assert_eq!(name(b"0:alive/web@17"), "0:alive/web@17");
        assert_eq!(name(b"0:a b\xff%@17"), "0:a%20b%FF%25@17");
        let long = |first: u8| name(&[&[first; 60_000][..], b"@17"].concat());
        assert!(long(b'a').len() <= 255 && long(b'a').ends_with("aaa@17"));
        assert_ne!(long(b'a'), long(b'\xff'));
        let (one, other) = ([b"x", &[b'a'; 300][..]].concat(), [b"y", &[b'a'; 300][..]].concat());
        assert_ne!(name(&one), name(&other));
    }
}
