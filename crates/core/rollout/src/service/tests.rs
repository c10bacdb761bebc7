//! Plans for situations, and whole updates played through.

use std::sync::Arc;

use adsum_model::{Berth, Health, Name, Phase, Spec};
use adsum_routing::{Face, Holdup, InFlight, MemberId, Reason};

use super::*;

pub(crate) fn instance(seed: u64, version: u32, slot: u32, phase: Phase, health: Health) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(seed),
        node: "n1".parse::<Name>().unwrap(),
        endpoint: "127.0.0.1:20000".parse().unwrap(),
    };
    Instance {
        version,
        slot,
        phase,
        health,
        proven: health == Health::Passing,
        ..Instance::planned("web".parse().unwrap(), berth)
    }
}

fn service(version: u32, replicas: u32) -> Service {
    let mut spec = Spec::new("web".parse().unwrap(), vec!["serve".into()]);
    spec.replicas = replicas;
    Service::new(spec, version, 0)
}

fn state(service: Service, instances: Vec<Instance>) -> ServiceState {
    let mut instances: Vec<Arc<Instance>> = instances.into_iter().map(Arc::new).collect();
    instances.sort_by_key(|instance| instance.slot);
    ServiceState { service: Some(service), instances, index: adsum_model::Revision(1) }
}

fn steps(state: &ServiceState) -> Vec<Step> {
    plan(&quiet(state)).steps
}

/// Nobody has asked for the service, and nobody has anything in flight.
fn quiet(state: &ServiceState) -> Situation<'_> {
    Situation::new(state, 0)
}

fn id(seed: u64) -> InstanceId {
    InstanceId::from_seed(seed)
}

/// Carries plans out on a state, with instances that start and pass at once, and counts those that serve.
struct World {
    state: ServiceState,
    next: u64,
    fewest_routable: usize,
    most_on_one_slot: usize,
}

impl World {
    fn new(service: Service) -> World {
        World { state: state(service, vec![]), next: 1, fewest_routable: usize::MAX, most_on_one_slot: 0 }
    }

    /// Plans and carries out until there is nothing to do.
    fn converge(&mut self) {
        for _ in 0..1000 {
            let plan = plan(&quiet(&self.state));
            let mut busy = !plan.steps.is_empty();
            plan.steps.into_iter().for_each(|step| self.carry_out(step));
            self.count();
            busy |= self.live_on();
            if !busy {
                return;
            }
        }
        panic!("no end: {:?}", self.state.instances);
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Create { slot, version } => {
                let new = instance(self.next, version, slot, Phase::Planned, Health::Starting);
                self.next += 1;
                self.state.instances.push(Arc::new(new));
                self.state.instances.sort_by_key(|instance| instance.slot);
            }
            Step::Drain(id) => self.change(&id, |instance| instance.health = Health::Draining),
            Step::Stop(id) => self.change(&id, |instance| instance.phase = Phase::Stopping),
            Step::Forget(id) => self.state.instances.retain(|instance| instance.id != id),
            Step::RemoveService => self.state.service = None,
            Step::Advance(_) | Step::ForgetVersion(_) => panic!("there is neither a rollout nor a version"),
        }
    }

    /// Lets every instance take one step by itself.
    fn live_on(&mut self) -> bool {
        let mut moved = false;
        for instance in self.state.instances.iter_mut().map(Arc::make_mut) {
            let before = (instance.phase, instance.health);
            match before {
                (Phase::Planned, _) => instance.phase = Phase::Running,
                (Phase::Running, Health::Starting) => instance.health = Health::Passing,
                (Phase::Stopping, _) => instance.phase = Phase::Stopped,
                _ => {}
            }
            moved |= before != (instance.phase, instance.health);
        }
        moved
    }

    fn change(&mut self, id: &InstanceId, change: impl FnOnce(&mut Instance)) {
        let found = self.state.instances.iter_mut().find(|instance| instance.id == *id).unwrap();
        change(Arc::make_mut(found));
    }

    fn count(&mut self) {
        self.fewest_routable = self.fewest_routable.min(self.state.routable().count());
        for slot in 1..=10 {
            let running = self.state.live().filter(|i| i.slot == slot && i.phase != Phase::Planned).count();
            self.most_on_one_slot = self.most_on_one_slot.max(running);
        }
    }

    fn update(&mut self, change: impl FnOnce(&mut Service)) {
        change(self.state.service.as_mut().unwrap());
        (self.fewest_routable, self.most_on_one_slot) = (usize::MAX, 0);
        self.converge();
    }

    fn versions(&self) -> Vec<(u32, u32)> {
        self.state.routable().map(|instance| (instance.slot, instance.version)).collect()
    }
}

