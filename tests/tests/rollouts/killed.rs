//! Instances that are killed while a rollout is under way: what that may cost is what they had in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use adsum_tests::load::Record;
use adsum_tests::processes::Process;
use adsum_tests::stage::SOON;
use adsum_tests::{Stage, Traffic, rounds, until_ok};
use nix::sys::signal::Signal;

const RATE: u32 = 100;
/// From SIGKILL until everybody can know of it, on a machine that is busy.
const UNNOTICED: Duration = Duration::from_millis(200);

struct Kill {
    at: Duration,
    victim: Process,
}

impl Kill {
    /// Whether this request was under way when the instance died, and on no other, as far as that is known.
    fn explains(&self, record: &Record) -> bool {
        let there = record.due <= self.at + UNNOTICED && record.due + record.latency >= self.at;
        let instance = self.victim.env("ADSUM_INSTANCE");
        there && record.backend.as_deref().is_none_or(|backend| Some(backend) == instance)
    }
}

#[test]
fn instances_killed_during_rollouts_cost_at_most_what_they_had_in_flight() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "3", "--restart-delay", "100ms", "--update-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    let kills: Vec<Kill> =
        (0..rounds(2, 50)).map(|round| kill_during_update(&stage, &mut traffic, round)).collect();
    traffic.go_on_for(u64::from(RATE));
    let account = traffic.stop();
    let begun: usize = kills.iter().map(|kill| begun(&stage, &kill.victim)).sum();
    println!("{begun} in flight on the {} that were killed\n{account}", kills.len());
    assert!(begun > 0, "nothing was in flight: nothing was shown");
    let failures = account.failures();
    let unexplained: Vec<_> =
        failures.iter().filter(|record| !kills.iter().any(|kill| kill.explains(record))).collect();
    assert!(unexplained.is_empty(), "not in flight on what was killed: {unexplained:#?}");
    // A POST may have been on its way to the instance without having been read: no ledger has that.
    let unread = unread(&failures, &stage);
    assert!(failures.len() <= begun + unread, "{} failed, {begun} begun, {unread} unread", failures.len());
    account.posts_in(&stage.entries()).unwrap();
}

/// POSTs that failed and that no instance has carried out.
fn unread(failures: &[&Record], stage: &Stage) -> usize {
    let entries = stage.entries();
    let posts: BTreeSet<&str> = entries.posts().into_keys().collect();
    let lost = failures.iter().filter_map(|record| record.post.as_deref());
    lost.filter(|id| !posts.contains(id)).count()
}

fn kill_during_update(stage: &Stage, traffic: &mut Traffic, round: u32) -> Kill {
    let version = format!("ROUND={round}");
    let old: BTreeSet<i32> = stage.agent.instances_of("web").iter().map(|it| it.pid).collect();
    let update = stage.agent.adsum_running(&["service", "update", "web", "--env-add", &version]);
    until_ok("the rollout is under way", SOON, || {
        let here = stage.agent.instances_of("web");
        let more = here.iter().any(|it| !old.contains(&it.pid));
        more.then_some(()).ok_or_else(|| format!("{here:?}"))
    });
    let victim = until_ok("one of the old version is in the middle of its answers", SOON, || {
        let mut here = stage.agent.instances_of("web").into_iter().filter(|it| old.contains(&it.pid));
        here.find(|it| held_in_the_middle(stage, it)).ok_or_else(|| format!("{:?}", stage.entries()))
    });
    let at = traffic.elapsed();
    victim.signal(Signal::SIGKILL);
    traffic.during(&format!("kill -9 during update {round}"), || update.finish(SOON * 3).ok());
    Kill { at, victim }
}

/// Stops the instance, so that what it has begun stays begun; one that has begun nothing goes on.
fn held_in_the_middle(stage: &Stage, instance: &Process) -> bool {
    instance.signal(Signal::SIGSTOP);
    let held = begun(stage, instance) > 0;
    if !held {
        instance.signal(Signal::SIGCONT);
    }
    held
}

/// What it has begun and not ended, by its own ledger.
fn begun(stage: &Stage, instance: &Process) -> usize {
    let entries = stage.entries_of(instance);
    entries.count("request ").saturating_sub(entries.count("done "))
}
