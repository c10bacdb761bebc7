//! All processes of one instance: to know them, to signal them, to kill them.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use adsum_model::Process;
use nix::sys::signal::{SIGKILL, killpg};
use nix::unistd::Pid;

use super::cgroup::Cgroup;
use crate::proc::{self, Stat};
use crate::{Signal, sys};

pub(crate) enum Tree {
    Cgroup(Cgroup),
    Group(Group),
}

/// A tree without a control group: the leader's session and process group, whatever carries the instance's marks in
/// its environment, and the children of all these.
pub(crate) struct Group {
    pub(crate) marks: Vec<String>,
    /// The leader of the session, when we have seen it alive. Without that its pid may be somebody else's by now.
    pub(crate) leader: Option<Process>,
}

impl Tree {
    pub(crate) fn pids(&self) -> Vec<u32> {
        match self {
            Tree::Cgroup(group) => group.pids(),
            Tree::Group(group) => group.pids(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Tree::Cgroup(group) => group.is_empty(),
            Tree::Group(group) => group.pids().is_empty(),
        }
    }

    /// Signals each process once. A pid that changes hands meanwhile is not signalled: it has to belong to the tree
    /// before and after we hold on to it.
    pub(crate) fn signal(&self, signal: Signal) {
        let before = self.pids();
        let held: Vec<(u32, OwnedFd)> =
            before.iter().filter_map(|pid| Some((*pid, sys::pidfd_open(*pid).ok()?))).collect();
        if held.is_empty() {
            return;
        }
        let after: BTreeSet<u32> = self.pids().into_iter().collect();
        for (_, process) in held.iter().filter(|(pid, _)| after.contains(pid)) {
            let _ = sys::pidfd_signal(process.as_fd(), signal.number());
        }
    }

    /// Kills what there is now. To be repeated until the tree is empty, unless it is a control group of version 2.
    pub(crate) fn kill(&self) {
        match self {
            Tree::Cgroup(group) => {
                if !group.kill() {
                    self.signal(Signal::KILL);
                }
            }
            Tree::Group(group) => {
                group.kill_session();
                self.signal(Signal::KILL);
            }
        }
    }

    pub(crate) fn oom(&self) -> Option<bool> {
        match self {
            Tree::Cgroup(group) => group.oom(),
            Tree::Group(_) => None,
        }
    }

    /// Gives back what the tree has taken from the machine; for an empty tree.
    pub(crate) fn remove(&self) {
        match self {
            Tree::Cgroup(group) => group.remove(),
            Tree::Group(_) => {}
        }
    }
}

impl Group {
    fn pids(&self) -> Vec<u32> {
        let mut living = proc::living();
        living.retain(|(pid, _)| *pid != std::process::id());
        let session = self.session();
        let in_session =
            |stat: &Stat| session.is_some_and(|leader| stat.session == leader || stat.group == leader);
        let (inside, outside): (Vec<_>, Vec<_>) = living.iter().partition(|(_, stat)| in_session(stat));
        let mut roots = proc::carriers(outside.iter().map(|(pid, _)| *pid).collect(), &self.marks);
        roots.extend(inside.iter().map(|(pid, _)| *pid));
        with_descendants(roots, &living).into_iter().collect()
    }

    /// The id of the session and of the process group, as long as they are ours: while the leader lives or is not yet
    /// reaped, or, after that, while nobody else has its pid.
    fn session(&self) -> Option<u32> {
        let leader = self.leader.as_ref()?;
        let ours = Stat::read(leader.pid).is_none_or(|stat| stat.start_time == leader.start_time);
        ours.then_some(leader.pid)
    }

    /// The group in one call, which no amount of forking outruns; only while the leader's pid is certainly its own.
    fn kill_session(&self) {
        let Some(leader) = &self.leader else { return };
        if Stat::read(leader.pid).is_some_and(|stat| stat.start_time == leader.start_time) {
            let _ = killpg(Pid::from_raw(leader.pid as i32), SIGKILL);
        }
    }
}

fn with_descendants(mut members: BTreeSet<u32>, living: &[(u32, Stat)]) -> BTreeSet<u32> {
    loop {
        let is_new = |(pid, stat): &&(u32, Stat)| members.contains(&stat.parent) && !members.contains(pid);
        let children: Vec<u32> = living.iter().filter(is_new).map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return members;
        }
        members.extend(children);
    }
}
