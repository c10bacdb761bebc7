//! Where both sockets bring their queries.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use adsum_catalog::Catalog;
use adsum_dns::{Answer, Config, Recent, Transport, answer, unreachable};

use super::Directory;
use super::forward::Forwarder;
use super::throttle::Throttle;

pub(super) struct Desk<D> {
    directory: D,
    config: Config,
    throttle: Throttle,
    forwarder: Option<Forwarder>,
}

impl<D: Directory> Desk<D> {
    pub(super) fn new(directory: D, config: Config, forwarder: Option<Forwarder>) -> Desk<D> {
        Desk { directory, config, throttle: Throttle::default(), forwarder }
    }

    /// What a query over TCP gets.
    pub(super) fn answer(&self, query: &[u8]) -> Answer {
        self.guard(query, |catalog, config| answer(query, Transport::Tcp, catalog, config))
    }

    /// The same over UDP, where most of what is asked was asked a moment ago.
    pub(super) fn answer_again(&self, query: &[u8], recent: &mut Recent) -> Answer {
        self.guard(query, |catalog, config| recent.answer(query, catalog, config))
    }

    /// A query that hits a mistake of ours gets no answer, and no other suffers from it.
    fn guard(&self, query: &[u8], give: impl FnOnce(&Catalog, &Config) -> Answer) -> Answer {
        catch_unwind(AssertUnwindSafe(|| self.look_up(give))).unwrap_or_else(|_| {
            self.complain(
                "a DNS query made the answering code panic",
                &format_args!("{} bytes", query.len()),
            );
            Answer::nothing()
        })
    }

    /// Whether somebody else is to be asked, since the query is about nothing of ours.
    pub(super) fn leaves_to_others(&self, answer: &Answer) -> bool {
        self.forwarder.is_some() && answer.foreign
    }

    pub(super) async fn ask_others(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let answer = self.forwarder.as_ref()?.ask(query, transport).await;
        if answer.is_none() {
            self.complain("no resolver has answered a DNS query that was forwarded", &"SERVFAIL");
        }
        answer.or_else(|| unreachable(query))
    }

    fn look_up(&self, give: impl FnOnce(&Catalog, &Config) -> Answer) -> Answer {
        let answer = give(&self.directory.catalog(), &self.config);
        if let Some(service) = &answer.asked {
            self.directory.asked(service);
        }
        answer
    }

    /// Logs what clients or the system can make happen any number of times.
    pub(super) fn complain(&self, what: &str, detail: &dyn Display) {
        if let Some(held_back) = self.throttle.admit(Instant::now()) {
            tracing::warn!(%detail, held_back, "{what}");
        }
    }
}
