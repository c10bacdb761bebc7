//! Each flaw is found in a plan that was made to have it, and not in the one beside it.

use std::sync::Arc;
use std::time::Duration;

use adsum_catalog::ServiceState;
use adsum_model::rollout::{Cause, Rollout, Stage};
use adsum_model::{Health, Revision, Spec};

use super::*;
use crate::service::Held;
use crate::service::tests::instance;

/// Version 1 passes in three slots, and version 2 is on its way.
fn update() -> (ServiceState, Rollout) {
    let mut spec = Spec::new("web".parse().unwrap(), vec!["serve".into()]);
    spec.replicas = 3;
    let passing = |slot: u32| Arc::new(instance(slot.into(), 1, slot, Phase::Running, Health::Passing));
    let service = Some(Service::new(spec, 2, 0));
    let state = ServiceState { service, instances: (1..=3).map(passing).collect(), index: Revision(1) };
    let rollout = Rollout {
        service: "web".parse().unwrap(),
        number: 2,
        cause: Cause::Updated,
        from: Some(1),
        to: 2,
        stage: Stage::Rolling,
        reason: None,
        by_hand: false,
        failures: vec![],
        answered: 0,
        log: vec![],
        began: 0,
        tick: 0,
        ended: None,
        since: 0,
        proven: None,
        receipt: None,
    };
    (state, rollout)
}

fn id(seed: u64) -> InstanceId {
    InstanceId::from_seed(seed)
}

#[track_caller]
fn check(situation: &Situation<'_>, steps: &[Step], expected: &[Flaw]) {
    let plan = Plan { generation: Some(0), steps: steps.to_vec(), waiting_on: vec![] };
    assert_eq!(lint(situation, &plan), expected);
}

#[test]
fn nothing_of_the_proven_version_goes_before_the_one_to_come_is_proven() {
    let (state, mut rollout) = update();
    let reduced = Flaw::Reduced { before: 3, after: 2, wanted: 3 };
    let situation = Situation { rollout: Some(&rollout), ..Situation::new(&state, 0) };
    check(&situation, &[], &[]);
    check(&situation, &[Step::Create { slot: 1, version: 2 }], &[]);
    check(&situation, &[Step::Drain(id(1))], &[Flaw::Unproven(id(1)), reduced.clone()]);
    rollout.proven = Some(0);
    let situation = Situation { rollout: Some(&rollout), ..Situation::new(&state, 0) };
    check(&situation, &[Step::Drain(id(1))], &[reduced]);
}

#[test]
fn what_is_on_its_way_to_the_barrier_or_still_serves_is_not_ended() {
    let (mut state, _) = update();
    Arc::make_mut(&mut state.instances[0]).health = Health::Draining;
    let mut situation = Situation::new(&state, 0);
    check(&situation, &[Step::Stop(id(1))], &[]);
    check(&situation, &[Step::Stop(id(2))], &[Flaw::Held(id(2))]);
    situation.held = [(id(1), Held { by: vec![], rest: Duration::ZERO })].into();
    check(&situation, &[Step::Stop(id(1))], &[Flaw::Held(id(1))]);
}

#[test]
fn a_slot_of_an_exclusive_service_has_one_and_no_slot_gets_two() {
    let (mut state, _) = update();
    let create = Step::Create { slot: 1, version: 2 };
    check(&Situation::new(&state, 0), &[create.clone(), create.clone()], &[Flaw::Twice(create.clone())]);
    state.service.as_mut().unwrap().spec.exclusive = true;
    check(&Situation::new(&state, 0), std::slice::from_ref(&create), &[Flaw::Doubled { slot: 1 }]);
    state.instances.remove(0);
    check(&Situation::new(&state, 0), std::slice::from_ref(&create), &[]);
    let nowhere = Situation { takes: false, ..Situation::new(&state, 0) };
    check(&nowhere, &[create], &[Flaw::Nowhere { slot: 1 }]);
}

#[test]
fn no_more_slots_are_under_way_than_the_update_allows() {
    let (state, rollout) = update();
    let situation = Situation { rollout: Some(&rollout), ..Situation::new(&state, 0) };
    let creates = [Step::Create { slot: 1, version: 2 }, Step::Create { slot: 2, version: 2 }];
    check(&situation, &creates, &[Flaw::Crowded { slots: 2, parallelism: 1 }]);
    check(&situation, &creates[..1], &[]);
}
