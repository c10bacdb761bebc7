//! The signals that tell an agent to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT (Ctrl-C), and SIGHUP: the terminal has gone.
pub(crate) struct ToldToEnd([Signal; 3]);

impl ToldToEnd {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn listen() -> io::Result<ToldToEnd> {
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        let [terminate, interrupt, hangup] = signals;
        Ok(ToldToEnd([terminate?, interrupt?, hangup?]))
    }

    /// Returns with the first of them.
    pub(crate) async fn wait(&mut self) {
        let ToldToEnd([terminate, interrupt, hangup]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
