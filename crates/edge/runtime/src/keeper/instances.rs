//! All instances of a keeper, and the verbs on them.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use adsum_model::{Controller, InstanceId, Offer, Process};
use nix::sys::resource::rlim_t;
use nix::unistd::geteuid;

use super::cgroup::{Cgroup, Hierarchy};
use super::home::Home;
use super::instance::Instance;
use super::log::Log;
use super::output::{Copier, Output};
use super::program::Program;
use super::record::Record;
use super::spawn::{self, Setting, SpawnError};
use super::tree::{Group, Tree};
use super::ulimit::ProcessLimits;
use crate::wire::Answer;
use crate::{ExitStatus, Observed, Signal, Start, StartError, TreeKind, sys};

pub(crate) struct Instances {
    pub(super) home: Home,
    hierarchy: Option<Hierarchy>,
    open_files: rlim_t,
    copier: Copier,
    pub(super) all: BTreeMap<InstanceId, Instance>,
    /// Rises whenever the state of one changes.
    pub(super) generation: u64,
}

impl Instances {
    pub(crate) fn new(home: Home, hierarchy: Option<Hierarchy>, open_files: rlim_t) -> io::Result<Instances> {
        let copier = Copier::new()?;
        Ok(Instances { home, hierarchy, open_files, copier, all: BTreeMap::new(), generation: 0 })
    }

    pub(crate) fn tree_kind(&self) -> TreeKind {
        self.hierarchy.as_ref().map_or(TreeKind::ProcessGroup, Hierarchy::kind)
    }

    pub(crate) fn offer(&self) -> Offer {
        let controllers = self.hierarchy.as_ref().map(Hierarchy::controllers).unwrap_or_default();
        Offer { controllers, any_user: geteuid().is_root() }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The running process, started or not by this call.
    pub(crate) fn start(&mut self, start: &Start) -> Result<Process, StartError> {
        if let Some(process) = self.all.get(&start.id).and_then(Instance::process) {
            return Ok(process.clone());
        }
        let program = Program::of(start, &self.home)?;
        let log_failed =
            |error: io::Error| StartError::Log { log: start.log.clone(), problem: error.to_string() };
        let log = Log::open(&start.log, start.rotation).map_err(log_failed)?;
        self.all.remove(&start.id);
        match self.launch(start, &program, log) {
            Ok((instance, process)) => {
                self.all.insert(start.id.clone(), instance);
                self.generation += 1;
                Ok(process)
            }
            Err(error) => {
                self.drop_files(&start.id);
                Err(error)
            }
        }
    }

    fn launch(&self, start: &Start, program: &Program, log: Log) -> Result<(Instance, Process), StartError> {
        let name = || start.command.first().cloned().unwrap_or_default();
        let not_recorded =
            |error: io::Error| StartError::Record { program: name(), problem: error.to_string() };
        let not_spawned = |problem: String| StartError::Spawn { program: name(), problem };
        let mut group = self.hierarchy.as_ref().map(|hierarchy| hierarchy.group(&start.id, &start.limits));
        let mut record = Record::intent(start, &self.home.boot_id);
        record.cgroup = group.as_ref().map(|group| group.tree().to_path_buf());
        record.limited_in = group.as_ref().map(|group| group.others().to_vec()).unwrap_or_default();
        record.write(&self.home).map_err(not_recorded)?;
        if group.as_ref().is_some_and(|group| group.make().is_err()) {
            // The machine gives no more of them: the process group has to do, unless there is a limit to keep.
            (group, record.cgroup, record.limited_in) = (None, None, Vec::new());
        }
        self.limit(start, group.is_some())?;

        let pipe = self.home.pipe(&start.id);
        let output = Output::create(&pipe, log).map_err(|error| not_spawned(error.to_string()))?;
        if let Some(identity) = program.identity() {
            let mut given = [Some(&pipe), start.data_dir.as_ref()].into_iter().flatten();
            given.try_for_each(|path| identity.give(path)).map_err(not_given(start))?;
        }
        let setting = self.setting(start, group).map_err(|error| not_spawned(error.to_string()))?;
        let spawned = spawn::spawn(program, setting, |process| {
            record.process = Some(process.clone());
            record.write(&self.home)
        });
        let process = spawned.map_err(|error| match error {
            SpawnError::Commit(error) => not_recorded(error),
            SpawnError::Fork(error) => not_spawned(format!("no process can be made: {error}")),
            SpawnError::Child { what, error } => not_spawned(format!("{what}: {error}")),
            SpawnError::Exec(error) => not_spawned(explain(&error, start)),
        })?;
        let tree = self.tree(&record, Some(process.clone()));
        Ok((Instance::started(record, process.clone(), tree, output), process))
    }

    /// A limit that cannot be kept is no limit: nothing is started without it.
    fn limit(&self, start: &Start, has_group: bool) -> Result<(), StartError> {
        let hierarchy = self.hierarchy.as_ref().filter(|_| has_group);
        let unkept = |controller: Controller, problem: String| StartError::Limit {
            program: start.command.first().cloned().unwrap_or_default(),
            controller,
            problem,
        };
        match (hierarchy, start.limits.controllers().first()) {
            (Some(hierarchy), _) => hierarchy
                .limit(&start.id, &start.limits)
                .map_err(|(controller, error)| unkept(controller, error.to_string())),
            (None, Some(controller)) => {
                Err(unkept(*controller, "this machine gives its keeper no control group".to_string()))
            }
            (None, None) => Ok(()),
        }
    }

    fn setting(&self, start: &Start, group: Option<Cgroup>) -> io::Result<Setting<'_>> {
        Ok(Setting {
            output: Output::open_for_child(&self.home.pipe(&start.id))?,
            doors: group.map(|group| group.doors()).transpose()?.unwrap_or_default(),
            boot_id: &self.home.boot_id,
            limits: ProcessLimits::new(self.open_files, &start.ulimits),
        })
    }

