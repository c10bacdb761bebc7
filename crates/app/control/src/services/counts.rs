//! What the gateway counts of a service while a rollout of it is under way: for the verdict on the new version, and for
//! the receipt at the end.
//!
//! The receipt is written with the end that the plan has found, in one transaction, so that no crash comes between them. A
//! wish that ends a rollout knows no counts: there it follows. Counters begin anew with the agent, so a receipt says from
//! when on it has counted.

use std::collections::HashMap;

use adsum_catalog::{Catalog, ServiceState, records};
use adsum_gateway::Totals;
use adsum_keyspace::Transaction;
use adsum_model::rollout::{Quantiles, Receipt, Rollout, Stage};
use adsum_model::{Event, Name, Revision};
use adsum_rollout::receipt::sentence;
use adsum_rollout::service::{Counted, Tally};
use adsum_store::Store;

use crate::Routing;

/// At most one rollout per service.
#[derive(Debug, Default)]
pub(super) struct Counts {
    followed: HashMap<Name, Followed>,
}

/// What callers had of a rollout up to now.
#[derive(Debug)]
pub(super) struct Cost {
    number: u32,
    receipt: Receipt,
}

#[derive(Debug)]
struct Followed {
    number: u32,
    /// Whether there is a version that the new one is compared with, and gone back from to.
    is_judged: bool,
    to: u32,
    /// What it takes the place of.
    compared: Option<u32>,
    /// Unix milliseconds.
    from: u64,
    /// Everything that had been counted when it began.
    before: Totals,
    /// The same when it last began to be judged: one that was resumed is not judged by what it failed for.
    trial: Option<Totals>,
    /// What is counted meanwhile is decided on when it goes on.
    stands_still: bool,
}

impl Counts {
    pub(super) fn retain(&mut self, keeps: impl Fn(&Name) -> bool) {
        self.followed.retain(|name, _| keeps(name));
    }

    /// Takes note of where the service's rollout stands. One that has ended without its receipt gets it; the revision to
    /// wait for.
    pub(super) fn follow(
        &mut self,
        store: &Store,
        routing: &Routing,
        view: &Catalog,
        state: &ServiceState,
    ) -> Revision {
        let Some(service) = &state.service else { return Revision::ZERO };
        let (name, number) = (&service.spec.name, service.rollout);
        let Some(totals) = self.totals(routing, view, name, number) else { return Revision::ZERO };
        let mut revision = Revision::ZERO;
        if let Some(followed) = self.followed.get(name)
            && view.rollout(name, followed.number).is_none_or(|rollout| rollout.stage.is_final())
        {
            // Else it was written with the end: here it was ended by a wish.
            let cost = followed.cost(&totals);
            ((), revision) = store.transact(|tx| cost.write_down(tx, name));
            self.followed.remove(name);
        }
        if let Some(rollout) = view.rollout(name, number).filter(|rollout| !rollout.stage.is_final()) {
            let from = store.now().wall;
            let followed = self.followed.entry(name.clone());
            followed.or_insert_with(|| Followed::new(rollout, from, &totals)).judge(rollout, totals);
        }
        revision
    }

    /// What was counted since the rollout of a service began to be judged, if it is.
    pub(super) fn counted(&self, routing: &Routing, name: &Name) -> Option<Counted> {
        let followed = self.followed.get(name)?;
        let since = routing.totals(name)?.since(followed.trial.as_ref()?);
        let mut counted = Counted::default();
        for (version, tries) in since.versions {
            let tally = if version == followed.to { &mut counted.new } else { &mut counted.old };
            *tally = Tally { requests: tally.requests + tries.tries, failed: tally.failed + tries.failed };
        }
        let before = followed.compared.and_then(|version| followed.before.versions.get(&version));
        let before = before.copied().unwrap_or_default();
        counted.before = Tally { requests: before.tries, failed: before.failed };
        Some(counted)
    }

    /// What the rollout that is under way has cost so far, if one is.
    pub(super) fn cost(&self, routing: &Routing, name: &Name) -> Option<Cost> {
        Some(self.followed.get(name)?.cost(&routing.totals(name)?))
    }

    /// Whether a rollout of the service is being judged.
    pub(super) fn is_followed(&self, name: &Name) -> bool {
        self.followed.get(name).is_some_and(|followed| followed.trial.is_some() && !followed.stands_still)
    }

    /// As they are, when anybody needs them.
    fn totals(&self, routing: &Routing, view: &Catalog, name: &Name, number: u32) -> Option<Totals> {
        let is_under_way = view.rollout(name, number).is_some_and(|rollout| !rollout.stage.is_final());
        let is_needed = self.followed.contains_key(name) || is_under_way;
        is_needed.then(|| routing.totals(name).unwrap_or_default())
    }
}

impl Cost {
    /// Makes it the receipt of the rollout, if that has ended and has none.
    pub(super) fn write_down(&self, tx: &mut Transaction<'_>, name: &Name) {
        let rollout = records::rollout(tx, name, self.number);
        let ended = rollout.filter(|rollout| rollout.stage.is_final() && rollout.receipt.is_none());
        let Some(mut rollout) = ended else { return };
        let message = format!("service {name} {}", sentence(&rollout, &self.receipt));
        rollout.receipt = Some(self.receipt.clone());
        records::put_rollout(tx, &rollout);
        let (time, kind, service) = (tx.now().wall, "rollout-receipt".into(), Some(name.clone()));
        records::log(tx, &Event { time, kind, service, instance: None, message });
    }
}

impl Followed {
    fn new(rollout: &Rollout, from: u64, totals: &Totals) -> Followed {
        let (number, to, before) = (rollout.number, rollout.to, totals.clone());
        Followed {
            number,
            is_judged: rollout.from.is_some(),
            to,
            compared: rollout.from,
            from,
            before,
            trial: None,
            stands_still: false,
        }
    }

    fn judge(&mut self, rollout: &Rollout, totals: Totals) {
        self.stands_still = rollout.stage == Stage::Paused;
        if self.stands_still && !rollout.by_hand {
            self.trial = None;
        } else if self.is_judged {
            self.trial.get_or_insert(totals);
        }
    }

    fn cost(&self, totals: &Totals) -> Cost {
        Cost { number: self.number, receipt: self.receipt(totals) }
    }

    fn receipt(&self, totals: &Totals) -> Receipt {
        let since = totals.since(&self.before);
        let quantiles = |totals: &Totals| Quantiles { p50: totals.quantile(500), p99: totals.quantile(990) };
        Receipt {
            counted_from: self.from,
            requests: since.requests,
            failed: since.failed,
            retried: since.retried,
            held: since.held,
            cut: since.cut,
            before: quantiles(&self.before),
            during: quantiles(&since),
        }
    }
}
