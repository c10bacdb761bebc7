//! Updates: what serves is replaced, and goes on serving.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use adsum_tests::http;
use adsum_tests::processes::Process;
use nix::sys::signal::Signal;

use super::*;

/// Who passed at one moment.
type Sample = BTreeSet<String>;

/// What has been seen so far.
type Samples = Mutex<Vec<Sample>>;

/// Asks who passes, before `change` and again and again while it goes on.
fn observe(agent: &Agent, change: impl FnOnce(&Samples)) -> Vec<Sample> {
    let look = || passing(agent, "web").into_iter().collect();
    let (samples, over) = (Mutex::new(vec![look()]), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let sample = look();
                samples.lock().unwrap().push(sample);
            }
        });
        let _over = Over(&over);
        change(&samples);
    });
    samples.into_inner().unwrap()
}

/// Ends the observer, whatever has happened.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fewest(samples: &[Sample]) -> usize {
    samples.iter().map(BTreeSet::len).min().expect("there is a sample")
}

/// The versions that the instances say they are.
#[track_caller]
fn versions(agent: &Agent) -> Vec<String> {
    let service = web::service(agent, "web");
    let live = service["instances"].as_array().unwrap().iter().filter(|it| it["phase"] == "running");
    let mut versions: Vec<String> = live
        .map(|it| http::get(web::address(it), "/").unwrap().ok().split(' ').nth(1).unwrap().to_string())
        .collect();
    versions.sort_unstable();
    versions
}

/// Whether two processes ever lived on one slot's data at the same time.
pub(super) fn doubled(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).expect("the data directory can be read");
    entries.map(|entry| entry.unwrap()).any(|entry| match entry.file_type().unwrap().is_dir() {
        true => doubled(&entry.path()),
        false => entry.file_name() == "doubled",
    })
}

#[test]
fn an_update_replaces_all_and_never_has_fewer_passing_than_are_wanted() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "3", "--env", "VERSION=1"]);
    let before: Sample = passing(&agent, "web").into_iter().collect();
    let samples = observe(&agent, |_| {
        agent.adsum(&["service", "update", "web", "--env-add", "VERSION=2"]).ok();
    });
    assert_eq!(versions(&agent), ["2", "2", "2"]);
    let after: Sample = passing(&agent, "web").into_iter().collect();
    assert!(after.is_disjoint(&before) && samples.contains(&before), "{samples:?}");
    assert!(fewest(&samples) >= 3, "{samples:?}");
    // One after the other: there was a moment with old and new side by side, and never more than one to spare.
    assert!(samples.iter().any(|sample| !sample.is_subset(&before) && !sample.is_disjoint(&before)));
    assert!(samples.iter().all(|sample| sample.len() <= 4), "{samples:?}");
}

/// The positive control of the test above: a death that nobody planned is seen.
#[test]
fn an_observer_sees_when_one_is_missing() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "3", "--restart-delay", "4s"]);
    let samples = observe(&agent, |samples| {
        agent.instances_of("web")[0].signal(Signal::SIGKILL);
        until("the observer misses one", SOON, || (fewest(&samples.lock().unwrap()) == 2).then_some(()));
        until("it is back", SOON, || (passing(&agent, "web").len() == 3).then_some(()));
    });
    assert_eq!(fewest(&samples), 2);
}

#[test]
fn an_exclusive_service_is_replaced_stop_first() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--exclusive", "--env", "VERSION=1"]);
    let before: Vec<i32> = agent.instances_of("web").iter().map(|it| it.pid).collect();
    agent.adsum(&["service", "update", "web", "--env-add", "VERSION=2"]).ok();
    assert_eq!(versions(&agent), ["2"]);
    assert!(before.iter().all(|pid| Process::read(*pid).is_none()));
    assert!(!doubled(&agent.data_dir()));
}

/// The positive control of the test above.
#[test]
fn a_service_that_is_not_exclusive_is_replaced_start_first() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    agent.adsum(&["service", "update", "web", "--env-add", "VERSION=2"]).ok();
    assert_eq!(versions(&agent), ["2"]);
    assert!(doubled(&agent.data_dir()));
}

#[test]
fn a_version_that_cannot_pass_leaves_the_one_before_serving() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--replicas", "2", "--env", "VERSION=1"]);
    let before = passing(&agent, "web");
    let update = ["service", "update", "web", "--env-add", "WEB_EXIT=3", "--timeout", "2s"];
    let samples = observe(&agent, |_| {
        let error = agent.adsum(&update).fails(1);
        assert!(error.contains("exited with code 3"), "{error}");
    });
    assert_eq!((fewest(&samples), passing(&agent, "web")), (2, before));
    agent.adsum(&["service", "update", "web", "--env-rm", "WEB_EXIT"]).ok();
}

#[test]
fn an_update_to_what_is_makes_no_new_version() {
    let agent = Agent::start();
    web::create(&agent, "web", &["--env", "VERSION=1"]);
    let before = passing(&agent, "web");
    let output = agent.adsum(&["service", "update", "web", "--env-add", "VERSION=1"]);
    assert!(output.stderr.contains("web is as wanted already"), "{}", output.stderr);
    output.ok();
    assert_eq!(passing(&agent, "web"), before);
}
