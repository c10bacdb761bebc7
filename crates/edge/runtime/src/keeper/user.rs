//! As whom a process runs: `UID|NAME[:GID|GROUP]`, looked up among the users of this machine before the fork.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgrouplist, setgid, setgroups, setuid};

use super::program::with_zero;

/// Somebody whom a process can become.
#[derive(Debug)]
pub(crate) struct Identity {
    uid: Uid,
    gid: Gid,
    /// All groups, the first one among them.
    groups: Vec<Gid>,
    /// Of one that has an entry among the users.
    pub(crate) name: Option<String>,
    pub(crate) home: PathBuf,
}

impl Identity {
    /// With a group, that is the only one; without, the user's own and all that he is in.
    pub(crate) fn find(text: &str) -> Result<Identity, String> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let entry = entry(user)?;
        let uid = entry.as_ref().map(|entry| entry.uid).or_else(|| user.parse().ok().map(Uid::from_raw));
        let uid = uid.ok_or_else(|| format!("this machine has no user '{user}'"))?;
        let (gid, groups) = match (group, &entry) {
            (Some(group), _) => self::group(group).map(|gid| (gid, vec![gid]))?,
            (None, Some(entry)) => (entry.gid, groups_of(entry)?),
            (None, None) => {
                return Err(format!(
                    "this machine has no user {user}: name a group, too, such as {user}:{user}"
                ));
            }
        };
        let home = entry.as_ref().map_or_else(|| "/".into(), |entry| entry.dir.clone());
        let identity = Identity { uid, gid, groups, name: entry.map(|entry| entry.name), home };
        if identity.can_be_taken() {
            Ok(identity)
        } else {
            Err("only root may start it as another user".to_string())
        }
    }

    fn can_be_taken(&self) -> bool {
        geteuid().is_root() || self.is_ours()
    }

    fn is_ours(&self) -> bool {
        (self.uid, self.gid) == (geteuid(), getegid())
    }

    /// Becomes it, for good. To be called in the child.
    pub(crate) fn assume(&self) -> io::Result<()> {
        if !geteuid().is_root() {
            return Ok(());
        }
        setgroups(&self.groups)?;
        setgid(self.gid)?;
        Ok(setuid(self.uid)?)
    }

    /// Gives it a file or directory; a link itself, not what it leads to.
    pub(crate) fn give(&self, path: &std::path::Path) -> io::Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }
}

/// A number that is somebody's name would be read as a name first, as everywhere.
fn entry(user: &str) -> Result<Option<User>, String> {
    let unknown = |error: Errno| format!("the users of this machine cannot be read: {error}");
    let named = User::from_name(user).map_err(unknown)?;
    match (named, user.parse()) {
        (None, Ok(uid)) => User::from_uid(Uid::from_raw(uid)).map_err(unknown),
        (named, _) => Ok(named),
    }
}

fn group(group: &str) -> Result<Gid, String> {
    let named = Group::from_name(group);
    let named = named.map_err(|error| format!("the groups of this machine cannot be read: {error}"))?;
    match (named, group.parse()) {
        (Some(named), _) => Ok(named.gid),
        (None, Ok(gid)) => Ok(Gid::from_raw(gid)),
        (None, Err(_)) => Err(format!("this machine has no group '{group}'")),
    }
}

fn groups_of(user: &User) -> Result<Vec<Gid>, String> {
    let name = with_zero(&user.name).ok_or("a name with a zero byte in it")?;
    getgrouplist(&name, user.gid)
        .map_err(|error| format!("the groups of user '{}' cannot be read: {error}", user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        let named = entry(&root.name).unwrap().unwrap();
        let numbered = entry("0").unwrap().unwrap();
        assert_eq!((named.uid, numbered.name), (numbered.uid, root.name));
        assert!(groups_of(&named).unwrap().contains(&named.gid));
        assert_eq!(group("0").unwrap(), Gid::from_raw(0));
    }

    #[test]
    fn who_is_not_there_is_named() {
        assert_eq!(Identity::find("nobody-at-all").unwrap_err(), "this machine has no user 'nobody-at-all'");
        assert_eq!(
            Identity::find("0:nothing-at-all").unwrap_err(),
            "this machine has no group 'nothing-at-all'"
        );
        let unknown = Identity::find("3999999999").unwrap_err();
        assert_eq!(
            unknown,
            "this machine has no user 3999999999: name a group, too, such as 3999999999:3999999999"
        );
    }
}
