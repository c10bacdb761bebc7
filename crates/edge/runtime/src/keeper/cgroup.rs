//! Control groups for an instance, where the machine lets us have them: to know and to kill its whole tree, and to hold
//! it to its limits. cgroups(7), <https://docs.kernel.org/admin-guide/cgroup-v2.html>.
//!
//! ```text
//! version 2 with controllers    one group: tree and limits
//! both versions side by side    one group of version 2 for the tree, one of version 1 for each limit that is asked for
//! version 1 alone               the group of the pids controller is the tree, too
//! ```
//!
//! A tree needs no controller. Groups of version 1 cost the kernel something, so an instance has only those it needs.

mod claim;
mod limit;
mod mounts;
mod trial;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use adsum_model::{Controller, InstanceId, Limits};

use crate::TreeKind;
use mounts::Version;

/// Before the cluster in the name of its common group.
const PREFIX: &str = "adsum-";

/// The groups under which those of the instances are: at the first one those of the trees.
pub(crate) struct Hierarchy {
    bases: Vec<Base>,
    /// One for each base.
    _claims: Vec<File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    dir: PathBuf,
    version: Version,
    controllers: BTreeSet<Controller>,
}

/// The groups of one instance.
pub(crate) struct Cgroup {
    /// The first one is that of the tree; never empty.
    dirs: Vec<PathBuf>,
}

impl Hierarchy {
    /// Finds places where groups can be made, joined and killed. With a kind, the tree is held in no other way.
    /// Must be called while this process has no other thread, for it forks.
    pub(crate) fn find(cluster: &str, kind: Option<TreeKind>) -> Option<Hierarchy> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = format!("{PREFIX}{cluster}");
        let mounts = mounts::mounts(&mounts, &own);
        let (found, claims): (Vec<Base>, Vec<File>) =
            mounts.iter().filter_map(|mount| trial::best(mount, &name)).unzip();
        let bases = choose(kind, &found);
        let is_chosen = |base: &&Base| bases.contains(base);
        found.iter().filter(|base| !is_chosen(base)).for_each(|base| trial::remove_base(&base.dir));
        let claims = found.iter().zip(claims).filter(|(base, _)| is_chosen(base)).map(|(_, claim)| claim);
        let claims = claims.collect();
        bases.iter().for_each(|base| claim::sweep(&base.dir));
        (!bases.is_empty()).then_some(Hierarchy { bases, _claims: claims })
    }

    pub(crate) fn kind(&self) -> TreeKind {
        match self.bases.first().map(|base| base.version) {
            Some(Version::V2) => TreeKind::Cgroup2,
            Some(Version::V1) => TreeKind::Cgroup1,
            None => TreeKind::ProcessGroup,
        }
    }

    /// What those in a group can be held to.
    pub(crate) fn controllers(&self) -> BTreeSet<Controller> {
        self.bases.iter().flat_map(|base| base.controllers.iter().copied()).collect()
    }

    /// The groups that an instance with these limits needs. They may not be there.
    pub(crate) fn group(&self, id: &InstanceId, limits: &Limits) -> Cgroup {
        let asked = limits.controllers();
        let (tree, others) = self.bases.split_first().expect("a hierarchy has a place for trees");
        let needed = others.iter().filter(|base| !base.controllers.is_disjoint(&asked));
        Cgroup { dirs: [tree].into_iter().chain(needed).map(|base| base.dir.join(id.as_str())).collect() }
    }

    /// Holds the groups of an instance to its limits, or says which of them cannot be kept.
    pub(crate) fn limit(&self, id: &InstanceId, limits: &Limits) -> Result<(), (Controller, io::Error)> {
        for controller in limits.controllers() {
            let missing = || (controller, io::Error::from(io::ErrorKind::Unsupported));
            let base = self.bases.iter().find(|base| base.controllers.contains(&controller));
            let base = base.ok_or_else(missing)?;
            limit::apply(&base.dir.join(id.as_str()), base.version, controller, limits)
                .map_err(|error| (controller, error))?;
        }
        Ok(())
    }

    /// Removes every group that this instance may have.
    pub(crate) fn remove_group(&self, id: &InstanceId) {
        Cgroup { dirs: self.bases.iter().map(|base| base.dir.join(id.as_str())).collect() }.remove();
    }

    /// Removes the common groups, unless they still have one of an instance in them.
    pub(crate) fn remove(&self) {
        self.bases.iter().for_each(|base| trial::remove_base(&base.dir));
    }
}

/// Of the places that work, the one for trees and behind it those that add a controller. Version 2 goes before version
/// 1, of which the pids controller is the best: with it a kill can forbid forks first.
fn choose(kind: Option<TreeKind>, found: &[Base]) -> Vec<Base> {
    let of = |version| move |base: &&Base| base.version == version;
    let second = || {
        let mut old = found.iter().filter(of(Version::V1));
        old.clone().find(|base| base.controllers.contains(&Controller::Pids)).or_else(|| old.next())
    };
    let first = found.iter().find(of(Version::V2));
    let tree = match kind {
        None => first.or_else(second),
        Some(TreeKind::Cgroup2) => first,
        Some(TreeKind::Cgroup1) => second(),
        Some(TreeKind::ProcessGroup) => None,
    };
    let Some(tree) = tree else { return Vec::new() };
    let mut chosen = vec![tree.clone()];
    for base in found {
        let has = |controller| chosen.iter().any(|other| other.controllers.contains(controller));
        if !base.controllers.iter().all(has) {
            chosen.push(base.clone());
        }
    }
    chosen
}

impl Cgroup {
    /// As it is on record: that of the tree first.
    pub(crate) fn at(dirs: Vec<PathBuf>) -> Cgroup {
        Cgroup { dirs }
    }

