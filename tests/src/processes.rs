//! The machine's processes, read from `/proc`: to count instances (none doubled, none left), to find a keeper,
//! and to end everything that belongs to a test.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::until_ok;

/// A running process as it was when it was listed. Zombies are not listed: they run no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub args: Vec<String>,
    /// `KEY=VALUE`; empty for processes of other users.
    environment: Vec<String>,
}

impl Process {
    /// Every process that we can see.
    pub fn all() -> Vec<Process> {
        let entries = std::fs::read_dir("/proc").expect("Linux has /proc");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(Process::read).collect()
    }

    /// The process of this id, when it runs.
    pub fn read(pid: i32) -> Option<Process> {
        let folder = Path::new("/proc").join(pid.to_string());
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name in parentheses may itself contain spaces and parentheses.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let args = strings(&folder.join("cmdline"));
        let environment = strings(&folder.join("environ"));
        (!matches!(state, "Z" | "X")).then_some(Process { pid, parent, args, environment })
    }

    /// The value of one environment variable.
    pub fn env(&self, key: &str) -> Option<&str> {
        let values = self.environment.iter().filter_map(|entry| entry.split_once('='));
        values.into_iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    pub fn signal(&self, signal: Signal) {
        // A process that is gone by now needs no signal any more.
        let _ = kill(Pid::from_raw(self.pid), signal);
    }

    fn mentions(&self, path: &str) -> bool {
        self.environment.iter().chain(&self.args).any(|text| text.contains(path))
    }
}

/// The processes whose environment says `key=value`.
pub fn with_env(key: &str, value: &str) -> Vec<Process> {
    Process::all().into_iter().filter(|process| process.env(key) == Some(value)).collect()
}

/// The processes that belong to this directory: its path is in their environment or arguments, or they descend
/// from such a process. Our own process never does.
pub fn under(path: &Path) -> Vec<Process> {
    let path = path.to_str().expect("scratch paths are plain");
    let own = i32::try_from(std::process::id()).expect("a process id is an i32");
    let mut rest = Process::all();
    rest.retain(|process| process.pid != own);
    let mut found: Vec<Process> = Vec::new();
    loop {
        let belongs = |process: &Process| {
            process.mentions(path) || found.iter().any(|parent| parent.pid == process.parent)
        };
        let (more, others): (Vec<Process>, Vec<Process>) = rest.into_iter().partition(belongs);
        rest = others;
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Kills what belongs to this directory, again until nothing is left: a keeper may be starting an instance
/// just now.
pub fn end_all_under(path: &Path) {
    until_ok("every process of the test has ended", Duration::from_secs(10), || {
        let left = under(path);
        left.iter().for_each(|process| process.signal(Signal::SIGKILL));
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

/// A file of strings that end with NUL; empty when it may not be read.
fn strings(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let parts = bytes.split(|&byte| byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;
    use std::process::{Child, Command};

    /// A shell that waits for a child of its own, which has an empty environment.
    fn family(scratch: &Scratch) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "env -i sleep 600; true"]).env("ADSUM_DATA_DIR", scratch.path()).spawn().unwrap()
    }

    #[test]
    fn a_process_is_found_by_its_environment() {
        let scratch = Scratch::new();
        let mut shell = family(&scratch);
        let found = until_ok("the shell runs", Duration::from_secs(5), || {
            let found = with_env("ADSUM_DATA_DIR", scratch.path().to_str().unwrap());
            if found.iter().any(|process| process.args[0] == "sh") {
                Ok(found)
            } else {
                Err(format!("{found:?}"))
            }
        });
        assert_eq!(found[0].pid, i32::try_from(shell.id()).unwrap());
        end_all_under(scratch.path());
        shell.wait().unwrap();
    }

    #[test]
    fn descendants_belong_to_the_directory_too_and_end_with_it() {
        let scratch = Scratch::new();
        let mut shell = family(&scratch);
        let sleep = until_ok("the grandchild sleeps", Duration::from_secs(5), || {
            let all = under(scratch.path());
            let sleep =
                all.iter().find(|process| process.args == ["sleep", "600"] && process.environment.is_empty());
            sleep.map(|process| process.pid).ok_or(format!("{all:?}"))
        });
        end_all_under(scratch.path());
        shell.wait().unwrap();
        assert_eq!(Process::read(sleep), None);
        assert_eq!(under(scratch.path()), []);
    }
}
