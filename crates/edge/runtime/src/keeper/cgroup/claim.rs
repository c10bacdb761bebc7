//! Whose common group is whose: a keeper holds a shared lock on its own for as long as it lives, so that one that was killed
//! has let go of it. What such a keeper has left, and nobody is in any more, the next one to start takes away, whichever
//! cluster that is of: a data directory that is gone has no keeper that could.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{PREFIX, with_those_below};
use crate::keeper::check_cluster;

/// For as long a start is held up at most by what others have left.
const SWEEPING: Duration = Duration::from_millis(50);

/// Makes the group and keeps others from taking it away, until the file is closed.
pub(super) fn claim(dir: &Path) -> io::Result<File> {
    loop {
        fs::create_dir_all(dir)?;
        let claimed = File::open(dir)?;
        claimed.lock_shared()?;
        // Somebody may have taken it away in between.
        let is_here =
            fs::metadata(dir).is_ok_and(|here| claimed.metadata().is_ok_and(|it| it.ino() == here.ino()));
        if is_here {
            return Ok(claimed);
        }
    }
}

/// Removes the groups beside `own` that no keeper claims and nobody is in, as many as there is time for.
pub(super) fn sweep(own: &Path) {
    let begun = Instant::now();
    let Some(place) = own.parent() else { return };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if begun.elapsed() > SWEEPING {
            return;
        }
        let name = entry.file_name();
        let cluster = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if cluster.is_some_and(|cluster| check_cluster(cluster).is_ok()) && entry.path() != own {
            remove_unclaimed(&entry.path());
        }
    }
}

fn remove_unclaimed(dir: &Path) {
    let Ok(unclaimed) = File::open(dir) else { return };
    if unclaimed.try_lock().is_ok() {
        // The kernel keeps those that somebody is in.
        with_those_below(dir).iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_claims_is_removed_and_what_is_claimed_or_of_others_stays() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let (own, other) = (claim(&at("adsum-aa")).unwrap(), claim(&at("adsum-bb")).unwrap());
        ["adsum-cc/instance/below", "adsum-DD", "other"]
            .iter()
            .for_each(|name| fs::create_dir_all(at(name)).unwrap());
        sweep(&at("adsum-aa"));
        let stay = || ["adsum-aa", "adsum-bb", "adsum-cc", "adsum-DD", "other"].map(|name| at(name).exists());
        assert_eq!(stay(), [true, true, false, true, true]);
        drop(other);
        sweep(&at("adsum-aa"));
        assert_eq!(stay(), [true, false, false, true, true]);
        drop(own);
    }
}
