//! Courses by chance: whatever is wished, whatever instances do, whenever: no plan has a flaw, none makes the proven set
//! smaller (`World` looks), none is carried out for another wish, and when instances behave, every course ends.

use std::time::Duration;

use adsum_model::rollout::Stage;
use adsum_model::{FailureAction, Health, Order, Phase, Spec};
use adsum_rollout::desire;
use adsum_rollout::execute::Outcome;
use adsum_rollout::service::{Counted, Tally};
use proptest::prelude::*;

use crate::world::World;

#[derive(Clone, Debug)]
enum Move {
    Update,
    Restart,
    Scale(u32),
    Rollback,
    Abort,
    Pause,
    Resume,
    Maintain(usize, bool),
    Drain(bool),
    /// The n-th live instance.
    Pass(usize),
    Critical(usize),
    Crash(usize),
    GiveUp(usize),
    End(usize),
    Hold(usize),
    ReleaseAll,
    Tick(u64),
    Bad(bool),
    Round,
    /// The agent is started again: the same plan follows from what is on record.
    Reload,
    /// A plan is made, a wish comes, and then the plan is to be carried out.
    Stale,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => Just(Move::Update),
        1 => Just(Move::Restart),
        2 => (0u32..5).prop_map(Move::Scale),
        1 => Just(Move::Rollback),
        1 => Just(Move::Abort),
        1 => Just(Move::Pause),
        1 => Just(Move::Resume),
        1 => (0usize..8, any::<bool>()).prop_map(|(which, on)| Move::Maintain(which, on)),
        1 => any::<bool>().prop_map(Move::Drain),
        8 => (0usize..8).prop_map(Move::Pass),
        1 => (0usize..8).prop_map(Move::Critical),
        1 => (0usize..8).prop_map(Move::Crash),
        1 => (0usize..8).prop_map(Move::GiveUp),
        4 => (0usize..8).prop_map(Move::End),
        1 => (0usize..8).prop_map(Move::Hold),
        1 => Just(Move::ReleaseAll),
        4 => (0u64..6_000).prop_map(Move::Tick),
        1 => any::<bool>().prop_map(Move::Bad),
        10 => Just(Move::Round),
        1 => Just(Move::Reload),
        1 => Just(Move::Stale),
    ]
}

fn specs() -> impl Strategy<Value = Spec> {
    let actions =
        prop_oneof![Just(FailureAction::Pause), Just(FailureAction::Continue), Just(FailureAction::Rollback)];
    let update =
        (0u32..4, any::<bool>(), 0u64..3, prop_oneof![Just(0u64), Just(5_000)], 0u32..6_000, actions);
    (update, 1u32..5, 0u32..8, 0u32..3).prop_map(|(update, replicas, exclusive, rollback)| {
        let (parallelism, stop_first, delay, monitor, ratio, action) = update;
        let mut spec = Spec::new("web".parse().unwrap(), vec!["serve".into()]);
        spec.replicas = replicas;
        spec.exclusive = exclusive == 0;
        spec.update.parallelism = parallelism;
        spec.update.order = if stop_first { Order::StopFirst } else { Order::StartFirst };
        spec.update.delay = Duration::from_secs(delay);
        spec.update.monitor = Duration::from_millis(monitor);
        spec.update.max_failure_ratio = ratio;
        spec.update.failure_action = action;
        spec.rollback.parallelism = rollback;
        spec
    })
}

fn do_move(world: &mut World, made: &Move, count: &mut u32) {
    let name = world.name.clone();
    let live = world.live();
    let nth = |n: usize| live.get(n % live.len().max(1)).map(|instance| instance.id.clone());
    match made {
        Move::Update => update(world, count),
        Move::Restart => drop(world.run(|tx| desire::restart(tx, &name, "asked"))),
        Move::Scale(replicas) => drop(world.run(|tx| desire::scale(tx, &name, *replicas))),
        Move::Rollback => drop(world.run(|tx| desire::rollback(tx, &name))),
        Move::Abort => drop(world.run(|tx| desire::abort(tx, &name))),
        Move::Pause => drop(world.run(|tx| desire::pause(tx, &name))),
        Move::Resume => drop(world.run(|tx| desire::resume(tx, &name))),
        Move::Maintain(n, on) => {
            let reason = on.then(String::new);
            nth(*n)
                .into_iter()
                .for_each(|id| drop(world.run(|tx| desire::maintain_instance(tx, &id, reason.clone()))));
        }
        Move::Drain(on) => drain(world, *on),
        Move::Pass(n) => nth(*n).iter().for_each(|id| world.pass(id)),
        Move::Critical(n) => nth(*n).iter().for_each(|id| world.turn_critical(id, "connection refused")),
        Move::Crash(n) => nth(*n).iter().for_each(|id| world.crash(id, "exited with code 1", Phase::Backoff)),
        Move::GiveUp(n) => nth(*n).iter().for_each(|id| world.crash(id, "exited with code 2", Phase::Failed)),
        Move::End(n) => nth(*n).iter().for_each(|id| world.end(id)),
        Move::Hold(n) => world.held.extend(nth(*n)),
        Move::ReleaseAll => world.held.clear(),
        Move::Tick(millis) => world.pass_time(Duration::from_millis(*millis)),
        Move::Bad(is_bad) => {
            let new = Tally { requests: 100, failed: 50 };
            world.count(is_bad.then_some(Counted { new, ..Counted::default() }));
        }
        Move::Round => {
            let plan = world.plan();
            world.carry_out(&plan);
        }
        Move::Reload => {
            world.count(None);
            let before = world.plan();
            world.forget();
            assert_eq!(world.plan(), before);
        }
        Move::Stale => {
            let plan = world.plan();
            update(world, count);
            let before = world.catalog.revision();
            let outcome = world.carry_out(&plan);
            let expected = if plan.steps.is_empty() { Outcome::Done } else { Outcome::Stale };
            assert_eq!((outcome, world.catalog.revision()), (expected, before), "{plan:?}");
        }
    }
}