#[test]
fn a_new_service_gets_all_its_instances_at_once() {
    let creates: Vec<Step> = (1..=3).map(|slot| Step::Create { slot, version: 1 }).collect();
    assert_eq!(steps(&state(service(1, 3), vec![])), creates);
}

#[test]
fn an_update_never_goes_below_the_proven_set() {
    let mut world = World::new(service(1, 4));
    world.converge();
    world.update(|service| service.version = 2);
    let mut versions = world.versions();
    versions.sort_unstable();
    assert_eq!(versions, [(1, 2), (2, 2), (3, 2), (4, 2)]);
    assert_eq!(world.fewest_routable, 4);
}

#[test]
fn an_exclusive_service_never_has_two_on_one_slot() {
    let mut service = service(1, 2);
    service.spec.exclusive = true;
    let mut world = World::new(service);
    world.converge();
    world.update(|service| service.version = 2);
    assert_eq!(world.versions(), [(1, 2), (2, 2)]);
    assert_eq!((world.most_on_one_slot, world.fewest_routable), (1, 1));
}

#[test]
fn scaling_down_drains_the_highest_slots_and_removal_leaves_nothing() {
    let mut world = World::new(service(1, 4));
    world.converge();
    world.update(|service| service.spec.replicas = 1);
    assert_eq!(world.versions(), [(1, 1)]);
    world.update(|service| service.spec.replicas = 3);
    assert_eq!(world.versions().len(), 3);
    world.update(|service| service.removed = true);
    assert!(world.state.service.is_none() && world.state.instances.is_empty());
}

#[test]
fn a_version_that_does_not_pass_stops_the_update_and_says_why() {
    let mut bad = instance(9, 2, 1, Phase::Running, Health::Starting);
    bad.reason = Some("connection refused".into());
    let old = |seed, slot| instance(seed, 1, slot, Phase::Running, Health::Passing);
    let state = state(service(2, 3), vec![old(1, 1), bad, old(2, 2), old(3, 3)]);
    let plan = plan(&quiet(&state));
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.waiting_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [format!("slot 1 ({}): its tcp check to pass: connection refused", id(9))]
    );
}

#[test]
fn an_instance_that_was_given_up_is_not_tried_again_before_a_new_version() {
    let failed = instance(1, 1, 1, Phase::Failed, Health::Critical);
    assert_eq!(steps(&state(service(1, 1), vec![failed.clone()])), []);
    assert_eq!(steps(&state(service(2, 1), vec![failed])), [Step::Create { slot: 1, version: 2 }]);
}

#[test]
fn an_instance_that_has_done_its_work_is_not_made_anew_before_a_new_version() {
    let done = instance(1, 1, 1, Phase::Complete, Health::Critical);
    let settled = state(service(1, 1), vec![done.clone()]);
    let nothing = plan(&quiet(&settled));
    assert_eq!((nothing.steps.len(), nothing.waiting_on.len()), (0, 0));
    assert_eq!(steps(&state(service(2, 1), vec![done])), [Step::Create { slot: 1, version: 2 }]);
}

#[test]
fn a_service_that_becomes_exclusive_ends_what_is_doubled_at_once() {
    let mut service = service(2, 1);
    service.spec.exclusive = true;
    let old = instance(1, 1, 1, Phase::Running, Health::Passing);
    let new = instance(2, 2, 1, Phase::Running, Health::Starting);
    assert_eq!(steps(&state(service, vec![old, new])), [Step::Drain(id(1))]);
}

#[test]
fn a_draining_instance_goes_on_while_its_address_may_be_in_use() {
    let draining = instance(1, 1, 1, Phase::Running, Health::Draining);
    let state = state(service(1, 0), vec![draining]);
    let after = |asked, hidden: Option<u64>| {
        let hidden = hidden.map(|hidden| (id(1), Duration::from_millis(hidden)));
        plan(&Situation { asked, hidden: hidden.into_iter().collect(), ..quiet(&state) })
    };
    assert_eq!(after(false, Some(0)).steps, [Step::Stop(id(1))]);
    assert_eq!(after(true, Some(2999)).steps, []);
    assert_eq!(after(true, Some(2999)).waiting_on[0].on, Cause::Drain { rest: Duration::from_millis(1) });
    assert_eq!(after(true, Some(3000)).steps, [Step::Stop(id(1))]);
    // Nobody who gives addresses away has known of it until now.
    assert_eq!(after(true, None).waiting_on[0].on, Cause::Drain { rest: NAME_GRACE });
}

