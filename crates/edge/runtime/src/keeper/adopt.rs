//! What a new keeper makes of the records that the one before it has left.

use std::io;

use adsum_model::{InstanceId, Process};

use super::home;
use super::instance::Instance;
use super::instances::Instances;
use super::log::Log;
use super::output::Output;
use super::record::{Exit, Found, Record};
use super::tree::{Group, Tree};
use crate::proc::{self, Stat};
use crate::{ExitStatus, clock, sys};

impl Instances {
    /// Takes over every instance on record. To be called once, before anything is started.
    pub(crate) fn adopt(&mut self) -> io::Result<()> {
        for found in Record::all(&self.home)? {
            match found {
                Found::Record(record) => self.adopt_one(record)?,
                Found::Damaged { id, problem } => self.clear_damaged(&id, &problem)?,
            }
        }
        self.generation += 1;
        Ok(())
    }

    fn adopt_one(&mut self, mut record: Record) -> io::Result<()> {
        if record.exit.is_some() {
            // In case the keeper before was killed between the record and this.
            self.tree(&record, None).remove();
            self.insert(Instance::exited(record));
            return Ok(());
        }
        if record.boot_id != self.home.boot_id {
            return self.ended_with_its_boot(record);
        }
        if record.process.is_none() {
            record.process = self.find_leader(&record.id);
            record.write(&self.home)?;
        }
        match record.process.clone() {
            Some(process) => self.adopt_process(record, process),
            None => {
                eprintln!("{}: was about to be started when the keeper before ended", record.id);
                self.drop_files(&record.id);
                Ok(())
            }
        }
    }

    /// The process lives when the one with its pid has its start time. The pidfd comes first: what it stands for
    /// cannot change any more while we look.
    fn adopt_process(&mut self, record: Record, process: Process) -> io::Result<()> {
        let pidfd = sys::pidfd_open(process.pid);
        let lives = Stat::read(process.pid).is_some_and(|stat| stat.start_time == process.start_time);
        let output = self.reopen_output(&record)?;
        let instance = match pidfd {
            Ok(pidfd) if lives => {
                eprintln!("{}: adopted, process {}", record.id, process.pid);
                let tree = self.tree(&record, Some(process.clone()));
                Instance::adopted(record, process, tree, output, pidfd)
            }
            _ => {
                eprintln!("{}: process {} has ended while there was no keeper", record.id, process.pid);
                let tree = self.tree(&record, None);
                Instance::orphaned(record, process, tree, output)
            }
        };
        self.insert(instance);
        Ok(())
    }

    /// A pipe that is gone is made anew, only so that there is one: its instance writes to the old one.
    fn reopen_output(&self, record: &Record) -> io::Result<Output> {
        let log = Log::open(&record.log, record.rotation)
            .unwrap_or_else(|_| Log::closed(&record.log, record.rotation));
        let path = self.home.pipe(&record.id);
        if path.exists() { Output::open(&path, log) } else { Output::create(&path, log) }
    }

    fn ended_with_its_boot(&mut self, mut record: Record) -> io::Result<()> {
        if record.process.is_none() {
            self.drop_files(&record.id);
            return Ok(());
        }
        let at_unix_ms = clock::unix_ms();
        record.exit = Some(Exit { status: ExitStatus::Unknown, at_unix_ms, oom: None });
        record.write(&self.home)?;
        home::remove(&self.home.pipe(&record.id))?;
        self.insert(Instance::exited(record));
        Ok(())
    }

    /// The process that carries the instance's marks: of several, the one that leads its session, or else the oldest.
    fn find_leader(&self, id: &InstanceId) -> Option<Process> {
        let living = proc::living();
        let marked = proc::carriers(living.iter().map(|(pid, _)| *pid).collect(), &self.home.marks(id));
        let candidates = living.into_iter().filter(|(pid, _)| marked.contains(pid));
        let (pid, stat) = candidates.min_by_key(|(pid, stat)| (stat.session != *pid, stat.start_time))?;
        Some(Process { pid, start_time: stat.start_time, boot_id: self.home.boot_id.clone() })
    }

    /// A record that says nothing: nothing may run of its instance, or it would run twice.
    fn clear_damaged(&mut self, id: &InstanceId, problem: &str) -> io::Result<()> {
        eprintln!("{id}: its record is damaged ({problem}): it is put aside, and what runs of it is killed");
        let path = self.home.record(id);
        std::fs::rename(&path, path.with_extension("damaged"))?;
        Tree::Group(Group { marks: self.home.marks(id), leader: None }).kill();
        Ok(())
    }

    fn insert(&mut self, instance: Instance) {
        self.all.insert(instance.record.id.clone(), instance);
    }
}
