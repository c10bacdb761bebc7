//! A service behind a gateway: in the test's own process, or as the program `backend` that an agent starts. It counts
//! what it was asked, in a [`Ledger`], and does on request what services do in their bad moments.
//!
//! ```text
//! GET  /                    its name
//! GET  /healthz             200, whatever its mood, unless that is `sick`
//! POST any path             reads the body, notes the id in `X-Post-Id`, answers `post ID`
//! GET  /bytes/100000        so many bytes of `abc...z`
//! GET  /slow/500            200 after so many milliseconds
//! GET  /until/NAME          200 when there is a file of this name beside its ledger
//! GET  /status/503          that status
//! GET  /stream/10/50        10 pieces, 50 ms apart, chunked
//! GET  /events/20           server-sent events, 20 ms apart, without an end
//! GET  /ws                  a WebSocket that echoes
//! GET  /reset/before        connection reset instead of an answer; /reset/head: after the head; /reset/body: in the body
//! GET  /hang                no answer, ever
//! GET  /counts              what its ledger says, as JSON
//! ```
//!
//! Not here: HTTP/2, TLS. Answers carry `X-Backend: NAME`. A backend has a *mood*, a file that is read for each request, or
//! one of its own where there is no such file: `status 503` answers everything but its check so, `delay 300` waits first,
//! `silent` never answers, `sick` answers its check with 503 and everything else as always.

mod answer;
mod connection;
mod ledger;
mod request;
mod socket;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use answer::{bytes, pieces};
pub use ledger::{Entries, Ledger};

use crate::Scratch;

/// When a backend closes a connection on which nothing comes after an answer.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    pub after: Duration,
    /// More or less of that, differently for each time.
    pub jitter: Duration,
    /// How long it takes until the other side can know: bytes that come after the decision and before that are a race.
    /// On a real network it is the way of the FIN.
    pub wire: Duration,
}

/// What a backend is.
#[derive(Debug)]
pub struct Settings {
    pub name: String,
    pub ledger: Ledger,
    /// The file that its mood is in.
    pub mood: Option<PathBuf>,
    /// Its mood as long as there is no such file.
    pub own_mood: String,
    pub idle: Option<Idle>,
}

impl Settings {
    fn mood(&self) -> String {
        let text = self.mood.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        text.as_ref().unwrap_or(&self.own_mood).trim().to_string()
    }
}

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, settings: Settings) {
    settings.ledger.note("begun");
    let settings = Arc::new(settings);
    let mut number = 0;
    loop {
        // Out of descriptors: the test sees refused connections.
        let Ok((stream, _)) = listener.accept().await else { continue };
        number += 1;
        tokio::spawn(connection::run(stream, Arc::clone(&settings), number));
    }
}

/// A backend in the test's own process, gone when dropped: its connections are closed then.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    scratch: Scratch,
    _runtime: Runtime,
}

impl Backend {
    pub fn start() -> Backend {
        Backend::with(None)
    }

    pub fn closing_idle(idle: Idle) -> Backend {
        Backend::with(Some(idle))
    }

    fn with(idle: Option<Idle>) -> Backend {
        let scratch = Scratch::new();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a thread can be started");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("the system has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let ledger = Ledger::create(scratch.path(), "own").expect("our own directory is writable");
        let mood = Some(scratch.path().join("mood"));
        let (name, own_mood) = ("own".to_string(), String::new());
        runtime.spawn(serve(listener, Settings { name, ledger, mood, own_mood, idle }));
        Backend { address, scratch, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its ledger is.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub fn entries(&self) -> Entries {
        Entries::of_folder(self.scratch.path())
    }

    pub fn set_mood(&self, mood: &str) {
        set_mood(&self.scratch.path().join("mood"), mood);
    }
}

/// Changes the mood of all backends that read this file, from one request to the next.
pub fn set_mood(file: &Path, mood: &str) {
    let next = file.with_extension("next");
    // Renamed into place, so that nobody reads half a mood.
    std::fs::write(&next, mood).and_then(|()| std::fs::rename(&next, file)).expect("the folder is writable");
}

#[cfg(test)]
mod tests;
