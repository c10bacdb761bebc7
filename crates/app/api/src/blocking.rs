//! Blocking queries: `?index=N&wait=10s` is answered when what was asked for is newer than N, or after a while.
//!
//! As Consul has it: no index or 0 is answered at once; the wait is 5 minutes by default and 10 at most, with up to a
//! sixteenth on top, so that many who wait do not come back at once; an answer is no promise of a change.

use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::Catalog;
use adsum_model::{Revision, parse_duration};
use adsum_store::{Failed, Store};
use tokio::time::Instant;

use crate::closing::Closing;
use crate::limits;
use crate::query::Query;

/// What a blocking query asks for beside its subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocking {
    /// None: answer at once.
    pub(crate) index: Option<Revision>,
    deadline: Instant,
}

/// A question that cannot be read, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadQuestion {
    Index(String),
    Wait(String),
}

impl Blocking {
    pub(crate) fn of(query: &Query) -> Result<Blocking, BadQuestion> {
        let index = query.text("index").map(|text| text.parse().map_err(|_| BadQuestion::Index(text)));
        let index = index.transpose()?.filter(|index| *index > 0).map(Revision);
        let wait = query.text("wait").map(|text| parse_duration(&text).map_err(|_| BadQuestion::Wait(text)));
        let wait = match wait.transpose()? {
            None | Some(Duration::ZERO) => limits::WAIT,
            Some(wait) => wait.min(limits::LONGEST_WAIT),
        };
        Ok(Blocking { index, deadline: Instant::now() + wait + jitter(wait) })
    }

    /// Returns when there has been enough waiting.
    pub(crate) async fn over(&self, closing: &mut Closing) {
        tokio::select! {
            () = tokio::time::sleep_until(self.deadline) => {}
            () = closing.closed() => {}
        }
    }

    /// The catalog, once what `index_of` says of it is newer than the index.
    pub(crate) async fn catalog(
        &self,
        store: &Store,
        stale: bool,
        closing: &mut Closing,
        index_of: impl Fn(&Catalog) -> Revision,
    ) -> Result<Arc<Catalog>, Failed> {
        let newer = |catalog: &Catalog| self.index.is_none_or(|index| index_of(catalog) > index);
        self.until(store, stale, closing, newer).await
    }

    /// The catalog, once something of this service is newer than the index; nothing else wakes who waits.
    pub(crate) async fn service(
        &self,
        store: &Store,
        stale: bool,
        closing: &mut Closing,
        service: &str,
    ) -> Result<Arc<Catalog>, Failed> {
        let directory = store.directory();
        let view = if stale { directory.view() } else { store.catalog().await? };
        match self.index {
            Some(index) if view.index_of(service) <= index => tokio::select! {
                changed = directory.changed_of(service, index) => changed,
                () = self.over(closing) => Ok(directory.view()),
            },
            Some(_) | None => Ok(view),
        }
    }

    /// The catalog, once it is as wanted, or there has been enough waiting.
    pub(crate) async fn until(
        &self,
        store: &Store,
        stale: bool,
        closing: &mut Closing,
        wanted: impl Fn(&Catalog) -> bool,
    ) -> Result<Arc<Catalog>, Failed> {
        let directory = store.directory();
        let mut catalog = if stale { directory.view() } else { store.catalog().await? };
        let over = self.over(closing);
        tokio::pin!(over);
        while !wanted(&catalog) {
            tokio::select! {
                changed = directory.changed(catalog.revision()) => catalog = changed?,
                () = &mut over => break,
            }
        }
        Ok(catalog)
    }
}

fn jitter(wait: Duration) -> Duration {
    // Without randomness all come back at once, which is no harm to anybody's answer.
    let lot = getrandom::u32().unwrap_or(0);
    (wait / 16).mul_f64(f64::from(lot) / f64::from(u32::MAX))
}
