//! Records, plans and time of one service on one node. Every plan is looked over before it is carried out, and what it
//! leaves is compared with what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adsum_catalog::{Catalog, ServiceState, records};
use adsum_keyspace::{Database, Keyspace, Now, Space, Transaction};
use adsum_model::rollout::Rollout;
use adsum_model::{Berth, Instance, InstanceId, Name, Node, Order, Service};
use adsum_rollout::execute::{Outcome, carry_out};
use adsum_rollout::lint::lint;
use adsum_rollout::service::{Counted, Held, Plan, Situation, Step, plan};

pub(crate) struct World {
    keyspace: Keyspace,
    pub(crate) catalog: Catalog,
    pub(crate) now: Now,
    pub(crate) name: Name,
    /// In the order in which they were created.
    pub(crate) ids: Vec<InstanceId>,
    /// With something in flight.
    pub(crate) held: BTreeSet<InstanceId>,
    /// Of the rollout with this number.
    pub(crate) counted: Option<(u32, Counted)>,
    pub(crate) last_words: BTreeMap<InstanceId, String>,
}

impl World {
    pub(crate) fn new() -> World {
        let mut world = World {
            keyspace: Keyspace::default(),
            catalog: Catalog::default(),
            now: Now { tick: 1_000, wall: 1_700_000_000_000 },
            name: "web".parse().unwrap(),
            ids: Vec::new(),
            held: BTreeSet::new(),
            counted: None,
            last_words: BTreeMap::new(),
        };
        let node = Node::new("n1".parse().unwrap(), [127, 0, 0, 1].into());
        world.run(|tx| records::put_node(tx, &node));
        world
    }

    /// One transaction, and the view after it.
    pub(crate) fn run<T>(&mut self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let reply = self.keyspace.transact(self.now, body).unwrap().reply;
        let seen = self.catalog.revision();
        let commits: Vec<_> = self.keyspace.after(Space::System, seen).unwrap().cloned().collect();
        commits.iter().for_each(|commit| self.catalog.apply(commit));
        reply
    }

    /// Nothing is known any more but what is on record, as after a start of the agent.
    pub(crate) fn forget(&mut self) {
        self.counted = None;
        self.catalog = Catalog::load(self.keyspace.keys(Database::System), self.keyspace.revision());
    }

    pub(crate) fn pass_time(&mut self, time: Duration) {
        self.now.tick += time.as_millis() as u64;
        self.now.wall += time.as_millis() as u64;
    }

    /// The wall clock alone, which decides nothing.
    pub(crate) fn set_clock_back(&mut self, time: Duration) {
        self.now.wall -= time.as_millis() as u64;
    }

    /// What the gateways have counted since the rollout that is under way began.
    pub(crate) fn count(&mut self, counted: Option<Counted>) {
        let number = self.service().map_or(0, |service| service.rollout);
        self.counted = counted.map(|counted| (number, counted));
    }

    pub(crate) fn state(&self) -> ServiceState {
        self.catalog.service(&self.name).map(|state| (**state).clone()).unwrap_or_default()
    }

    pub(crate) fn service(&self) -> Option<Service> {
        self.state().service
    }

    pub(crate) fn rollout(&self) -> Option<Rollout> {
        let number = self.service()?.rollout;
        self.catalog.rollout(&self.name, number).map(|rollout| (**rollout).clone())
    }

    pub(crate) fn situation<'a>(&'a self, state: &'a ServiceState) -> Situation<'a> {
        let mut situation = Situation::of(&self.catalog, &self.name, state, self.now.tick);
        let hold = |id: &InstanceId| (id.clone(), Held { by: vec![], rest: Duration::from_secs(1) });
        situation.held = self.held.iter().map(hold).collect();
        let number = state.service.as_ref().map_or(0, |service| service.rollout);
        situation.counted = self.counted.filter(|(of, _)| *of == number).map(|(_, counted)| counted);
        situation.last_words = self.last_words.clone();
        situation
    }

    /// As it would be carried out now; one with a flaw is the planner's defect.
    pub(crate) fn plan(&self) -> Plan {
        let state = self.state();
        let situation = self.situation(&state);
        let plan = plan(&situation);
        let flaws = lint(&situation, &plan);
        assert!(flaws.is_empty(), "{flaws:?}\n{plan:#?}\n{:#?}\n{:#?}", self.rollout(), state.instances);
        plan
    }

    pub(crate) fn carry_out(&mut self, plan: &Plan) -> Outcome {
        let (first, name, node) = (self.ids.len() as u64 + 1, self.name.clone(), "n1".parse().unwrap());
        let mut created = Vec::new();
        let before = self.serving();
        let was = self.state();
        let outcome = self.run(|tx| {
            carry_out(tx, &name, plan, |_| {
                let number = first + created.len() as u64;
                let id = InstanceId::from_seed(number);
                created.push(id.clone());
                let port = 20_000 + (number % 10_000) as u16;
                Some(Berth { id, node: Name::clone(&node), endpoint: ([127, 0, 0, 1], port).into() })
            })
        });
        self.ids.extend(created);
        self.compare(plan, before, &was);
        outcome
    }

    /// Plans and carries out until nothing is to be done, and gives what was.
    pub(crate) fn settle(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..100 {
            let plan = self.plan();
            if plan.steps.is_empty() {
                return steps;
            }
            assert_eq!(self.carry_out(&plan), Outcome::Done);
            steps.extend(plan.steps);
        }
        panic!("it never has enough: {steps:?}");
    }

    /// Slots that serve with a version that may be relied on: not the one that has yet to prove itself.
    fn serving(&self) -> usize {
        let trial = self.rollout().filter(|rollout| rollout.proven.is_none() && rollout.from.is_some());
        let trial = trial.filter(|rollout| !rollout.stage.is_final()).map(|rollout| rollout.to);
        let state = self.state();
        let wanted = state.service.as_ref().map_or(0, |service| service.spec.replicas);
        let is_relied_on = |instance: &Instance| Some(instance.version) != trial && instance.slot <= wanted;
        let serving = state.routable().filter(|instance| is_relied_on(instance));
        serving.map(|instance| instance.slot).collect::<BTreeSet<_>>().len()
    }

    /// The proven set is not made smaller by a plan, but where the wish says so.
    fn compare(&self, plan: &Plan, before: usize, was: &ServiceState) {
        let Some(service) = self.service() else { return };
        let spec = &service.spec;
        let is_stop_first = spec.exclusive
            || spec.update.order == Order::StopFirst
            || spec.rollback.order == Order::StopFirst;
        let is_emptied = self.catalog.nodes().all(|node| node.availability != Default::default());
        if !service.removed && !is_stop_first && !is_emptied {
            let after = self.serving();
            let least = before.min(spec.replicas as usize);
            assert!(
                after >= least,
                "{before} served, {after} do, {} are wanted: {plan:#?}\n{:#?}\n{:#?}",
                spec.replicas,
                was.instances,
                self.rollout()
            );
        }
    }

    /// The number that a person would call an instance by.
    pub(crate) fn number(&self, id: &InstanceId) -> usize {
        self.ids.iter().position(|known| known == id).map_or(0, |at| at + 1)
    }

    /// A text with the ids of instances by their numbers.
    pub(crate) fn readable(&self, text: &str) -> String {
        let ids = self.ids.iter().enumerate();
        ids.fold(text.to_string(), |text, (at, id)| text.replace(id.as_str(), &format!("#{}", at + 1)))
    }

    pub(crate) fn live(&self) -> Vec<Instance> {
        self.state().live().map(|instance| (**instance).clone()).collect()
    }
}
