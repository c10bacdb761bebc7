//! Which hierarchies of control groups a machine has, and where in them groups may be made. Text in, places out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use adsum_model::Controller;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// One hierarchy that is of use to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) version: Version,
    /// Of version 1, what is mounted here. What version 2 gives is known only where a group has been made.
    pub(super) controllers: BTreeSet<Controller>,
    /// The best first.
    pub(super) places: Vec<PathBuf>,
}

/// By what `/proc/self/mountinfo` (proc_pid_mountinfo(5)) and `/proc/self/cgroup` (cgroups(7)) say.
pub(super) fn mounts(mountinfo: &str, own_cgroup: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(|line| mount(line, own_cgroup)).collect()
}

fn mount(line: &str, own_cgroup: &str) -> Option<Mount> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let mut filesystem = filesystem.split(' ');
    match filesystem.next()? {
        "cgroup2" => {
            let own = own_cgroup.lines().find_map(|line| line.strip_prefix("0::"));
            let places = places(&root, &point, own.unwrap_or("/"), Version::V2);
            Some(Mount { version: Version::V2, controllers: BTreeSet::new(), places })
        }
        "cgroup" => {
            let controllers = named(filesystem.nth(1)?);
            let first = controllers.first()?;
            let places = places(&root, &point, own_of(*first, own_cgroup), Version::V1);
            Some(Mount { version: Version::V1, controllers, places })
        }
        _ => None,
    }
}

/// Those of a list such as `rw,cpu,cpuacct` that hold somebody to a limit.
fn named(list: &str) -> BTreeSet<Controller> {
    let is_named = |controller: &Controller| list.split(',').any(|word| word == controller.as_str());
    Controller::ALL.into_iter().filter(is_named).collect()
}

/// Our group in the hierarchy of version 1 with this controller: `4:memory:/path`.
fn own_of(controller: Controller, own_cgroup: &str) -> &str {
    own_cgroup.lines().find_map(|line| group_of(controller, line)).unwrap_or("/")
}

fn group_of(controller: Controller, line: &str) -> Option<&str> {
    let mut fields = line.splitn(3, ':').skip(1);
    let is_here = fields.next()?.split(',').any(|word| word == controller.as_str());
    fields.next().filter(|_| is_here)
}

/// Below the process's own group first, since that is what systemd delegates. Version 2 gives controllers only to groups
/// beside which no process is, so there the group above is next, which is the delegated one when its agent runs in a
/// group below it. Then the top of the hierarchy.
fn places(root: &Path, point: &Path, own: &str, version: Version) -> Vec<PathBuf> {
    let own = Path::new(own).strip_prefix(root).ok();
    let above = own.and_then(Path::parent).filter(|_| version == Version::V2);
    let mut places: Vec<PathBuf> = Vec::new();
    for place in own.into_iter().chain(above).chain([Path::new("")]).map(|rest| point.join(rest)) {
        // A path that ends in a slash is the same place, and compares as the same.
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// mountinfo writes blanks and the like as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_string(), |text, (code, plain)| text.replace(code, plain)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw";

    const OWN: &str =
        "4:memory:/of/us\n3:cpuset:/other\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice/session\n";

    fn mount(version: Version, controllers: &[Controller], places: &[&str]) -> Mount {
        Mount {
            version,
            controllers: controllers.iter().copied().collect(),
            places: places.iter().map(PathBuf::from).collect(),
        }
    }

    #[test]
    fn hierarchies_of_both_versions_are_found_side_by_side() {
        let unified = [
            "/sys/fs/cgroup/uni fied/user.slice/session",
            "/sys/fs/cgroup/uni fied/user.slice",
            "/sys/fs/cgroup/uni fied",
        ];
        let expected = [
            mount(Version::V1, &[Controller::Cpu], &["/sys/fs/cgroup/cpu,cpuacct"]),
            mount(
                Version::V1,
                &[Controller::Memory],
                &["/sys/fs/cgroup/memory/of/us", "/sys/fs/cgroup/memory"],
            ),
            mount(Version::V2, &[], &unified),
        ];
        assert_eq!(mounts(MOUNTINFO, OWN), expected);
    }

    #[test]
    fn a_machine_with_version_2_alone_has_one_hierarchy() {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let at = |own: &str| mounts(mountinfo, own).remove(0).places;
        assert_eq!(at("0::/\n"), [PathBuf::from("/sys/fs/cgroup")]);
        let expected =
            ["/sys/fs/cgroup/system.slice/adsum.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"];
        assert_eq!(at("0::/system.slice/adsum.service\n"), expected.map(PathBuf::from));
    }

    #[test]
    fn what_is_mounted_from_elsewhere_and_what_is_no_hierarchy_is_left_alone() {
        // In a container the root of the mount is the container's group, and so is ours.
        let mountinfo = "30 23 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup rw";
        assert_eq!(mounts(mountinfo, "0::/docker/1\n")[0].places, [PathBuf::from("/sys/fs/cgroup")]);
        assert_eq!(mounts(mountinfo, "0::/other\n")[0].places, [PathBuf::from("/sys/fs/cgroup")]);
        assert!(mounts("", OWN).is_empty());
        assert!(mounts("31 23 0:28 / /sys rw - tmpfs tmpfs rw\nnonsense", OWN).is_empty());
    }
}
