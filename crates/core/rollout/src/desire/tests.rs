//! What each wish leaves on record.

use adsum_keyspace::{Keyspace, Now};
use adsum_model::Upstream;
use adsum_model::rollout::Rollout;

use super::*;

fn web() -> Spec {
    Spec::new("web".parse().unwrap(), vec!["serve".into()])
}

fn run<T>(keyspace: &mut Keyspace, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
    keyspace.transact(Now::default(), body).unwrap().reply
}

#[test]
fn what_the_instances_run_makes_a_version_and_the_rest_does_not() {
    let mut keyspace = Keyspace::default();
    assert_eq!(run(&mut keyspace, |tx| create(tx, web())).unwrap().what, Novelty::Created);
    assert_eq!(run(&mut keyspace, |tx| create(tx, web())), Err(Refusal::Exists("web".parse().unwrap())));
    assert_eq!(run(&mut keyspace, |tx| update(tx, web())).unwrap().what, Novelty::Nothing);

    let scaled = run(&mut keyspace, |tx| scale(tx, &web().name, 5)).unwrap();
    assert_eq!((scaled.what, scaled.service.version), (Novelty::Changed, 1));

    let mut spec = scaled.service.spec;
    spec.task.env.insert("A".into(), "1".into());
    let updated = run(&mut keyspace, |tx| update(tx, spec)).unwrap();
    assert_eq!((updated.what, updated.service.version), (Novelty::NewVersion, 2));
    assert!(run(&mut keyspace, |tx| records::version(tx, &web().name, 1).is_some()));

    let mut spec = updated.service.spec;
    spec.routing.policy.retries = 7;
    spec.routing.policy.upstream = Upstream::H2c;
    let updated = run(&mut keyspace, |tx| update(tx, spec)).unwrap();
    assert_eq!((updated.what, updated.service.version), (Novelty::NewVersion, 3));
    let spoken = |keyspace: &mut Keyspace, number| {
        run(keyspace, |tx| records::version(tx, &web().name, number)).unwrap().upstream
    };
    assert_eq!((spoken(&mut keyspace, 2), spoken(&mut keyspace, 3)), (Upstream::Http, Upstream::H2c));
}

#[test]
fn a_restart_is_a_version_that_runs_the_same() {
    let mut keyspace = Keyspace::default();
    let name = web().name;
    assert_eq!(run(&mut keyspace, |tx| restart(tx, &name, "x")), Err(Refusal::Unknown(name.clone())));
    run(&mut keyspace, |tx| create(tx, web())).unwrap();
    let taken = run(&mut keyspace, |tx| restart(tx, &name, "x")).unwrap();
    assert_eq!((taken.what, taken.service.version), (Novelty::NewVersion, 2));
    let version = run(&mut keyspace, |tx| records::version(tx, &name, 2)).unwrap();
    assert_eq!(version.task, web().task);
}

#[test]
fn a_service_on_its_way_out_takes_no_wishes() {
    let mut keyspace = Keyspace::default();
    let name = web().name;
    assert_eq!(run(&mut keyspace, |tx| remove(tx, &name)), Err(Refusal::Unknown(name.clone())));
    run(&mut keyspace, |tx| create(tx, web())).unwrap();
    assert!(run(&mut keyspace, |tx| remove(tx, &name)).unwrap().service.removed);
    assert_eq!(run(&mut keyspace, |tx| remove(tx, &name)).unwrap().what, Novelty::Nothing);
    assert_eq!(run(&mut keyspace, |tx| scale(tx, &name, 2)), Err(Refusal::BeingRemoved(name.clone())));
    assert_eq!(run(&mut keyspace, |tx| create(tx, web())), Err(Refusal::BeingRemoved(name)));
}

/// Its first version is complete, and the second one is on its way.
fn on_its_way(keyspace: &mut Keyspace) -> Name {
    let name = web().name;
    run(keyspace, |tx| create(tx, web())).unwrap();
    run(keyspace, |tx| {
        let first = records::rollout(tx, &name, 1).unwrap();
        records::put_rollout(tx, &Rollout { stage: Stage::Complete, ..first });
    });
    run(keyspace, |tx| restart(tx, &name, "x")).unwrap();
    name
}

#[test]
fn who_has_a_rollout_stand_still_is_on_record_until_it_goes_on_or_ends() {
    let mut keyspace = Keyspace::default();
    let name = on_its_way(&mut keyspace);
    let stands = |keyspace: &mut Keyspace| {
        let rollout = run(keyspace, |tx| records::rollout(tx, &web().name, 2)).unwrap();
        (rollout.stage, rollout.by_hand, rollout.reason)
    };
    run(&mut keyspace, |tx| pause(tx, &name)).unwrap();
    assert_eq!(stands(&mut keyspace), (Stage::Paused, true, Some("paused by hand".into())));
    run(&mut keyspace, |tx| resume(tx, &name)).unwrap();
    assert_eq!(stands(&mut keyspace), (Stage::Rolling, false, None));
    run(&mut keyspace, |tx| pause(tx, &name)).unwrap();
    run(&mut keyspace, |tx| abort(tx, &name)).unwrap();
    assert_eq!(stands(&mut keyspace), (Stage::RolledBack, false, Some("taken back by hand".into())));
}
