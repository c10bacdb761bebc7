//! The controller of services.
//!
//! Each round plans for the services that may have something to do, has every plan looked at by the linter, and carries
//! it out in one transaction, which refuses it when the wish has changed since. A plan with a flaw is not carried out:
//! that is a defect of the planner, told in the event log, and a panic in builds for tests.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use adsum_catalog::{Catalog, ServiceState, records};
use adsum_model::{Availability, Berth, Event, InstanceId, Name, Revision};
use adsum_rollout::execute::{Outcome, carry_out};
use adsum_rollout::lint::{Flaw, lint};
use adsum_rollout::service::{Cause, Plan, Situation, Step, plan};
use adsum_store::{Failed, Store};

use crate::ports::Ports;
use crate::{Routing, Settings, lot, ports};
use counts::Counts;

mod counts;
mod last_words;

/// When a plan could not be carried out, for want of a port or the like.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks at what the gateway has counted of a version that has yet to prove itself.
const COUNTING: Duration = Duration::from_millis(500);

struct Controller {
    store: Store,
    settings: Settings,
    ports: Ports,
    routing: Routing,
    counts: Counts,
    /// At which index of a service there was nothing to do.
    settled: HashMap<Name, Revision>,
    /// As they were at the last round.
    nodes: BTreeMap<Name, Availability>,
    /// Plans that the linter did not let pass, told once each.
    refused: HashMap<Name, Vec<Flaw>>,
}

/// Follows the catalog, and those who route, for ever.
pub(crate) async fn run(store: Store, settings: Settings, routing: Routing) -> Result<Infallible, Failed> {
    let ports = Ports::new(settings.ports.clone());
    let mut reports = routing.acknowledgements().subscribe();
    let mut controller = Controller {
        store,
        settings,
        ports,
        routing,
        counts: Counts::default(),
        settled: HashMap::new(),
        nodes: BTreeMap::new(),
        refused: HashMap::new(),
    };
    loop {
        reports.borrow_and_update();
        let view = controller.store.catalog().await?;
        let look = controller.activate(&view).await?;
        let rest = tokio::time::sleep(look.within.unwrap_or(Duration::MAX));
        tokio::select! {
            changed = controller.store.directory().changed(view.revision()) => drop(changed?),
            // The sender lives in the controller itself.
            _ = reports.changed(), if look.at_reports => {}
            () = rest => {}
        }
    }
}

/// When to plan again although nothing has changed on record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    within: Option<Duration>,
    /// When somebody who routes has said something new.
    at_reports: bool,
}

impl Controller {
    /// One round over the services that may have something to do. Says when to look again even if nothing changes.
    async fn activate(&mut self, view: &Catalog) -> Result<Look, Failed> {
        self.forget_gone(view);
        let mut next_look = Look::default();
        let mut last = Revision::ZERO;
        for (name, state) in view.services() {
            if self.settled.get(name) == Some(&state.index) {
                continue;
            }
            let counted = self.counts.follow(&self.store, &self.routing, view, state);
            let situation = self.situation(view, name, state);
            let plan = plan(&situation);
            let is_flawless = self.look_over(name, &situation, &plan);
            let (carried_out, revision) =
                if is_flawless { self.carry_out(name, &plan) } else { (false, Revision::ZERO) };
            last = last.max(revision).max(counted);
            let look = Look::after(&plan, carried_out).or(self.look_at_counts(name));
            if look == Look::default() {
                self.settled.insert(name.clone(), state.index);
            }
            next_look = next_look.or(look);
        }
        self.store.durable(last).await?;
        Ok(next_look)
    }

    /// What was kept of services that have gone; all of it when a node takes instances, or takes none any more.
    fn forget_gone(&mut self, view: &Catalog) {
        let nodes = view.nodes().map(|node| (node.name.clone(), node.availability)).collect();
        if nodes != self.nodes {
            self.nodes = nodes;
            self.settled.clear();
        }
        self.settled.retain(|name, _| view.service(name).is_some());
        self.refused.retain(|name, _| view.service(name).is_some());
        self.counts.retain(|name| view.service(name).is_some());
    }

