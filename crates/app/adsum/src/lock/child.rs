//! The command that runs under a lock.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::process::Command;

use super::signals::Signals;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Child {
    process: tokio::process::Child,
    /// A terminal sends Ctrl-C and Ctrl-\ to the command itself.
    terminal: bool,
}

impl Child {
    pub(super) fn start(command: &[OsString], key: &str, fence: &str) -> anyhow::Result<Child> {
        let (program, arguments) = command.split_first().context("there is no command to run")?;
        let mut command = Command::new(program);
        command.args(arguments).env("ADSUM_LOCK_KEY", key).env("ADSUM_LOCK_FENCE", fence);
        let process = command.spawn();
        let process = process.with_context(|| format!("cannot run '{}'", program.display()))?;
        Ok(Child { process, terminal: io::stdin().is_terminal() })
    }

    /// Its exit code; 128 and the signal when a signal ended it, as a shell has it.
    pub(super) async fn wait(&mut self) -> io::Result<ExitCode> {
        Ok(code(self.process.wait().await?))
    }

    pub(super) fn signal(&self, signal: Signal) {
        if !(self.terminal && matches!(signal, Signal::SIGINT | Signal::SIGQUIT)) {
            self.send(signal);
        }
    }

    /// SIGTERM, then SIGKILL when it does not end. Signals that come meanwhile are passed on.
    pub(super) async fn end(&mut self, signals: &mut Signals) -> io::Result<()> {
        self.send(Signal::SIGTERM);
        let deadline = tokio::time::Instant::now() + GRACE;
        loop {
            tokio::select! {
                ended = self.process.wait() => return ended.map(drop),
                () = tokio::time::sleep_until(deadline) => return self.process.kill().await,
                signal = signals.next() => self.signal(signal),
            }
        }
    }

    fn send(&self, signal: Signal) {
        let pid = self.process.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // It is not reaped yet, so the pid is its own; it fails only when the command has changed its user.
            signal::kill(Pid::from_raw(pid), signal).ok();
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_passed_on() {
        assert_eq!(code(ExitStatus::from_raw(0)), ExitCode::SUCCESS);
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), ExitCode::from(7));
        assert_eq!(code(ExitStatus::from_raw(9)), ExitCode::from(137));
    }
}
