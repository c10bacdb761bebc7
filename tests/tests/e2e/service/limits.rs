//! What instances may take, and as whom they run, from the command line to the kernel.

use super::*;

/// What the keeper can do, and whether that has `wanted` in it.
fn offers(agent: &Agent, wanted: &str) -> bool {
    let keeper = web::json(agent, "/api/status")["keeper"].clone();
    let offered = keeper["controllers"].as_array().is_some_and(|all| all.iter().any(|one| one == wanted));
    let offered = offered || (wanted == "any_user" && keeper["any_user"] == json!(true));
    if !offered {
        println!("SKIPPED: this machine does not offer {wanted}");
    }
    offered
}

#[track_caller]
fn create(agent: &Agent, flags: &[&str], script: &str) {
    let own =
        ["service", "create", "--name", "script", "--no-healthcheck", "--update-monitor", "0s", "--detach"];
    agent.adsum(&[&own[..], flags, &["--", "sh", "-c", script]].concat()).ok();
}

/// Doubles a text until there is no memory left for it.
const GLUTTON: &str = "x=$(head -c 4096 /dev/zero | tr '\\0' x); while :; do x=$x$x; done";

#[test]
fn who_takes_too_much_memory_is_given_up_with_that_as_the_reason() {
    let agent = Agent::start();
    if !offers(&agent, "memory") {
        return;
    }
    let restarts = ["--restart-delay", "10ms", "--restart-max-attempts", "1", "--restart-window", "0"];
    create(&agent, &[&["--limit-memory", "32m"], &restarts[..]].concat(), GLUTTON);
    let ps = || agent.adsum(&["service", "ps", "script"]).ok();
    let given_up = |text: &String| text.contains("failed") && text.contains("out of memory (limit 32 MiB)");
    until("it was given up", SOON, || Some(ps()).filter(given_up));
    let events = agent.adsum(&["events"]).ok();
    assert!(events.contains("ended by the kernel: out of memory (limit 32 MiB)"), "{events}");
}

#[test]
fn an_instance_runs_as_its_user_and_writes_into_its_data_directory() {
    let agent = Agent::start();
    if !offers(&agent, "any_user") {
        return;
    }
    create(
        &agent,
        &["--user", "nobody", "--workdir", "/"],
        "echo kept > $ADSUM_DATA_DIR/note; id -un; exec sleep 1000",
    );
    let logs = || agent.adsum(&["service", "logs", "script"]).ok();
    let text = until("it has said who it is", SOON, || Some(logs()).filter(|text| text.contains("nobody")));
    assert!(!text.contains("denied"), "{text}");
    let note = agent.data_dir().join("slots/script/1/note");
    assert_eq!(std::fs::read_to_string(note).unwrap(), "kept\n");
}

#[test]
fn a_changed_limit_is_a_new_version() {
    let agent = Agent::start();
    create(&agent, &["--ulimit", "nofile=64"], "ulimit -n; exec sleep 1000");
    let said = |what: &str| agent.adsum(&["service", "logs", "script"]).ok().contains(what).then_some(());
    until("the first has said its limit", SOON, || said(" 64"));
    agent
        .adsum(&["service", "update", "script", "--update-monitor", "0s", "--ulimit-add", "nofile=128"])
        .ok();
    until("the second has said its own", SOON, || said(" 128"));
    assert_eq!(live(&agent, "script", "version"), [json!(2)]);
}

/// An allocator that does without them could turn them off for its whole process, and with it for all that this starts.
#[test]
fn an_instance_may_have_huge_pages_as_far_as_the_system_gives_them() {
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    if !own.contains("THP_enabled:\t1") {
        println!("SKIPPED: this kernel says nothing of huge pages, or gives none to these tests");
        return;
    }
    let agent = Agent::start();
    create(&agent, &[], "grep THP_enabled /proc/self/status; exec sleep 1000");
    let logs = || agent.adsum(&["service", "logs", "script"]).ok();
    let text =
        until("it has said what it has", SOON, || Some(logs()).filter(|text| text.contains("THP_enabled")));
    assert!(text.contains("THP_enabled:\t1"), "{text}");
}
