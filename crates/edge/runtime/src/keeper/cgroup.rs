//! A control group (version 2) for each instance, where the machine lets us have one.
//!
//! No controller is asked for: the group is there to know and to kill the whole tree, which needs none.
//! cgroups(7), <https://docs.kernel.org/admin-guide/cgroup-v2.html>.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use adsum_model::InstanceId;

use crate::sys;

/// The group under which those of the instances are.
pub(crate) struct Hierarchy {
    base: PathBuf,
}

/// The group of one instance.
pub(crate) struct Cgroup {
    dir: PathBuf,
}

impl Hierarchy {
    /// Finds a place where groups can be made, joined and killed: below our own group, or at the top.
    /// Must be called while this process has no other thread, for it forks.
    pub(crate) fn find(cluster: &str) -> Option<Hierarchy> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = format!("adsum-{cluster}");
        let mut bases = places(&mounts, &own).into_iter().map(|place| place.join(&name));
        bases.find(|base| works(base)).map(|base| Hierarchy { base })
    }

    /// The group of this instance, which may not be there.
    pub(crate) fn group(&self, id: &InstanceId) -> Cgroup {
        Cgroup { dir: self.base.join(id.as_str()) }
    }

    /// Removes the common group, unless it still has one of an instance in it.
    pub(crate) fn remove(&self) {
        remove_old_trials(&self.base);
        let _ = fs::remove_dir(&self.base);
    }
}

impl Cgroup {
    pub(crate) fn at(dir: PathBuf) -> Cgroup {
        Cgroup { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(&self.dir)
    }

    /// A process that writes `0` to this file is in the group from then on.
    pub(crate) fn door(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.dir.join("cgroup.procs"))
    }

    /// Every process in it and in the groups below.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let groups = with_those_below(&self.dir);
        let lists = groups.iter().map(|dir| fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default());
        let parse = |list: String| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>();
        lists.flat_map(parse).filter(|pid| *pid != 0).collect()
    }

    /// SIGKILL to all, at once: not even a fork in progress escapes.
    pub(crate) fn kill(&self) {
        let _ = fs::write(self.dir.join("cgroup.kill"), "1");
    }

    pub(crate) fn is_empty(&self) -> bool {
        match fs::read_to_string(self.dir.join("cgroup.events")) {
            Ok(events) => entry(&events, "populated") == Some(0),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Whether the kernel killed something in it for want of memory, where the memory controller is on.
    pub(crate) fn oom(&self) -> Option<bool> {
        let events = fs::read_to_string(self.dir.join("memory.events")).ok()?;
        entry(&events, "oom_kill").map(|times| times > 0)
    }

    pub(crate) fn remove(&self) {
        for dir in with_those_below(&self.dir).iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// The directory and all below it, parents first.
fn with_those_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_path_buf()];
    let mut next = 0;
    while next < found.len() {
        let entries = fs::read_dir(&found[next]).into_iter().flatten().flatten();
        let below: Vec<PathBuf> =
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect();
        found.extend(below);
        next += 1;
    }
    found
}

/// The value of `name` in a flat keyed file: lines of `NAME VALUE`.
fn entry(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Where a group may be made: below the process's own group first, since that is what systemd delegates, then at the
/// top of the hierarchy.
fn places(mountinfo: &str, own_cgroup: &str) -> Vec<PathBuf> {
    let own = own_cgroup.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let mounts = mountinfo.lines().filter_map(cgroup2_mount);
    let places = mounts.flat_map(|(root, point)| {
        let below = Path::new(own).strip_prefix(&root).ok().map(|rest| point.join(rest));
        below.into_iter().chain([point])
    });
    let mut once: Vec<PathBuf> = Vec::new();
    places.for_each(|place| {
        if !once.contains(&place) {
            once.push(place)
        }
    });
    once
}

/// Root and mount point of a line of mountinfo (proc_pid_mountinfo(5)) that is a cgroup2.
fn cgroup2_mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if filesystem.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some((unescape(fields.next()?), unescape(fields.next()?)))
}

/// mountinfo writes blanks and the like as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_string(), |text, (code, plain)| text.replace(code, plain)).into()
}

/// Before the pid of the keeper that tries a hierarchy.
const TRIAL: &str = "trial-";

/// Removes what keepers have left that were killed while they tried.
fn remove_old_trials(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let keeper = name.to_str().and_then(|name| name.strip_prefix(TRIAL));
        if keeper.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Whether groups can be made in `base`, which is made for it, and be joined and killed by us.
fn works(base: &Path) -> bool {
    let trial = Cgroup::at(base.join(format!("{TRIAL}{}", std::process::id())));
    let works = trial.make().is_ok()
        && trial.dir().join("cgroup.kill").exists()
        && trial.door().is_ok_and(a_child_gets_in);
    trial.remove();
    if !works {
        let _ = fs::remove_dir(base);
    }
    works
}

#[allow(unsafe_code)]
fn a_child_gets_in(mut door: File) -> bool {
    let (mut told, mut tell) = match std::io::pipe() {
        Ok(ends) => ends,
        Err(_) => return false,
    };
    // SAFETY: the keeper has one thread (`run` has made sure), and the child only writes to two descriptors.
    match unsafe { sys::fork() } {
        Ok(None) => {
            let joined = door.write_all(b"0").is_ok();
            let _ = tell.write_all(&[u8::from(joined)]);
            sys::exit_now(0)
        }
        Ok(Some(child)) => {
            drop(tell);
            let mut answer = [0];
            let joined = io::Read::read_exact(&mut told, &mut answer).is_ok() && answer == [1];
            sys::reap(child);
            joined
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_made_below_our_own_or_at_the_top() {
        let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:5 - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw";
        let own = "1:name=systemd:/other\n0::/user.slice/session\n";
        let expected = ["/sys/fs/cgroup/uni fied/user.slice/session", "/sys/fs/cgroup/uni fied"];
        assert_eq!(places(mountinfo, own), expected.map(PathBuf::from));
        assert_eq!(places(mountinfo, "0::/\n"), [PathBuf::from("/sys/fs/cgroup/uni fied")]);
        assert!(places("", own).is_empty());
    }

    #[test]
    fn a_flat_keyed_file_is_read_by_name() {
        assert_eq!(entry("populated 1\nfrozen 0\n", "populated"), Some(1));
        assert_eq!(entry("low 0\noom 3\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(entry("low 0\n", "oom_kill"), None);
    }
}