    fn situation<'a>(&self, view: &'a Catalog, name: &'a Name, state: &'a ServiceState) -> Situation<'a> {
        let tick = self.store.now().tick;
        let acknowledgements = self.routing.acknowledgements();
        let mut situation = Situation::of(view, name, state, tick);
        situation.asked = self.store.directory().was_asked(name);
        situation.held = acknowledgements.held(view, state, tick);
        situation.hidden = acknowledgements.hidden(view, state);
        situation.counted = self.counts.counted(&self.routing, name);
        situation.last_words = last_words::of(&self.settings, &situation);
        situation
    }

    /// Whether the linter has nothing to say; what it says is told once.
    fn look_over(&mut self, name: &Name, situation: &Situation<'_>, plan: &Plan) -> bool {
        let flaws = lint(situation, plan);
        if flaws.is_empty() {
            self.refused.remove(name);
            return true;
        }
        if self.refused.get(name) != Some(&flaws) {
            let said: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
            let message = format!("a plan for service {name} is not carried out: {}", said.join("; "));
            tracing::error!("{message}");
            let (kind, service) = ("plan-refused".to_string(), Some(name.clone()));
            self.store.transact(|tx| {
                let time = tx.now().wall;
                records::log(tx, &Event { time, kind, service, instance: None, message });
            });
            debug_assert!(false, "service {name}: {flaws:?}\n{plan:#?}\n{:#?}", situation.state.instances);
            self.refused.insert(name.clone(), flaws);
        }
        false
    }

    /// Carries out all steps of a plan. Whether nothing is to be tried again, and the revision to wait for.
    fn carry_out(&mut self, name: &Name, plan: &Plan) -> (bool, Revision) {
        if plan.steps.is_empty() {
            return (true, Revision::ZERO);
        }
        for step in &plan.steps {
            if let Step::Forget(id) = step {
                self.remove_log(name, id);
            }
        }
        let cost = self.counts.cost(&self.routing, name);
        let (settings, ports) = (&self.settings, &mut self.ports);
        let (outcome, revision) = self.store.transact(|tx| {
            let outcome = carry_out(tx, name, plan, |tx| {
                let id = InstanceId::from_seed(lot::draw());
                let is_free = |port| ports::is_free(settings.address, port);
                let port = ports.take(tx, &settings.node, &id, is_free)?;
                let endpoint = SocketAddr::new(settings.address, port);
                Some(Berth { id, node: settings.node.clone(), endpoint })
            });
            if let Some(cost) = &cost {
                cost.write_down(tx, name);
            }
            outcome
        });
        match outcome {
            // The wish that it is not for is a commit, which wakes.
            Outcome::Done | Outcome::Stale => (true, revision),
            Outcome::NoBerth => {
                let range = &self.settings.ports;
                tracing::warn!(service = %name, ?range, "no free port in the range: widen --port-range");
                (false, revision)
            }
        }
    }

    /// What the gateway counts is no commit: it has to be looked at.
    fn look_at_counts(&self, name: &Name) -> Look {
        Look { within: self.counts.is_followed(name).then_some(COUNTING), at_reports: false }
    }

    /// The output of an instance goes with its record; the directory with the last of them.
    fn remove_log(&self, service: &Name, id: &InstanceId) {
        let dir = self.settings.log_dir(service);
        for name in [format!("{id}.log"), format!("{id}.log.1")] {
            // Not there is as good as removed.
            let _ = std::fs::remove_file(dir.join(name));
        }
        let _ = std::fs::remove_dir(dir);
    }
}

impl Look {
    /// After a plan; by default when nothing is to be waited for but a change on record.
    fn after(plan: &Plan, carried_out: bool) -> Look {
        let look = Look { within: (!carried_out).then_some(RETRY), at_reports: false };
        plan.waiting_on.iter().fold(look, |look, waiting| match &waiting.on {
            Cause::Drain { rest }
            | Cause::Monitor { rest }
            | Cause::Doubt { rest }
            | Cause::Delay { rest } => look.or(Look { within: Some(*rest), at_reports: false }),
            Cause::Barrier(held) => look.or(Look { within: Some(held.rest), at_reports: true }),
            Cause::Start
            | Cause::Check { .. }
            | Cause::Restart { .. }
            | Cause::GivenUp { .. }
            | Cause::Exit
            | Cause::Paused
            | Cause::Maintenance
            | Cause::Node => look,
        })
    }

    /// At whichever comes first.
    fn or(self, other: Look) -> Look {
        let within = self.within.into_iter().chain(other.within).min();
        Look { within, at_reports: self.at_reports || other.at_reports }
    }
}