    /// The tree of an instance, whose leader is given when we have seen it alive.
    pub(super) fn tree(&self, record: &Record, leader: Option<Process>) -> Tree {
        match &record.cgroup {
            Some(dir) => {
                let others = record.limited_in.iter().cloned();
                Tree::Cgroup(Cgroup::at([dir.clone()].into_iter().chain(others).collect()))
            }
            None => Tree::Group(Group { marks: self.home.marks(&record.id), leader }),
        }
    }

    pub(crate) fn stop(&mut self, id: &InstanceId, signal: Signal, grace_ms: u64) -> Answer {
        match self.all.get_mut(id) {
            Some(instance) => instance.stop(&self.home, signal, grace_ms),
            None => return Answer::Unknown { id: id.clone() },
        }
        Answer::Done
    }

    pub(crate) fn stop_all(&mut self, grace_ms: u64) {
        for instance in self.all.values_mut() {
            instance.stop(&self.home, Signal::TERM, grace_ms);
        }
    }

    pub(crate) fn list(&self) -> Vec<Observed> {
        self.all.values().map(Instance::observed).collect()
    }

    pub(crate) fn pids(&self, id: &InstanceId) -> Answer {
        match self.all.get(id) {
            Some(instance) => Answer::Pids(instance.pids()),
            None => Answer::Unknown { id: id.clone() },
        }
    }

    /// Lets an exited instance go. One that is not known is gone already.
    pub(crate) fn forget(&mut self, id: &InstanceId) -> Answer {
        if self.all.get(id).is_some_and(Instance::is_live) {
            return Answer::StillRunning { id: id.clone() };
        }
        if self.all.remove(id).is_some() {
            self.drop_files(id);
            self.generation += 1;
        }
        Answer::Done
    }

    pub(super) fn drop_files(&self, id: &InstanceId) {
        if let Some(hierarchy) = &self.hierarchy {
            hierarchy.remove_group(id);
        }
        if let Err(error) = Record::remove(&self.home, id) {
            eprintln!("{id}: its record cannot be removed: {error}");
        }
    }

    /// Takes note of every child that has ended, instances and orphans, and lets their pids go.
    pub(crate) fn reap(&mut self) {
        while let Some((pid, status)) = sys::ended_child() {
            if let Some(instance) = self.all.values_mut().find(|instance| instance.is_our_child(pid)) {
                instance.leader_ended(status);
            }
            sys::reap(pid);
        }
    }

    pub(crate) fn adopted_ended(&mut self, id: &InstanceId) {
        if let Some(instance) = self.all.get_mut(id) {
            instance.leader_ended(ExitStatus::Unknown);
        }
    }

    pub(crate) fn read_output(&mut self, id: &InstanceId) {
        if let Some(instance) = self.all.get_mut(id) {
            instance.read_output(&mut self.copier);
        }
    }

    /// What to wait for: an instance's output, and the end of an adopted leader.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&InstanceId, BorrowedFd<'_>)> {
        self.all.iter().filter_map(|(id, instance)| Some((id, instance.output()?)))
    }

    pub(crate) fn adopted_leaders(&self) -> impl Iterator<Item = (&InstanceId, BorrowedFd<'_>)> {
        self.all.iter().filter_map(|(id, instance)| Some((id, instance.adopted_leader()?)))
    }

    pub(crate) fn next_wakeup(&self) -> Option<u64> {
        self.all.values().filter_map(Instance::next_wakeup).min()
    }

    pub(crate) fn on_time(&mut self, now: u64) {
        for instance in self.all.values_mut() {
            self.generation += u64::from(instance.on_time(&self.home, &mut self.copier, now));
        }
    }

    pub(crate) fn none_is_live(&self) -> bool {
        !self.all.values().any(Instance::is_live)
    }

    /// Gives back what the keeper has taken from the machine and no instance uses; for its end.
    pub(crate) fn clear(&self) {
        if let Some(hierarchy) = &self.hierarchy {
            hierarchy.remove();
        }
    }
}

fn not_given(start: &Start) -> impl Fn(io::Error) -> StartError + '_ {
    |error| StartError::NoUser {
        program: start.command.first().cloned().unwrap_or_default(),
        user: start.user.clone().unwrap_or_default(),
        problem: format!("its data directory cannot be given to it: {error}"),
    }
}

/// What execve means by its error, when the program is there and executable.
fn explain(error: &io::Error, start: &Start) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES) if start.user.is_some() => {
            format!("it, or the way to it, is closed to user {}", start.user.as_deref().unwrap_or_default())
        }
        Some(libc::ENOENT) => {
            "the interpreter that its first line names, or its loader, is missing".to_string()
        }
        Some(libc::ENOEXEC) => "it is neither a program for this machine nor a script with '#!'".to_string(),
        Some(libc::E2BIG) => "its arguments and environment are too long".to_string(),
        _ => error.to_string(),
    }
}