#[test]
fn a_check_that_says_nothing_has_nothing_behind_its_colon() {
    let said = |last: Option<&str>| Cause::Check { kind: "command", last: last.map(Into::into) }.to_string();
    assert_eq!(said(Some("no table")), "its command check to pass: no table");
    assert_eq!(said(Some("")), "its command check to pass");
    assert_eq!(said(None), "its command check to pass");
}

#[test]
fn a_draining_instance_goes_on_while_a_gateway_has_something_in_flight_on_it() {
    let draining = |seed| instance(seed, 1, seed as u32, Phase::Running, Health::Draining);
    let state = state(service(1, 0), vec![draining(1), draining(2)]);
    let member = MemberId { node: "n1".parse().unwrap(), face: Face::Gateway, worker: 0 };
    let in_flight = InFlight { requests: 3, upgrades: 1 };
    let by = vec![Holdup { member, reason: Reason::InFlight(in_flight) }];
    let held: BTreeMap<_, _> = [(id(1), Held { by, rest: Duration::from_secs(9) })].into();
    let plan = plan(&Situation { held, ..quiet(&state) });
    assert_eq!(plan.steps, [Step::Stop(id(2))]);
    assert_eq!(
        plan.waiting_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [format!(
            "slot 1 ({}): those who route to let go of it: gateway on node n1 (worker 0) has 3 requests and \
             1 upgraded connection in flight",
            id(1)
        )]
    );
}

#[test]
fn a_draining_instance_whose_process_has_ended_waits_for_nobody() {
    let ended = instance(1, 1, 1, Phase::Backoff, Health::Draining);
    let state = state(service(1, 0), vec![ended]);
    let held = Held { by: vec![], rest: Duration::from_secs(9) };
    assert_eq!(plan(&Situation { held: [(id(1), held)].into(), ..quiet(&state) }).steps, [Step::Stop(id(1))]);
}

#[test]
fn one_that_is_back_from_maintenance_with_something_in_flight_is_drained_before_it_ends() {
    let mut back = instance(1, 1, 2, Phase::Running, Health::Starting);
    back.proven = true;
    let state = state(service(1, 1), vec![instance(2, 1, 1, Phase::Running, Health::Passing), back]);
    let held = Held { by: vec![], rest: Duration::from_secs(9) };
    assert_eq!(
        plan(&Situation { held: [(id(1), held)].into(), ..quiet(&state) }).steps,
        [Step::Drain(id(1))]
    );
    assert_eq!(plan(&quiet(&state)).steps, [Step::Stop(id(1))]);
}

#[test]
fn what_is_in_flight_has_the_drain_time_out_and_a_moment_more() {
    let mut draining = instance(1, 1, 1, Phase::Running, Health::Draining);
    draining.since = 5_000;
    let mut service = service(1, 0);
    service.spec.update.drain_timeout = Duration::from_secs(3);
    assert_eq!(drain_rest(&draining, Some(&service), 6_000), Duration::from_secs(3));
    assert_eq!(drain_rest(&draining, Some(&service), 60_000), Duration::ZERO);
    assert_eq!(drain_rest(&draining, None, 5_000), Duration::from_secs(31));
}

#[test]
fn what_does_not_serve_is_replaced_first_and_parallelism_is_kept() {
    let dead = instance(2, 1, 2, Phase::Backoff, Health::Critical);
    let good = |seed, slot| instance(seed, 1, slot, Phase::Running, Health::Passing);
    let mut service = service(2, 3);
    let instances = vec![good(1, 1), dead, good(3, 3)];
    assert_eq!(steps(&state(service.clone(), instances.clone())), [Step::Create { slot: 2, version: 2 }]);
    service.spec.update.parallelism = 0;
    assert_eq!(steps(&state(service, instances)).len(), 3);
}

#[test]
fn the_newest_ended_instances_are_kept_and_the_rest_forgotten() {
    let mut instances = vec![instance(100, 1, 1, Phase::Running, Health::Passing)];
    for seed in 1..=7 {
        let mut ended = instance(seed, 1, 1, Phase::Stopped, Health::Draining);
        ended.since = seed;
        instances.push(ended);
    }
    assert_eq!(steps(&state(service(1, 1), instances)), [Step::Forget(id(1)), Step::Forget(id(2))]);
}
