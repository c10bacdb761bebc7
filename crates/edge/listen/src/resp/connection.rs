//! One connection: read, run, send, wait.

use std::future::poll_fn;
use std::io::{self, Read as _};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use adsum_model::Revision;
use adsum_resp::{Flow, Outbox as _, Parser};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::client::Client;
use super::herald::Listener;
use super::outbox::Mailbox;
use super::tools::{Clerk, Desk, READ, Tools};
use super::{Engine, Limits};

mod turn;
mod wait;

/// Bytes that are read of a client that is blocked: enough to see it go.
const READ_WHILE_BLOCKED: usize = 64 * 1024;
/// A send buffer that has grown over this is not kept by a client that waits.
const KEPT: usize = 1024;

/// After which the server is asked again that could not be had because of a script.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Connection<E: Engine> {
    stream: TcpStream,
    mailbox: Arc<Mailbox>,
    client: Client<E>,
    limits: Limits,
    desk: Desk,
    clerk: Clerk,
    parser: Parser,
    /// What was received and not run yet.
    input: Vec<u8>,
    /// Whether `input` begins with a complete request, as far as is known.
    may_have_request: bool,
    /// What may leave, and how much of it has left.
    output: Vec<u8>,
    sent: usize,
    listener: Listener,
    /// The last revision that it has committed and nobody was told of: not all of it need have a reply that waits.
    committed: Revision,
    /// Until when it waits for a blocking command; the inner None is for ever.
    blocked: Option<Option<Instant>>,
    /// A reply that is being written elsewhere; what comes behind it waits.
    deferred: Option<JoinHandle<(Revision, Vec<u8>)>>,
    /// A request that takes long, and the client that it is run for; what comes behind it waits.
    held: Option<JoinHandle<(Client<E>, Flow)>>,
    /// The client sends nothing more.
    ended: bool,
    /// Nothing more is run; the connection ends when all has been sent.
    closing: bool,
}

/// What a connection waits for before it can send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// All has been sent.
    Nothing,
    /// The client takes no more at the moment.
    Socket,
    /// What is left may not leave yet.
    Durability,
}

/// Why a connection ended.
enum Ended {
    /// The client wished it, or has gone.
    Done,
    /// By us, for this reason.
    Cut(&'static str),
    Failed(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Failed(error)
    }
}

impl<E: Engine> Connection<E> {
    pub(super) fn new(
        stream: TcpStream,
        mailbox: Arc<Mailbox>,
        client: Client<E>,
        limits: Limits,
        Tools { desk, clerk, herald }: Tools,
    ) -> Connection<E> {
        Connection {
            listener: herald.listener(),
            committed: Revision::ZERO,
            stream,
            mailbox,
            client,
            limits,
            desk,
            clerk,
            parser: Parser::new(limits.bulk),
            input: Vec::new(),
            may_have_request: false,
            output: Vec::new(),
            sent: 0,
            blocked: None,
            deferred: None,
            held: None,
            ended: false,
            closing: false,
        }
    }

    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let ended = self.serve(&mut stopped).await;
        let id = self.client.id();
        match ended {
            Ended::Done => {}
            Ended::Cut(reason) => tracing::info!(client = id, reason, "RESP client disconnected"),
            Ended::Failed(error) => tracing::debug!(client = id, %error, "RESP connection lost"),
        }
    }

    async fn serve(&mut self, stopped: &mut watch::Receiver<bool>) -> Ended {
        // Kept for the whole life: to begin and to end a wait for it costs more than to go on with one.
        let mut stop = pin!(stopped.wait_for(|stopped| *stopped));
        loop {
            match self.step(stop.as_mut()).await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
        }
    }

    async fn step(&mut self, stop: Pin<&mut impl Future>) -> Result<(), Ended> {
        if let Some(reason) = self.mailbox.closed() {
            return Err(Ended::Cut(reason));
        }
        self.turn()?;
        if self.sent == self.output.len() && self.may_send() {
            after_others().await;
        }
        let sending = self.send()?;
        if sending == Sending::Nothing && self.is_over() {
            return Err(Ended::Done);
        }
        if self.can_run() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        self.wait(sending, stop).await
    }

    /// Whether there is something to run, and room for its replies.
    fn can_run(&self) -> bool {
        self.may_have_request && !self.closing && self.is_free() && self.has_room()
    }

    /// Whether no request of it is under way.
    fn is_free(&self) -> bool {
        self.blocked.is_none() && self.deferred.is_none() && self.held.is_none()
    }

