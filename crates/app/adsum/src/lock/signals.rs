//! The signals that a command under a lock is to get in our place.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind};

const CAUGHT: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

pub(super) struct Signals {
    caught: Vec<(Signal, unix::Signal)>,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let catch = |signal: Signal| Ok((signal, unix::signal(SignalKind::from_raw(signal as i32))?));
        Ok(Signals { caught: CAUGHT.into_iter().map(catch).collect::<io::Result<_>>()? })
    }

    pub(super) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let mut ready =
                self.caught.iter_mut().filter_map(|(signal, stream)| match stream.poll_recv(context) {
                    Poll::Ready(Some(())) => Some(*signal),
                    Poll::Ready(None) | Poll::Pending => None,
                });
            // Every stream is polled that comes before a ready one; the others are polled next time.
            ready.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
