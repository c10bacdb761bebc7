//! Faults of system calls, put into a running process by `strace`.

use std::process::Command;
use std::time::Duration;

use adsum_tests::{Running, until};

const SOON: Duration = Duration::from_secs(20);

/// Lets go of the process when it is dropped.
pub(crate) struct Strace {
    running: Running,
}

impl Strace {
    /// Has the syncs of a process's data go as `fault` says, in the words of `strace -e inject`. The test has asked
    /// `require("strace")` before.
    #[track_caller]
    pub(crate) fn of_syncs(pid: i32, fault: &str) -> Strace {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=fdatasync", "-e", &format!("inject=fdatasync:{fault}")]);
        let running = Running::start(command.args(["-p", &pid.to_string()]));
        until("strace is attached", SOON, || running.stderr().contains(" attached").then_some(()));
        Strace { running }
    }

    /// How often the fault has struck.
    pub(crate) fn struck(&self) -> usize {
        let written = self.running.stderr();
        written.matches("(INJECTED)").count() + written.matches("(DELAYED)").count()
    }
}
