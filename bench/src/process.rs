//! What the kernel says of a process: memory, processor time, whose it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;

/// A tick of `/proc/PID/stat` on every Linux that we know (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
}

impl Process {
    pub(crate) fn own() -> Process {
        Process { pid: std::process::id() }
    }

    /// The processes that have this text in their arguments or environment, ours not among them.
    pub(crate) fn mentioning(text: &str) -> Vec<Process> {
        let mut processes = Process::all();
        processes.retain(|process| *process != Process::own() && process.mentions(text));
        processes
    }

    /// These and all that they have started, and those again.
    pub(crate) fn trees(mut known: Vec<Process>) -> Vec<Process> {
        let mut others = Process::all();
        loop {
            let parents = known.clone();
            let ours = |process: &Process| process.parent().is_some_and(|parent| parents.contains(&parent));
            let (more, rest): (Vec<Process>, Vec<Process>) = others.into_iter().partition(ours);
            others = rest;
            let new = more.into_iter().filter(|process| !known.contains(process)).collect::<Vec<_>>();
            if new.is_empty() {
                return known;
            }
            known.extend(new);
        }
    }

    fn all() -> Vec<Process> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.map(|pid| Process { pid }).collect()
    }

    fn parent(self) -> Option<Process> {
        let stat = self.read("stat").ok()?;
        // The name in parentheses may itself contain spaces and parentheses; behind it are the state and the parent.
        let pid = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some(Process { pid })
    }

    pub(crate) fn args(self) -> Vec<String> {
        let bytes = std::fs::read(self.file("cmdline")).unwrap_or_default();
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// Bytes in memory.
    pub(crate) fn rss(self) -> anyhow::Result<u64> {
        self.kibibytes("status", "VmRSS:")
    }

    /// Bytes in memory, where a page that n processes share counts 1/n.
    pub(crate) fn pss(self) -> anyhow::Result<u64> {
        self.kibibytes("smaps_rollup", "Pss:")
    }

    /// User and system time of all its threads, and of the children that it has waited for: what Redis rewrites
    /// its log with is such a child.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The name in parentheses may itself contain spaces and parentheses.
        let fields = stat.rsplit_once(") ").context("a stat line has a name")?.1.split(' ');
        // Fields 14 to 17 of proc_pid_stat(5): utime, stime, cutime, cstime; ours begin with field 3.
        let ticks: f64 = fields.skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
    }

    pub(crate) fn kill(self) {
        // It may be gone by now.
        let _ = kill(Pid::from_raw(self.pid as i32), Signal::SIGKILL);
    }

    fn mentions(self, text: &str) -> bool {
        ["cmdline", "environ"].iter().any(|name| {
            let bytes = std::fs::read(self.file(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        })
    }

    fn kibibytes(self, file: &str, label: &str) -> anyhow::Result<u64> {
        let text = self.read(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(number.with_context(|| format!("no {label} in {file} of process {}", self.pid))? * 1024)
    }

    fn read(self, name: &str) -> anyhow::Result<String> {
        let path = self.file(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn file(self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }
}

/// Processor time that the calling thread has had so far: what a piece of work costs, whoever else wants the core.
pub(crate) fn thread_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("a thread may ask for its own usage");
    [usage.user_time(), usage.system_time()].into_iter().map(of_timeval).sum()
}

/// How often the calling thread has given up its core to wait for something, and how often it was made to.
pub(crate) fn thread_switches() -> [i64; 2] {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("a thread may ask for its own usage");
    [usage.voluntary_context_switches(), usage.involuntary_context_switches()]
}

fn of_timeval(time: TimeVal) -> Duration {
    Duration::from_secs(time.tv_sec().unsigned_abs()) + Duration::from_micros(time.tv_usec().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_counts() {
        let before = Process::own().rss().unwrap();
        let block = vec![1u8; 64 << 20];
        assert!(Process::own().rss().unwrap() > before + (60 << 20), "{}", block.len());
        assert!(Process::own().pss().unwrap() > 0);
    }

    #[test]
    fn work_costs_processor_time() {
        let before = Process::own().cpu().unwrap();
        let of_thread = thread_cpu();
        while Process::own().cpu().unwrap() < before + Duration::from_millis(20) {}
        assert!(thread_cpu() > of_thread);
    }
}
