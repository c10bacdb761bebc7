//! Whether groups can be made at a place, joined and killed; found out by doing it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use adsum_model::Controller;

use super::mounts::{Mount, Version};
use super::{Base, Cgroup, claim};
use crate::sys;

/// Before the pid of the keeper that tries a hierarchy.
const TRIAL: &str = "trial-";

/// The place of the hierarchy that gives the most, the first of several; none where no group can be made. The group
/// called `name` is there then, and claimed. Must be called while this process has no other thread, for it forks.
pub(super) fn best(mount: &Mount, name: &str) -> Option<(Base, File)> {
    let mut best: Option<(Base, File)> = None;
    for place in &mount.places {
        let Some((base, claim)) = base(mount, place, name) else { continue };
        if best.as_ref().is_some_and(|(best, _)| best.controllers.len() >= base.controllers.len()) {
            remove_base(&base.dir);
            continue;
        }
        let complete = mount.version == Version::V1 || base.controllers.len() == Controller::ALL.len();
        if let Some((poorer, _)) = best.replace((base, claim)) {
            remove_base(&poorer.dir);
        }
        if complete {
            break;
        }
    }
    best
}

fn base(mount: &Mount, place: &Path, name: &str) -> Option<(Base, File)> {
    let dir = place.join(name);
    let claim = claim::claim(&dir).ok()?;
    if mount.version == Version::V2 {
        hand_down(place, &dir);
    }
    let trial = Cgroup::at(vec![dir.join(format!("{TRIAL}{}", std::process::id()))]);
    let works = trial.make().is_ok()
        && (mount.version == Version::V1 || trial.tree().join("cgroup.kill").exists())
        && trial.doors().is_ok_and(a_child_gets_in);
    let controllers = match mount.version {
        Version::V1 => mount.controllers.clone(),
        Version::V2 => given(trial.tree()),
    };
    trial.remove();
    if !works {
        let _ = fs::remove_dir(&dir);
    }
    works.then_some((Base { dir, version: mount.version, controllers }, claim))
}

/// Asks for the controllers in the groups below `dir`, which `place` has to give it first. Each by itself, since the
/// kernel takes all of a line or nothing.
fn hand_down(place: &Path, dir: &Path) {
    for controller in Controller::ALL {
        if !given(dir).contains(&controller) {
            let _ = fs::write(place.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        let _ = fs::write(dir.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// What a group of version 2 counts of those in it.
fn given(dir: &Path) -> BTreeSet<Controller> {
    let list = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    let is_there = |controller: &Controller| list.split_whitespace().any(|word| word == controller.as_str());
    Controller::ALL.into_iter().filter(is_there).collect()
}

/// Removes the common group, unless it still has one of an instance in it, and what keepers have left in it that were
/// killed while they tried.
pub(super) fn remove_base(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let keeper = name.to_str().and_then(|name| name.strip_prefix(TRIAL));
        if keeper.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

#[allow(unsafe_code)]
fn a_child_gets_in(doors: Vec<File>) -> bool {
    let Ok((mut told, mut tell)) = std::io::pipe() else { return false };
    // SAFETY: the keeper has one thread (`run` has made sure), and the child only writes to descriptors that it has.
    match unsafe { sys::fork() } {
        Ok(None) => {
            let joined = doors.iter().all(|mut door| door.write_all(b"0").is_ok());
            let _ = tell.write_all(&[u8::from(joined)]);
            sys::exit_now(0)
        }
        Ok(Some(child)) => {
            drop(tell);
            let mut answer = [0];
            let joined = told.read_exact(&mut answer).is_ok() && answer == [1];
            sys::reap(child);
            joined
        }
        Err(_) => false,
    }
}