    fn has_room(&self) -> bool {
        self.output.len() - self.sent + self.mailbox.len() < self.limits.replies
    }

    /// Whether nothing can happen any more once all has been sent. A blocked client that sends nothing more counts
    /// as gone: nobody can tell, and an element popped for it could be lost.
    fn is_over(&self) -> bool {
        let written = self.deferred.is_none() && self.held.is_none();
        written && (self.closing || (self.ended && !self.can_run()))
    }

    /// Sends what may leave.
    fn send(&mut self) -> io::Result<Sending> {
        loop {
            if self.sent == self.output.len() {
                self.output.clear();
                self.sent = 0;
                if !self.mailbox.has_bytes() {
                    return Ok(Sending::Nothing);
                }
                if !self.mailbox.take(self.client.engine.durable(), &mut self.output) {
                    return Ok(Sending::Durability);
                }
            }
            match self.stream.try_write(&self.output[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sending::Socket),
                Err(error) => return Err(error),
            }
        }
    }

    /// Has what it has committed made durable, which others may wait for.
    fn hasten(&mut self) {
        let committed = std::mem::replace(&mut self.committed, Revision::ZERO);
        if self.client.engine.durable() < committed {
            self.client.engine.hasten();
        }
    }

    fn wants_input(&self) -> bool {
        let room = self.is_free() || self.input.len() < READ_WHILE_BLOCKED;
        !self.ended && !self.closing && room && self.has_room()
    }

    fn may_send(&self) -> bool {
        self.mailbox.may_send(self.client.engine.durable())
    }

    /// Reads what is there, once.
    fn read(&mut self) -> Result<(), Ended> {
        let mut desk = std::mem::take(&mut *self.desk.lock());
        if desk.is_empty() {
            desk = vec![0; READ].into();
        }
        let result = self.read_on(&mut desk);
        *self.desk.lock() = desk;
        result
    }

    /// Runs complete requests right from the desk, so that only what is left over needs memory of its own.
    fn read_on(&mut self, desk: &mut [u8]) -> Result<(), Ended> {
        let count = match self.receive(desk) {
            Ok(0) => {
                self.ended = true;
                return Ok(());
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.may_have_request = true;
        let mut fresh = &desk[..count];
        if self.input.is_empty() && self.can_run() && self.mailbox.is_open() {
            let consumed = self.run_requests(fresh)?;
            fresh = &fresh[consumed..];
        }
        self.input.extend_from_slice(fresh);
        Ok(())
    }

    /// What has come, as far as there is room. Less than there is room for was all, so that nothing more is expected to be
    /// there, as after a read that would have had to wait: else each request would cost such a read as well.
    fn receive(&self, desk: &mut [u8]) -> io::Result<usize> {
        let mut received = None;
        let outcome = self.stream.try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(&self.stream)).read(desk)?;
            received = Some(count);
            if (1..desk.len()).contains(&count) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match received {
            Some(count) => Ok(count),
            None => outcome.map(|()| 0),
        }
    }

    fn unblock(&mut self) {
        if !self.client.is_blocked() {
            self.blocked = None;
        }
    }

    fn take_deferred(&mut self, reply: Result<(Revision, Vec<u8>), JoinError>) -> Result<(), Ended> {
        self.deferred = None;
        let (revision, bytes) = reply.map_err(|_| Ended::Cut("its reply could not be written"))?;
        let all_sent = self.sent == self.output.len() && self.mailbox.is_empty();
        if all_sent && self.client.engine.durable() >= revision {
            // It is large, so that copying it would take others' time.
            (self.output, self.sent) = (bytes, 0);
            self.mailbox.release(revision, &[]);
        } else {
            self.mailbox.release(revision, &bytes);
        }
        Ok(())
    }

    fn time_out(&mut self) {
        let done = self.client.try_enter(|server, session, now| server.time_out(session, now));
        self.blocked = done.is_err().then(|| Some(Instant::now() + BUSY_PAUSE));
    }

    /// Gives back memory that is not needed while waiting.
    fn shrink(&mut self) {
        if self.output.capacity() > KEPT {
            self.output = Vec::new();
        }
        if self.input.capacity() > KEPT && self.input.is_empty() {
            self.input = Vec::new();
        }
        self.mailbox.shrink();
    }
}

/// Waits until those who are ready by now have had their turn, so that what they are answered leaves together: to wake
/// who sleeps for a reply is much of what sending it costs, and a load generator or a proxy with many connections is then
/// woken once. Unlike after [`tokio::task::yield_now`] nobody asks the kernel meanwhile who else is ready.
async fn after_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
