//! Where both sockets bring their queries.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use adsum_catalog::Catalog;
use adsum_dns::{Answer, Config, Recent, Transport, answer};

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

    /// The message to send back to a query over TCP, if any.
    pub(super) fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        self.guard(query, |catalog, config| answer(query, Transport::Tcp, catalog, config))
    }

    /// The same over UDP, where most of what is asked was asked a moment ago.
    pub(super) fn answer_again(&self, query: &[u8], recent: &mut Recent) -> Option<Vec<u8>> {
        self.guard(query, |catalog, config| recent.answer(query, catalog, config))
    }

    /// A query that hits a mistake of ours gets no answer, and no other suffers from it.
    fn guard(&self, query: &[u8], give: impl FnOnce(&Catalog, &Config) -> Answer) -> Option<Vec<u8>> {
        catch_unwind(AssertUnwindSafe(|| self.look_up(give))).unwrap_or_else(|_| {
            self.complain(
                "a DNS query made the answering code panic",
                &format_args!("{} bytes", query.len()),
            );
            None
        })
    }

    fn look_up(&self, give: impl FnOnce(&Catalog, &Config) -> Answer) -> Option<Vec<u8>> {
        let answer = give(&self.directory.catalog(), &self.config);
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
