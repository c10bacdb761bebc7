//! External programs that the tests call: which are missing, and installing them as root on Debian.
//!
//! The table itself is `tests/components.txt`; the test kit reads the same one.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::cargo::succeeds;

const TABLE: &str = include_str!("../../tests/components.txt");

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) program: &'static str,
    /// Debian packages, separated by spaces.
    pub(crate) packages: &'static str,
    pub(crate) needed_by: &'static str,
}

impl std::fmt::Display for Component {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Component { program, packages, needed_by } = self;
        write!(out, "MISSING {program}: needed by {needed_by} (apt-get install {packages})")
    }
}

/// The components that are not on the PATH.
pub(crate) fn missing() -> Vec<Component> {
    table().filter(|component| !present(component.program)).collect()
}

/// Whether we may install: root, where apt-get is.
pub(crate) fn can_install() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root && present("apt-get")
}

/// Installs the packages of these components, and starts none of their services.
pub(crate) fn install(components: &[Component]) -> anyhow::Result<bool> {
    let _policy = Policy::deny_starts()?;
    if !succeeds(apt_get().arg("update"))? {
        return Ok(false);
    }
    let packages = components.iter().flat_map(|component| component.packages.split_whitespace());
    succeeds(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}

fn table() -> impl Iterator<Item = Component> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.split('|').map(str::trim);
        let mut field = || fields.next().expect("components.txt has three fields per line");
        Component { program: field(), packages: field(), needed_by: field() }
    })
}

fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Debian's way to say that installing a package must not start its service: a second redis-server on 6379
/// would be in the way of the very thing under test. An administrator's own policy is left alone.
struct Policy {
    ours: Option<PathBuf>,
}

impl Policy {
    fn deny_starts() -> anyhow::Result<Policy> {
        let path = Path::new("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(Policy { ours: None });
        }
        std::fs::write(path, "#!/bin/sh\nexit 101\n")
            .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Policy { ours: Some(path.to_path_buf()) })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours
            && let Err(error) = std::fs::remove_file(path)
        {
            eprintln!("cannot remove {}: {error}: remove it by hand", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_program_packages_and_use() {
        let dig = table().find(|component| component.program == "dig").unwrap();
        assert_eq!(dig.packages, "bind9-dnsutils");
        assert_eq!(dig.to_string(), "MISSING dig: needed by the DNS face (apt-get install bind9-dnsutils)");
        assert!(table().all(|it| ![it.program, it.packages, it.needed_by].contains(&"")));
    }

    #[test]
    fn a_program_is_present_when_the_path_has_it() {
        assert!(present("sh"));
        assert!(!present("no-such-program-anywhere"));
    }
}
