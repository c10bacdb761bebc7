//! The RESP socket: bytes in, commands, bytes out.
//!
//! Each thread has a runtime of its own, and one or several listeners on the same address (SO_REUSEPORT); a connection
//! stays on the thread that accepted it. A connection reads what has come, runs all complete requests of it in one critical
//! section of the engine, and sends the replies with one write as soon as the engine says that they may leave.
//!
//! Not here: what a command does (`core/resp`), the critical section and durability (`app/store`).
//!
//! Invariants:
//! - No byte leaves before the revision that it depends on is durable, and none overtakes an earlier one.
//! - While a script holds everybody up each request is answered at once, if only by saying so, and a script that takes long
//!   runs on a thread that serves no connection.
//! - No lock is held across an await; a turn is bounded, so that no client holds up the others of its thread.
//! - While a client does not take its replies nothing more of it is read or run.
//! - Memory follows what was received and not yet sent, never what was announced.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use adsum_keyspace::Now;
use adsum_model::Revision;
use adsum_resp::{Overseer, Server};

mod accept;
mod bind;
mod client;
mod connection;
mod herald;
mod outbox;
mod tools;

pub use bind::{Bound, bind, serve_all, spawn};

/// What the socket needs of the store.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Runs `body` in the critical section with one `now`, after due expiries were applied. What was committed has
    /// been handed to the journal when it returns.
    fn enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> T;

    /// The same, unless a script holds everybody up. What was committed may wait for [`Engine::hasten`].
    fn try_enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> Result<T, Busy>;

    /// What is known of the script that runs.
    fn overseer(&self) -> &Overseer;

    /// Everything up to this revision may leave the process.
    fn durable(&self) -> Revision;

    /// Nothing follows what was committed that could be made durable together with it.
    fn hasten(&self);

    /// Comes as soon as [`Engine::durable`] is above `revision`; never, if it does not get there.
    fn durable_above(&self, revision: Revision) -> impl Future<Output = Revision> + Send;

    /// Comes when the engine has failed: there will be no durable revision any more, and all connections are closed.
    /// Nobody is woken for it before.
    fn failed(&self) -> impl Future<Output = ()> + Send;
}

/// A script holds everybody up.
#[derive(Clone, Copy, Debug)]
pub struct Busy;

/// What a client can make grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients of this face.
    pub clients: usize,
    /// Bytes of pushed messages that wait for a client before it is cut off.
    pub output: usize,
    /// Bytes of replies that wait for a client before nothing more of it is read.
    pub replies: usize,
    /// Bytes of one argument.
    pub bulk: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            clients: 10_000,
            output: 32 * 1024 * 1024,
            replies: 1024 * 1024,
            bulk: adsum_resp::limits::BULK,
        }
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `source.kind()` tells a port that is taken (`AddrInUse`) from one that is not allowed.
    #[error("cannot listen on {addr}")]
    Bind {
        addr: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot start a thread for {addr}")]
    Thread {
        addr: SocketAddr,
        #[source]
        source: io::Error,
    },
}
