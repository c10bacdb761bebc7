//! What a connection waits for, all at once.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use adsum_model::Revision;
use adsum_resp::Flow;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Connection, Ended, Sending};
use crate::resp::Engine;
use crate::resp::client::Client;

/// What a connection has waited for.
enum Event<E: Engine> {
    Input(io::Result<()>),
    MaySend,
    /// Somebody has put something into the mailbox.
    Woken,
    /// Of a blocking command.
    TimedOut,
    Held(Result<Box<(Client<E>, Flow)>, JoinError>),
    Deferred(Result<(Revision, Vec<u8>), JoinError>),
    /// The face stops: what was run is still answered.
    Stop,
}

impl<E: Engine> Connection<E> {
    /// Waits for whatever can come next.
    pub(super) async fn wait(
        &mut self,
        sending: Sending,
        mut stop: Pin<&mut impl Future>,
    ) -> Result<(), Ended> {
        if sending == Sending::Nothing {
            self.shrink();
        }
        if sending != Sending::Durability {
            // The herald does so for those who wait for a reply.
            self.hasten();
        }
        let mut time = pin!(until(self.blocked.flatten()));
        let event = poll_fn(|cx| self.poll_event(sending, stop.as_mut(), time.as_mut(), cx)).await;
        match event {
            Event::Input(ready) => {
                ready?;
                self.read()?;
            }
            Event::MaySend => {}
            Event::Woken => self.unblock(),
            Event::TimedOut => self.time_out(),
            Event::Held(held) => self.take_held(held.map(|held| *held))?,
            Event::Deferred(reply) => self.take_deferred(reply)?,
            Event::Stop => self.closing = true,
        }
        Ok(())
    }

    /// Written out, since a client that asks one thing at a time comes by here with each request: what is not waited for is
    /// not looked at, and what was waited for before is only looked at again.
    fn poll_event(
        &mut self,
        sending: Sending,
        stop: Pin<&mut impl Future>,
        time: Pin<&mut impl Future>,
        cx: &mut Context<'_>,
    ) -> Poll<Event<E>> {
        // Before there is more input, or what was committed would be hastened by nobody as long as there is.
        if self.poll_sending(sending, cx).is_ready() {
            return Poll::Ready(Event::MaySend);
        }
        if self.wants_input()
            && let Poll::Ready(ready) = self.stream.poll_read_ready(cx)
        {
            return Poll::Ready(Event::Input(ready));
        }
        if self.mailbox.poll_woken(cx).is_ready() {
            return Poll::Ready(Event::Woken);
        }
        if self.blocked.flatten().is_some() && time.poll(cx).is_ready() {
            return Poll::Ready(Event::TimedOut);
        }
        if let Some(held) = &mut self.held
            && let Poll::Ready(held) = Pin::new(held).poll(cx)
        {
            return Poll::Ready(Event::Held(held.map(Box::new)));
        }
        if let Some(deferred) = &mut self.deferred
            && let Poll::Ready(reply) = Pin::new(deferred).poll(cx)
        {
            return Poll::Ready(Event::Deferred(reply));
        }
        // Also while something of it is run elsewhere: what comes behind that is run no more.
        if !self.closing && stop.poll(cx).is_ready() {
            return Poll::Ready(Event::Stop);
        }
        Poll::Pending
    }

    fn poll_sending(&mut self, sending: Sending, cx: &mut Context<'_>) -> Poll<()> {
        match sending {
            Sending::Nothing => Poll::Pending,
            // An error shows when it is written to.
            Sending::Socket => self.stream.poll_write_ready(cx).map(drop),
            Sending::Durability => {
                if self.may_send() {
                    return Poll::Ready(());
                }
                self.listener.listen(cx);
                Poll::Pending
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
