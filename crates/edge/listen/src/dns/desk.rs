//! Where both sockets bring their queries.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use adsum_dns::{Config, Transport, answer};

use super::Directory;
use super::throttle::Throttle;

pub(super) struct Desk<D> {
    directory: D,
    config: Config,
    throttle: Throttle,
}

impl<D: Directory> Desk<D> {
    pub(super) fn new(directory: D, config: Config) -> Desk<D> {
        Desk { directory, config, throttle: Throttle::default() }
    }

    /// The message to send back, if any. A query that hits a mistake of ours gets none, and no other suffers from it.
    pub(super) fn answer(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let answered = catch_unwind(AssertUnwindSafe(|| self.look_up(query, transport)));
        answered.unwrap_or_else(|_| {
            self.complain(
                "a DNS query made the answering code panic",
                &format_args!("{} bytes", query.len()),
            );
            None
        })
    }

    fn look_up(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let answer = answer(query, transport, &self.directory.catalog(), &self.config);
        if let Some(service) = &answer.asked {
            self.directory.asked(service);
        }
        answer.bytes
    }

    /// Logs what clients or the system can make happen any number of times.
    pub(super) fn complain(&self, what: &str, detail: &dyn Display) {
        if let Some(held_back) = self.throttle.admit(Instant::now()) {
            tracing::warn!(%detail, held_back, "{what}");
        }
    }
}