fn update(world: &mut World, count: &mut u32) {
    *count += 1;
    let mut spec = world.service().unwrap().spec;
    spec.task.env.insert("A".into(), count.to_string());
    world.run(|tx| desire::update(tx, spec)).unwrap();
}

fn drain(world: &mut World, on: bool) {
    let node = "n1".parse().unwrap();
    if on {
        world.run(|tx| desire::drain_node(tx, &node, true)).unwrap();
    } else {
        world.run(|tx| desire::activate_node(tx, &node)).unwrap();
    }
}

/// From now on instances start, pass and end, nobody asks for anything, and whoever paused resumes.
fn behave(world: &mut World) {
    world.held.clear();
    world.count(None);
    drain(world, false);
    let name = world.name.clone();
    for instance in world.live() {
        // One that leaves already refuses.
        drop(world.run(|tx| desire::maintain_instance(tx, &instance.id, None)));
    }
    for _ in 0..200 {
        world.settle();
        drop(world.run(|tx| desire::resume(tx, &name)));
        for instance in world.live() {
            let is_leaving = instance.phase == Phase::Stopping || instance.health == Health::Draining;
            let has_failed = instance.health == Health::Critical || !instance.is_routable();
            match (is_leaving, has_failed) {
                (true, _) => world.end(&instance.id),
                (false, true) => world.pass(&instance.id),
                (false, false) => {}
            }
        }
        world.pass_time(Duration::from_secs(1));
        let is_over = world.rollout().is_none_or(|rollout| rollout.stage.is_final());
        if is_over && world.plan().steps.is_empty() && world.plan().waiting_on.is_empty() {
            return;
        }
    }
    let state = world.state();
    let ended = |instance: &&std::sync::Arc<adsum_model::Instance>| instance.phase == Phase::Failed;
    // What was given up by its policy is not tried again before a new version.
    assert!(
        state.instances.iter().any(|instance| ended(&instance)),
        "it never ends: {:#?}\n{:#?}\n{:#?}",
        world.rollout(),
        world.plan(),
        state.instances
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_course_keeps_what_serves_and_ends(spec in specs(), moves in prop::collection::vec(moves(), 1..120)) {
        let mut world = World::new();
        world.run(|tx| desire::create(tx, spec)).unwrap();
        let mut count = 0;
        for made in &moves {
            do_move(&mut world, made, &mut count);
        }
        behave(&mut world);
        let service = world.service().unwrap();
        let rollout = world.rollout().unwrap();
        prop_assert!(rollout.stage != Stage::Superseded && rollout.to == service.version);
        if rollout.stage == Stage::Complete {
            let state = world.state();
            prop_assert!(state.live().all(|instance| instance.version == service.version));
            prop_assert!(state.live().count() <= service.spec.replicas as usize);
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_back_changes_no_plan(
        spec in specs(),
        moves in prop::collection::vec((moves(), 0u64..3_600), 1..120),
    ) {
        let (mut steady, mut jumpy) = (World::new(), World::new());
        steady.run(|tx| desire::create(tx, spec.clone())).unwrap();
        jumpy.run(|tx| desire::create(tx, spec)).unwrap();
        let mut counts = (0, 0);
        for (made, jump) in &moves {
            do_move(&mut steady, made, &mut counts.0);
            do_move(&mut jumpy, made, &mut counts.1);
            jumpy.set_clock_back(Duration::from_secs(*jump));
            prop_assert_eq!(steady.plan(), jumpy.plan());
        }
    }
}
