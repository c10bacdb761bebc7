//! An engine in memory, a face on it, and clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use adsum_keyspace::{Keyspace, Now};
use adsum_listen::resp::{Bound, Busy, Engine, Limits, serve_all, spawn};
use adsum_model::Revision;
use adsum_resp::{About, Overseer, Server};
use parking_lot::Mutex;
use tokio::sync::watch;

#[derive(Clone)]
pub(crate) struct Memory(Arc<Inner>);

struct Inner {
    server: Mutex<Server>,
    overseer: Arc<Overseer>,
    began: Instant,
    /// Whether every commit is durable at once.
    prompt: AtomicBool,
    /// Whether everything is durable when it is said that nothing follows.
    hasty: AtomicBool,
    /// How often it was said that nothing follows.
    hastened: AtomicU64,
    durable: AtomicU64,
    /// Bytes that were committed at once, at most.
    most: AtomicUsize,
    rises: Mutex<Option<watch::Sender<Revision>>>,
}

impl Memory {
    fn new() -> Memory {
        let began = Instant::now();
        let overseer = Arc::new(Overseer::new(move || began.elapsed()));
        let mut server = Server::new(Keyspace::default(), About::default());
        server.oversee_scripts(overseer.clone());
        Memory(Arc::new(Inner {
            server: Mutex::new(server),
            overseer,
            began,
            prompt: AtomicBool::new(true),
            hasty: AtomicBool::new(false),
            hastened: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            most: AtomicUsize::new(0),
            rises: Mutex::new(Some(watch::channel(Revision::ZERO).0)),
        }))
    }

    /// From now on nothing becomes durable by itself.
    pub(crate) fn hold(&self) {
        self.0.prompt.store(false, SeqCst);
    }

    /// From now on everything becomes durable when it is said that nothing follows, and never by itself.
    pub(crate) fn wait_for_haste(&self) {
        self.hold();
        self.0.hasty.store(true, SeqCst);
    }

    pub(crate) fn release(&self, revision: Revision) {
        self.0.durable.store(revision.0, SeqCst);
        if let Some(rises) = &*self.0.rises.lock() {
            rises.send_replace(revision);
        }
    }

    pub(crate) fn fail(&self) {
        self.0.rises.lock().take();
    }

    fn rises(&self) -> watch::Receiver<Revision> {
        match &*self.0.rises.lock() {
            Some(rises) => rises.subscribe(),
            None => watch::channel(Revision::ZERO).1,
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.0.server.lock().keyspace().revision().0
    }

    /// How often it was said that nothing follows what was committed.
    pub(crate) fn hastened(&self) -> u64 {
        self.0.hastened.load(SeqCst)
    }

    /// Bytes that were committed at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    /// Does something while nobody else has the server.
    pub(crate) fn alone<T>(&self, body: impl FnOnce(&Server) -> T) -> T {
        body(&self.0.server.lock())
    }

    /// Waits until the server is in a state.
    #[track_caller]
    pub(crate) fn await_level(&self, level: impl Fn(&Server) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !level(&self.0.server.lock()) {
            assert!(Instant::now() < deadline, "the server never got there");
            std::thread::yield_now();
        }
    }
}

impl Engine for Memory {
    fn enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> T {
        let server = &mut *self.0.server.lock();
        let tick = self.0.began.elapsed().as_millis() as u64;
        let now = Now { tick, wall: 1_700_000_000_000 + tick };
        server.expire(now);
        let result = body(server, now);
        let bytes =
            server.take_commits().flat_map(|commit| commit.changes.clone()).map(|it| it.weight()).sum();
        self.0.most.fetch_max(bytes, SeqCst);
        let revision = server.keyspace().revision();
        if self.0.prompt.load(SeqCst) && revision > self.durable() {
            self.release(revision);
        }
        result
    }

    fn try_enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> Result<T, Busy> {
        if self.0.overseer.is_busy() { Err(Busy) } else { Ok(self.enter(body)) }
    }

    fn overseer(&self) -> &Overseer {
        &self.0.overseer
    }

    fn durable(&self) -> Revision {
        Revision(self.0.durable.load(SeqCst))
    }

    fn hasten(&self) {
        self.0.hastened.fetch_add(1, SeqCst);
        if self.0.hasty.load(SeqCst) {
            // In the lock, so that it never falls.
            let server = self.0.server.lock();
            self.release(server.keyspace().revision());
        }
    }

    async fn durable_above(&self, revision: Revision) -> Revision {
        let mut rises = self.rises();
        let risen = rises.wait_for(|durable| *durable > revision).await.map(|durable| *durable);
        match risen {
            Ok(durable) => durable,
            Err(_) => std::future::pending().await,
        }
    }

    async fn failed(&self) {
        let mut rises = self.rises();
        while rises.changed().await.is_ok() {}
    }
}

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test watches that nothing comes.
const SILENCE: Duration = Duration::from_millis(50);

pub(crate) struct Face {
    pub(crate) engine: Memory,
    pub(crate) bound: Bound,
}

impl Face {
    pub(crate) fn new() -> Face {
        Face::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Face {
        let engine = Memory::new();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        // One thread, so that whoever holds up the thread of another shows.
        let bound = spawn(any, 1, engine.clone(), limits).unwrap();
        Face { engine, bound }
    }

    /// Of these listeners.
    pub(crate) fn serving(listeners: Vec<TcpListener>, threads: usize) -> Face {
        let engine = Memory::new();
        let bound = serve_all(listeners, threads, engine.clone(), Limits::default()).unwrap();
        Face { engine, bound }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::to(self.bound.addr)
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn to(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// No more requests come.
    pub(crate) fn finish(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let mut read = vec![0; bytes.as_ref().len()];
        if let Err(error) = self.0.read_exact(&mut read) {
            panic!("{error} instead of {}, got {}", bytes.as_ref().escape_ascii(), read.escape_ascii());
        }
        assert_eq!(read.escape_ascii().to_string(), bytes.as_ref().escape_ascii().to_string());
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: &str, reply: &str) {
        self.send(format!("{request}\r\n"));
        self.expect(reply);
    }

    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        self.0.set_read_timeout(Some(SILENCE)).unwrap();
        let error = self.0.peek(&mut [0]).expect_err("nothing should have come");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// Nothing more comes, and the connection is closed.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.rest().escape_ascii().to_string(), "");
    }

    /// All that comes until the connection is closed.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("{error}"),
        }
    }
}
