//! Who may not take over is told why, and the agent that runs does not notice.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use adsum_tests::{Agent, Scratch, running};

use super::until_serves;

/// The words by which a command fails.
#[track_caller]
fn failure(command: &mut Command) -> String {
    let piped = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    running::run(piped, b"", Duration::from_secs(30)).fails(1)
}

#[track_caller]
fn check(agent: &Agent, command: &mut Command, expect: &str) {
    let words = failure(command);
    assert!(words.contains(expect), "{words}");
    until_serves(agent, u32::try_from(agent.pid()).unwrap());
}

#[test]
fn whoever_may_not_take_over_is_told_why() {
    let agent = Agent::start();
    let again = || agent.agent_command(&["--takeover"]);
    let other = Scratch::new();
    let mut elsewhere = Command::new(adsum_tests::program::adsum());
    elsewhere.args(["agent", "--takeover", "--data-dir"]).arg(other.path());
    check(&agent, &mut elsewhere, "start it without --takeover");
    check(
        &agent,
        again().env("ADSUM_TAKEOVER_PROTOCOL", "99"),
        "speaks version 1 of the takeover and the new one 99",
    );
    // And without the word nobody takes anything.
    check(&agent, &mut agent.agent_command(&[]), "in use by process");
}

#[test]
fn another_user_is_refused_even_where_files_would_let_it() {
    if !nix::unistd::getuid().is_root() {
        // Nobody but root can be somebody else.
        return;
    }
    let agent = Agent::start();
    let nobody = || {
        let mut command = agent.agent_command(&["--takeover"]);
        command.uid(65534).gid(65534).current_dir("/");
        command
    };
    check(&agent, &mut nobody(), "is another user's");
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    agent.data_dir().ancestors().take_while(|path| path.starts_with(agent.scratch().path())).for_each(open);
    open(&agent.data_dir().join("takeover.sock"));
    check(&agent, &mut nobody(), "runs as user 0 and the new one as user 65534");
}
