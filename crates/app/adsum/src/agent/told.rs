//! The signals that tell an agent to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT (Ctrl-C), and SIGHUP: the terminal has gone.
pub(crate) struct ToldToEnd {
    signals: [Signal; 3],
    /// It was told, and is told for good.
    told: bool,
}

impl ToldToEnd {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn listen() -> io::Result<ToldToEnd> {
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        let [terminate, interrupt, hangup] = signals;
        Ok(ToldToEnd { signals: [terminate?, interrupt?, hangup?], told: false })
    }

    /// Returns with the first of them, and from then on at once.
    pub(crate) async fn wait(&mut self) {
        if self.told {
            return;
        }
        let [terminate, interrupt, hangup] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        self.told = true;
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told
    }
}
