//! What is done to the agent while clients work, and the proof that it was.

use std::path::{Path, PathBuf};
use std::process::Command;

use adsum_history::History;
use adsum_tests::{Agent, until};
use nix::sys::signal::Signal;

use crate::stage::{SOON, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9, and another start on the same data.
    Kill,
    /// SIGSTOP, and SIGCONT when the impatient have given up.
    Pause,
}

impl Fault {
    pub(crate) fn of_round(round: u32) -> Fault {
        if round.is_multiple_of(2) { Fault::Kill } else { Fault::Pause }
    }

    /// Strikes while `clients` work, of whom so many are impatient; `note` is told when it begins and ends. Returns
    /// when the agent is well again.
    pub(crate) fn strike(
        self,
        agent: &mut Agent,
        stage: &Stage,
        clients: Clients,
        note: impl Fn(&str) -> u64,
    ) -> Struck {
        match self {
            Fault::Kill => kill(agent, stage, clients.all, note, |_| ()),
            Fault::Pause => pause(agent, stage, clients.impatient, note),
        }
    }
}

impl Fault {
    /// Nothing that was asked for after it had begun was answered before it ended.
    pub(crate) fn bit(self, history: &History, struck: Struck) {
        for operation in history.operations.iter().filter(|operation| operation.call > struck.begin) {
            let early = operation.returned.as_ref().filter(|returned| returned.at < struck.end);
            // The signal of a kill comes a moment after it is noted, and an answer may still slip out.
            assert!(self == Fault::Kill || early.is_none(), "answered in the pause: {operation}");
        }
    }
}

/// The agent's data as it is now.
pub(crate) fn save(agent: &Agent) -> PathBuf {
    let saved = agent.scratch().path().join("saved");
    copy(&agent.data_dir(), &saved);
    saved
}

/// For controls: kills the agent, and brings it back with what it had when that was saved.
pub(crate) fn set_back(
    agent: &mut Agent,
    stage: &Stage,
    clients: usize,
    saved: &Path,
    note: impl Fn(&str) -> u64,
) {
    kill(agent, stage, clients, note, |agent| {
        std::fs::remove_dir_all(agent.data_dir()).unwrap();
        copy(saved, &agent.data_dir());
    });
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

#[derive(Clone, Copy)]
pub(crate) struct Clients {
    pub(crate) all: usize,
    pub(crate) impatient: usize,
}

/// From when until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struck {
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

/// The proof: a client works without end, so all of them wait only if each has lost its connection. `between` is done
/// while the agent is down.
fn kill(
    agent: &mut Agent,
    stage: &Stage,
    clients: usize,
    note: impl Fn(&str) -> u64,
    between: impl FnOnce(&Agent),
) -> Struck {
    stage.close();
    let before = agent.pid();
    let begin = note("kill -9 of the agent");
    agent.kill9();
    until("every client has lost its connection", SOON, || (stage.waiting() == clients).then_some(()));
    between(agent);
    agent.restart();
    assert_ne!(agent.pid(), before);
    let end = note("the agent is ready again");
    stage.reopen();
    Struck { begin, end }
}

/// The proof: the kernel says that it is stopped, and the impatient have given up.
fn pause(agent: &Agent, stage: &Stage, impatient: usize, note: impl Fn(&str) -> u64) -> Struck {
    stage.close();
    agent.signal(Signal::SIGSTOP);
    until("the agent is stopped", SOON, || is_stopped(agent.pid()).then_some(()));
    let begin = note("SIGSTOP of the agent");
    until("the impatient have given up", SOON, || (stage.waiting() >= impatient).then_some(()));
    let end = note("SIGCONT of the agent");
    agent.signal(Signal::SIGCONT);
    stage.reopen();
    Struck { begin, end }
}

/// Every thread of it.
pub(crate) fn is_stopped(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}
