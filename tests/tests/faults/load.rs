//! Clients that write until their connection breaks off, remember what they were told, and look for it afterwards.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::until;

const CLIENTS: usize = 8;
/// How many keys a client writes in turn.
const KEYS: u64 = 50;
const SOON: Duration = Duration::from_secs(30);

/// What a check has found, in writes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many were acknowledged since the last check.
    pub(crate) acknowledged: u64,
    /// How many of these are not there.
    pub(crate) lost: u64,
    /// How many values are there that nobody sent.
    pub(crate) invented: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.invented += other.invented;
    }
}

/// What all clients together have been told so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

impl Progress {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many more writes are acknowledged.
    #[track_caller]
    pub(crate) fn wait_for(&self, more: u64) {
        let enough = self.acknowledged() + more;
        until("enough is acknowledged", SOON, || (self.acknowledged() >= enough).then_some(()));
    }
}

#[derive(Debug)]
pub(crate) struct Load {
    writers: Vec<Writer>,
}

impl Load {
    pub(crate) fn new() -> Load {
        Load { writers: (0..CLIENTS).map(Writer::new).collect() }
    }

    /// Values of about so many bytes.
    pub(crate) fn of_bytes(bytes: usize) -> Load {
        let mut load = Load::new();
        load.writers.iter_mut().for_each(|writer| writer.padding = "x".repeat(bytes));
        load
    }

    /// Has all clients write while `body` runs, which may break the connections off. Those that are left write one
    /// more.
    pub(crate) fn during<T>(&mut self, address: SocketAddr, body: impl FnOnce(&Progress) -> T) -> T {
        let progress = Progress::default();
        std::thread::scope(|scope| {
            for writer in &mut self.writers {
                let progress = &progress;
                scope.spawn(move || writer.write(address, progress));
            }
            let _over = Over(&progress.over);
            body(&progress)
        })
    }

    /// Looks for everything acknowledged. What is found is what counts from now on.
    pub(crate) fn check(&mut self, address: SocketAddr) -> Tally {
        let mut connection = Connection::open(address).expect("the server listens");
        let mut tally = Tally::default();
        self.writers.iter_mut().for_each(|writer| tally += writer.check(&mut connection));
        tally
    }
}

/// Ends the writers also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The last writes to a key; 0 is none.
#[derive(Debug, Default, Clone, Copy)]
struct Key {
    sent: u64,
    acknowledged: u64,
    /// What the last check has found, and the last write of the client then: all up to there is settled.
    found: u64,
    settled: u64,
}

impl Key {
    /// How many acknowledged writes have gone when `found` is there: those since the last check, and the one that was
    /// there then if that has gone as well.
    fn lost(&self, found: u64) -> u64 {
        let since = self.acknowledged.saturating_sub(found.max(self.settled)).div_ceil(KEYS);
        since + u64::from(found < self.found)
    }
}

/// Write *n* goes to key *n* modulo the number of keys, and its value is *n*.
#[derive(Debug)]
struct Writer {
    name: usize,
    padding: String,
    /// The last write that was sent.
    sent: u64,
    /// By key.
    keys: Vec<Key>,
    acknowledged: u64,
}

impl Writer {
    fn new(name: usize) -> Writer {
        Writer {
            name,
            padding: String::new(),
            sent: 0,
            keys: vec![Key::default(); KEYS as usize],
            acknowledged: 0,
        }
    }

    fn key(&self, slot: u64) -> String {
        format!("/w/{}/{slot}", self.name)
    }

    fn write(&mut self, address: SocketAddr, progress: &Progress) {
        let Ok(mut connection) = Connection::open(address) else { return };
        while !progress.over.load(Ordering::Relaxed) {
            self.sent += 1;
            let slot = self.sent % KEYS;
            let value = format!("{}:{}", self.sent, self.padding);
            self.keys[slot as usize].sent = self.sent;
            match connection.ask(&["SET", &self.key(slot), &value]) {
                Ok(Reply::Text(_)) => {
                    self.keys[slot as usize].acknowledged = self.sent;
                    self.acknowledged += 1;
                    progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => drop(progress.refused.fetch_add(1, Ordering::Relaxed)),
                Err(_) => return,
            }
        }
    }

    fn check(&mut self, connection: &mut Connection) -> Tally {
        let mut tally = Tally { acknowledged: std::mem::take(&mut self.acknowledged), ..Tally::default() };
        for slot in 0..KEYS {
            let found = match connection.ask(&["GET", &self.key(slot)]).expect("the server answers") {
                Reply::Nil => 0,
                Reply::Text(text) => self.number(&text),
                other => panic!("{} is {other:?}", self.key(slot)),
            };
            let key = &mut self.keys[slot as usize];
            tally.invented += u64::from(found > key.sent || (found > 0 && found % KEYS != slot));
            tally.lost += key.lost(found);
            *key = Key { sent: found, acknowledged: found, found, settled: self.sent };
        }
        tally
    }

    fn number(&self, text: &str) -> u64 {
        let (number, padding) = text.split_once(':').unwrap_or_default();
        assert_eq!(padding.len(), self.padding.len(), "a value of another length");
        number.parse().unwrap_or(u64::MAX)
    }
}