    pub(crate) fn tree(&self) -> &Path {
        self.dirs.first().expect("a cgroup has the group of its tree")
    }

    /// Those that are there for limits alone.
    pub(crate) fn others(&self) -> &[PathBuf] {
        &self.dirs[1..]
    }

    pub(crate) fn make(&self) -> io::Result<()> {
        self.dirs.iter().try_for_each(fs::create_dir_all)?;
        // One that the kernel was slow to give back may still forbid forks, from its end.
        let _ = fs::write(self.tree().join("pids.max"), "max");
        Ok(())
    }

    /// A process that writes `0` to these files is in the groups from then on.
    pub(crate) fn doors(&self) -> io::Result<Vec<File>> {
        let open = |dir: &PathBuf| OpenOptions::new().write(true).open(dir.join("cgroup.procs"));
        self.dirs.iter().map(open).collect()
    }

    /// Every process in the tree's group and in the groups below.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let groups = with_those_below(self.tree());
        let lists = groups.iter().map(|dir| fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default());
        let parse = |list: String| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>();
        lists.flat_map(parse).filter(|pid| *pid != 0).collect()
    }

    /// SIGKILL to all, at once: not even a fork in progress escapes. Answers false where that cannot be had, which is in
    /// version 1; there it sees to it that nothing forks any more, if it can.
    pub(crate) fn kill(&self) -> bool {
        if fs::write(self.tree().join("cgroup.kill"), "1").is_ok() {
            return true;
        }
        let _ = fs::write(self.tree().join("pids.max"), "0");
        false
    }

    pub(crate) fn is_empty(&self) -> bool {
        match fs::read_to_string(self.tree().join("cgroup.events")) {
            Ok(events) => entry(&events, "populated") == Some(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.pids().is_empty(),
            Err(_) => false,
        }
    }

    /// Whether the kernel killed something in it for want of memory, where the memory controller is on.
    pub(crate) fn oom(&self) -> Option<bool> {
        let said = |dir: &PathBuf| {
            let events = fs::read_to_string(dir.join("memory.events"))
                .or_else(|_| fs::read_to_string(dir.join("memory.oom_control")));
            entry(&events.ok()?, "oom_kill")
        };
        self.dirs.iter().find_map(said).map(|times| times > 0)
    }

    pub(crate) fn remove(&self) {
        for dir in self.dirs.iter().flat_map(|dir| with_those_below(dir).into_iter().rev()) {
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
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Controller = Controller::Memory;
    const CPU: Controller = Controller::Cpu;
    const PIDS: Controller = Controller::Pids;

    fn base(dir: &str, version: Version, controllers: &[Controller]) -> Base {
        Base { dir: dir.into(), version, controllers: controllers.iter().copied().collect() }
    }

    #[track_caller]
    fn check(kind: Option<TreeKind>, found: &[Base], expect: &[&str]) {
        let chosen = choose(kind, found);
        let dirs: Vec<&str> = chosen.iter().filter_map(|base| base.dir.to_str()).collect();
        assert_eq!(dirs, expect);
    }

    #[test]
    fn version_2_with_all_controllers_is_all_that_is_needed() {
        let unified = base("/2", Version::V2, &Controller::ALL);
        check(None, std::slice::from_ref(&unified), &["/2"]);
        check(None, &[base("/m", Version::V1, &[MEMORY]), unified.clone()], &["/2"]);
        check(Some(TreeKind::Cgroup1), &[unified], &[]);
    }

    #[test]
    fn version_1_adds_what_version_2_does_not_have() {
        let found = [
            base("/c", Version::V1, &[CPU]),
            base("/m", Version::V1, &[MEMORY]),
            base("/2", Version::V2, &[PIDS]),
            base("/p", Version::V1, &[PIDS]),
        ];
        check(None, &found, &["/2", "/c", "/m"]);
        check(Some(TreeKind::Cgroup1), &found, &["/p", "/c", "/m"]);
        check(Some(TreeKind::ProcessGroup), &found, &[]);
    }

    #[test]
    fn version_1_alone_holds_the_tree_too_at_best_by_the_pids() {
        let (memory, pids) = (base("/m", Version::V1, &[MEMORY]), base("/p", Version::V1, &[PIDS]));
        check(None, &[memory.clone(), pids], &["/p", "/m"]);
        check(None, std::slice::from_ref(&memory), &["/m"]);
        check(Some(TreeKind::Cgroup2), &[memory], &[]);
        check(None, &[], &[]);
    }

    #[test]
    fn an_instance_has_the_groups_of_its_limits_and_no_others() {
        let bases = [
            base("/2", Version::V2, &[]),
            base("/c", Version::V1, &[CPU]),
            base("/m", Version::V1, &[MEMORY]),
        ];
        let hierarchy = Hierarchy { bases: bases.into(), _claims: Vec::new() };
        let id = InstanceId::from_seed(1);
        let dirs = |limits: Limits| hierarchy.group(&id, &limits).dirs;
        let at = |base: &str| Path::new(base).join(id.as_str());
        assert_eq!(dirs(Limits::default()), [at("/2")]);
        assert_eq!(dirs(Limits { memory: Some(1), ..Limits::default() }), [at("/2"), at("/m")]);
        let (controller, _) =
            hierarchy.limit(&id, &Limits { pids: Some(1), ..Limits::default() }).unwrap_err();
        assert_eq!(controller, PIDS);
    }

    #[test]
    fn a_flat_keyed_file_is_read_by_name() {
        assert_eq!(entry("populated 1\nfrozen 0\n", "populated"), Some(1));
        assert_eq!(entry("low 0\noom 3\noom_kill_disable 1\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(entry("low 0\n", "oom_kill"), None);
    }
}
