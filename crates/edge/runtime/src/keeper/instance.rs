//! One instance from its start to its exit.
//!
//! ```text
//! live, leader runs -- leader ends --> live, ended -- nothing left --> exited
//!        |                               ^  kill the rest, again and again
//!        +-- stop: signal; grace over: kill
//! ```

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use adsum_model::Process;

use super::home::{self, Home};
use super::output::{Copier, Output};
use super::record::{Exit, Record};
use super::tree::Tree;
use crate::{ExitStatus, Observed, Signal, State, clock};

/// Between two SIGKILLs to what does not go away, in milliseconds.
const KILL_AGAIN: u64 = 100;

pub(crate) struct Instance {
    pub(crate) record: Record,
    live: Option<Live>,
    /// By this keeper, until the last exit.
    dropped: u64,
}

/// What there is of an instance only while something of it runs.
struct Live {
    process: Process,
    tree: Tree,
    output: Output,
    leader: Leader,
}

enum Leader {
    /// Our child: waitpid tells its end.
    Child,
    /// Another keeper's child: its pidfd tells its end.
    Adopted(OwnedFd),
    /// The rest is being killed.
    Ended { status: ExitStatus, at_unix_ms: u64, look_at: u64, pause: u64 },
}

impl Instance {
    pub(crate) fn started(record: Record, process: Process, tree: Tree, output: Output) -> Instance {
        let live = Live { process, tree, output, leader: Leader::Child };
        Instance { record, live: Some(live), dropped: 0 }
    }

    pub(crate) fn adopted(
        record: Record,
        process: Process,
        tree: Tree,
        output: Output,
        pidfd: OwnedFd,
    ) -> Instance {
        let live = Live { process, tree, output, leader: Leader::Adopted(pidfd) };
        Instance { record, live: Some(live), dropped: 0 }
    }

    /// One whose leader was gone before this keeper came; something of it may be left.
    pub(crate) fn orphaned(record: Record, process: Process, tree: Tree, output: Output) -> Instance {
        let live = Live { process, tree, output, leader: Leader::Child };
        let mut instance = Instance { record, live: Some(live), dropped: 0 };
        instance.leader_ended(ExitStatus::Unknown);
        instance
    }

    pub(crate) fn exited(record: Record) -> Instance {
        Instance { record, live: None, dropped: 0 }
    }

    /// None once nothing of it runs any more.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.live.as_ref().map(|live| &live.process)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub(crate) fn is_our_child(&self, pid: u32) -> bool {
        self.live.as_ref().is_some_and(|live| matches!(live.leader, Leader::Child) && live.process.pid == pid)
    }

    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.live.as_ref().map(|live| live.output.descriptor())
    }

    pub(crate) fn adopted_leader(&self) -> Option<BorrowedFd<'_>> {
        match &self.live.as_ref()?.leader {
            Leader::Adopted(pidfd) => Some(pidfd.as_fd()),
            Leader::Child | Leader::Ended { .. } => None,
        }
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.live.as_ref().map(|live| live.tree.pids()).unwrap_or_default()
    }

    pub(crate) fn observed(&self) -> Observed {
        let dropped = self.live.as_ref().map_or(self.dropped, |live| live.output.log.dropped());
        Observed { id: self.record.id.clone(), state: self.state(), dropped }
    }

    fn state(&self) -> State {
        if let Some(process) = self.process() {
            return State::Running { process: process.clone() };
        }
        let unknown = Exit { status: ExitStatus::Unknown, at_unix_ms: 0, oom: None };
        let Exit { status, at_unix_ms, oom } = self.record.exit.clone().unwrap_or(unknown);
        State::Exited { status, at_unix_ms, oom }
    }

    pub(crate) fn read_output(&mut self, copier: &mut Copier) {
        if let Some(live) = &mut self.live {
            live.output.turn(copier);
        }
    }

    /// Signals the tree, and kills it after `grace_ms`, or earlier when an earlier stop has said so. The deadline is
    /// on record, so that a next keeper keeps it.
    pub(crate) fn stop(&mut self, home: &Home, signal: Signal, grace_ms: u64) {
        let Some(live) = &mut self.live else { return };
        let deadline = clock::monotonic_ms().saturating_add(grace_ms);
        self.record.kill_at = Some(self.record.kill_at.map_or(deadline, |earlier| earlier.min(deadline)));
        save(&self.record, home);
        live.tree.signal(signal);
    }

    /// The leader is gone: kills what it has left behind. A child of ours must not be reaped yet, so that its process
    /// group is certainly its own.
    pub(crate) fn leader_ended(&mut self, status: ExitStatus) {
        let Some(live) = &mut self.live else { return };
        live.tree.kill();
        let (at_unix_ms, look_at) = (clock::unix_ms(), clock::monotonic_ms());
        live.leader = Leader::Ended { status, at_unix_ms, look_at, pause: 1 };
    }

    /// When [`Instance::on_time`] has something to do; on the monotonic clock.
    pub(crate) fn next_wakeup(&self) -> Option<u64> {
        match self.live.as_ref()?.leader {
            Leader::Ended { look_at, .. } => Some(look_at),
            Leader::Child | Leader::Adopted(_) => self.record.kill_at,
        }
    }

    /// Does what is due, and answers whether the instance has exited by it.
    pub(crate) fn on_time(&mut self, home: &Home, copier: &mut Copier, now: u64) -> bool {
        if self.next_wakeup().is_none_or(|at| at > now) {
            return false;
        }
        let Some(live) = &mut self.live else { return false };
        match &mut live.leader {
            Leader::Ended { look_at, pause, .. } => {
                if !live.tree.is_empty() {
                    live.tree.kill();
                    *look_at = now + *pause;
                    *pause = (*pause * 2).min(KILL_AGAIN);
                    return false;
                }
                self.exit(home, copier);
                true
            }
            Leader::Child | Leader::Adopted(_) => {
                live.tree.kill();
                self.record.kill_at = Some(now + KILL_AGAIN);
                false
            }
        }
    }

    fn exit(&mut self, home: &Home, copier: &mut Copier) {
        let Some(mut live) = self.live.take() else { return };
        let Leader::Ended { status, at_unix_ms, .. } = live.leader else { return };
        live.output.finish(copier);
        self.dropped = live.output.log.dropped();
        self.record.exit = Some(Exit { status, at_unix_ms, oom: live.tree.oom() });
        self.record.kill_at = None;
        save(&self.record, home);
        live.tree.remove();
        let _ = home::remove(&home.pipe(&self.record.id));
    }
}

/// Without a disk that takes it, the keeper goes on from memory; only a keeper after it would know less.
fn save(record: &Record, home: &Home) {
    if let Err(error) = record.write(home) {
        eprintln!("{}: its record cannot be written: {error}", record.id);
    }
}
