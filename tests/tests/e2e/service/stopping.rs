//! How instances end: asked first, then made to, with everything that they have started.

use std::time::Instant;

use adsum_tests::processes;

use super::*;

/// Creates a service of a shell script, and waits until it has written this.
#[track_caller]
fn run_script(agent: &Agent, flags: &[&str], script: &str, written: &str) {
    let create = ["service", "create", "--name", "script", "--no-healthcheck", "--update-monitor", "0s"];
    agent.adsum(&[&create[..], flags, &["--", "sh", "-c", script]].concat()).ok();
    until("it has begun", SOON, || {
        agent.adsum(&["service", "logs", "script"]).ok().contains(written).then_some(())
    });
}

#[test]
fn an_instance_is_asked_to_end_and_has_time_to() {
    let agent = Agent::start();
    let file = agent.scratch().file("said");
    let script =
        format!("trap 'sleep 0.5; echo bye > {file}; exit' TERM; echo begun; while :; do sleep 0.05; done");
    run_script(&agent, &[], &script, "begun");
    agent.adsum(&["service", "rm", "script"]).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "bye\n");
}

#[test]
fn the_signal_that_asks_can_be_chosen() {
    let agent = Agent::start();
    let file = agent.scratch().file("said");
    let script = format!("trap 'echo hung up > {file}; exit' HUP; echo begun; while :; do sleep 0.05; done");
    run_script(&agent, &["--stop-signal", "SIGHUP"], &script, "begun");
    agent.adsum(&["service", "rm", "script"]).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hung up\n");
}

#[test]
fn an_instance_that_does_not_end_is_killed_when_its_grace_is_over() {
    let agent = Agent::start();
    let script = "trap '' TERM; echo begun; while :; do sleep 0.05; done";
    run_script(&agent, &["--stop-grace-period", "1s"], script, "begun");
    let begin = Instant::now();
    agent.adsum(&["service", "rm", "script"]).ok();
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(agent.instances(), []);
}

/// What an instance has started ends with it, whether it was asked to end or was killed.
#[test]
fn an_instance_takes_along_what_it_has_started() {
    let agent = Agent::start();
    let script = "sleep 600 & sleep 600 & echo begun; wait";
    run_script(&agent, &[], script, "begun");
    let children = || {
        let all = processes::under(agent.scratch().path());
        all.into_iter().filter(|process| process.args == ["sleep", "600"]).count()
    };
    until("both run", SOON, || (children() == 2).then_some(()));
    agent.instances_of("script")[0].signal(nix::sys::signal::Signal::SIGKILL);
    until("it was started again", SOON, || (live(&agent, "script", "restarts") == [json!(1)]).then_some(()));
    until("it has two children, as before", SOON, || (children() == 2).then_some(()));
    agent.adsum(&["service", "rm", "script"]).ok();
    assert_eq!(children(), 0);
}
