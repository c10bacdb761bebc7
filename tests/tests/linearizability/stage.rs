//! Where clients work until a fault takes their connections, wait until the agent is well, and go on: with what they
//! have done counted before and after.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use adsum_tests::resp::Connection;
use adsum_tests::{Agent, until, until_ok};

pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Operations per second under which a run says nothing, as in etcd's robustness tests.
const MINIMUM: f64 = 50.0;

pub(crate) struct Stage {
    pub(crate) resp: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Whether who has lost his connection may come back.
    open: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
    over: AtomicBool,
    done: AtomicU64,
}

/// Ends the work also when the test panics, or its clients would go on for ever.
struct End<'a>(&'a Stage);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        self.0.reopen();
    }
}

impl Stage {
    pub(crate) fn new(agent: &Agent) -> Stage {
        Stage {
            resp: agent.resp(),
            http: agent.http(),
            open: Mutex::new(true),
            changed: Condvar::new(),
            waiting: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            done: AtomicU64::new(0),
        }
    }

    /// Runs `play` while all these clients work.
    pub(crate) fn run<T>(&self, clients: Vec<Box<dyn FnOnce() + Send + '_>>, play: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for client in clients {
                scope.spawn(client);
            }
            let _end = End(self);
            play()
        })
    }

    /// Waits until the clients have done this much more, and asserts that they were not too slow.
    #[track_caller]
    pub(crate) fn work(&self, operations: u64) -> f64 {
        let (begin, from) = (Instant::now(), self.done());
        until("enough is done", SOON, || (self.done() >= from + operations).then_some(()));
        #[allow(clippy::cast_precision_loss, reason = "a run has far fewer than 2^52 operations")]
        let rate = (self.done() - from) as f64 / begin.elapsed().as_secs_f64();
        assert!(rate >= MINIMUM, "{rate:.0} operations per second are too few for the run to say anything");
        rate
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Clients that are waiting for the agent to be well.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// From now on, who loses his connection waits.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap() = false;
    }

    pub(crate) fn reopen(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// For clients.
impl Stage {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the agent is well, or the work over.
    pub(crate) fn wait(&self) {
        let mut open = self.open.lock().unwrap();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connect(&self, patience: Duration) -> Connection {
        until_ok("the agent takes a connection", SOON, || Connection::open_for(self.resp, patience))
    }

    /// Does one thing after the other, over new connections as old ones break.
    pub(crate) fn repeat(&self, mut once: impl FnMut(&mut Connection) -> std::io::Result<()>) {
        let mut connection = self.connect(SOON);
        while !self.is_over() {
            match once(&mut connection) {
                Ok(()) => self.count(),
                Err(_) => {
                    self.wait();
                    connection = self.connect(SOON);
                }
            }
        }
    }
}
