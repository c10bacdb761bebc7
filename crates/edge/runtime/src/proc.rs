//! What `/proc` tells of processes. Reading and parsing are apart, so that parsing is tested without processes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use adsum_model::Process;

/// Of `/proc/PID/stat`, what we use. proc_pid_stat(5) numbers the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    state: char,
    flags: u64,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> Option<Stat> {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Stat::parse(&String::from_utf8_lossy(&bytes))
    }

    /// The name of the program (field 2) may hold blanks and brackets, so fields count from the last bracket on.
    fn parse(text: &str) -> Option<Stat> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Stat {
            state: fields.first()?.chars().next()?,
            flags: number(9)?,
            parent: number(4)? as u32,
            group: number(5)? as u32,
            session: number(6)? as u32,
            start_time: number(22)?,
        })
    }

    /// Ended, and perhaps not yet waited for.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// A thread of the kernel, which runs no program. `PF_KTHREAD` in linux/sched.h.
    fn is_kernel(&self) -> bool {
        self.flags & 0x0020_0000 != 0
    }
}

/// Every process that this one may see and that runs a program.
pub(crate) fn living() -> Vec<(u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all = pids.filter_map(|pid| Some((pid, Stat::read(pid)?)));
    all.filter(|(_, stat)| !stat.is_dead() && !stat.is_kernel()).collect()
}

/// Those of `pids` that were started with every one of `marks` (`NAME=value`) in their environment, and show it to us.
///
/// A process in the middle of an execve has an empty environment for a moment. An empty one is looked at again.
pub(crate) fn carriers(mut pids: Vec<u32>, marks: &[String]) -> BTreeSet<u32> {
    const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(2)];
    let mut found = BTreeSet::new();
    for pause in PAUSES {
        if pids.is_empty() {
            break;
        }
        thread::sleep(pause);
        pids.retain(|pid| match environ(*pid) {
            Some(environ) if environ.is_empty() => true,
            Some(environ) => {
                if holds(&environ, marks) {
                    found.insert(*pid);
                }
                false
            }
            None => false,
        });
    }
    found
}

fn environ(pid: u32) -> Option<Vec<u8>> {
    const LONGEST: u64 = 8 * 1024 * 1024;
    let mut environ = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(LONGEST).read_to_end(&mut environ).ok()?;
    Some(environ)
}

fn holds(environ: &[u8], marks: &[String]) -> bool {
    marks.iter().all(|mark| environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
}

/// The machine since it was started last.
pub struct Boot {
    id: String,
}

impl Boot {
    pub fn now() -> io::Result<Boot> {
        Ok(Boot { id: boot_id()? })
    }

    /// Whether the process runs.
    pub fn has(&self, process: &Process) -> bool {
        process.boot_id == self.id && identify(process.pid, &self.id).is_some_and(|found| found == *process)
    }
}

/// Names this boot of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_string())
}

/// What tells the process that has this pid now from every other. None when there is none, or it has ended.
pub(crate) fn identify(pid: u32, boot_id: &str) -> Option<Process> {
    let stat = Stat::read(pid).filter(|stat| !stat.is_dead())?;
    Some(Process { pid, start_time: stat.start_time, boot_id: boot_id.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_parses_whatever_the_program_is_called() {
        let line = "4242 (a) S 1 (b) S 7 4242 4241 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";
        let stat = Stat::parse(line).expect("a stat line");
        assert_eq!(
            stat,
            Stat { state: 'S', flags: 4_194_304, parent: 7, group: 4242, session: 4241, start_time: 987_654 }
        );
        assert_eq!(Stat::parse("4242 (sh) S 1 2"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn a_process_is_told_from_others_that_had_or_will_have_its_pid() {
        let boot = Boot::now().unwrap();
        let own = identify(std::process::id(), &boot.id).unwrap();
        assert!(boot.has(&own));
        assert!(!boot.has(&Process { start_time: own.start_time + 1, ..own.clone() }));
        assert!(!boot.has(&Process { boot_id: "another".to_string(), ..own }));
    }

    #[test]
    fn marks_match_whole_entries_only() {
        let environ = b"A=1\0ADSUM_INSTANCE=abc\0B=2\0";
        assert!(holds(environ, &["ADSUM_INSTANCE=abc".to_string(), "B=2".to_string()]));
        assert!(!holds(environ, &["ADSUM_INSTANCE=ab".to_string()]));
        assert!(!holds(environ, &["B=2".to_string(), "C=3".to_string()]));
    }

    #[test]
    fn this_process_is_found_and_identified() {
        let pid = std::process::id();
        assert!(living().iter().any(|(living, _)| *living == pid));
        assert_eq!(identify(pid, "b").map(|process| process.pid), Some(pid));
        assert_eq!(identify(u32::MAX / 2, "b"), None);
    }
}
