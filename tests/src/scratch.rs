//! A directory per test. Dropping it ends the processes that belong to it and removes it, also when the test
//! failed; what an interrupted run left behind is cleared away by the next one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use tempfile::TempDir;

use crate::processes;

/// Short, because paths of Unix sockets end at 108 bytes.
const PREFIX: &str = "adsum-t-";
/// Held locked by its test for as long as that lives.
const LOCK: &str = ".owned";
/// A directory this young may belong to a test that has not locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// An own directory; with `ADSUM_TEST_KEEP` in the environment it stays for inspection.
#[derive(Debug)]
pub struct Scratch {
    folder: Option<TempDir>,
    path: PathBuf,
    _owned: File,
}

impl Scratch {
    #[allow(clippy::new_without_default, reason = "a default that writes to the disk would surprise")]
    pub fn new() -> Scratch {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| sweep(&std::env::temp_dir()));
        let folder =
            tempfile::Builder::new().prefix(PREFIX).tempdir().expect("the temporary directory is writable");
        let path = folder.path().to_path_buf();
        let owned = File::create(path.join(LOCK)).expect("our own directory is writable");
        owned.lock().expect("nobody else locks a new file");
        Scratch { folder: Some(folder), path, _owned: owned }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below, as text for a command line.
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).to_str().expect("scratch paths are plain").to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        processes::end_all_under(&self.path);
        if std::env::var_os("ADSUM_TEST_KEEP").is_some()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept {}", folder.keep().display());
        }
    }
}

/// Ends and removes what belongs to tests that are no more: their lock is free.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PREFIX) && abandoned(&path) {
            processes::end_all_under(&path);
            // Somebody else's directory, or swept by another test binary meanwhile.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

fn abandoned(path: &Path) -> bool {
    let age = path.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
    let lock = File::options().write(true).open(path.join(LOCK));
    age.is_some_and(|age| age > YOUNG) && lock.is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_is_gone_after_its_test() {
        let scratch = Scratch::new();
        let path = scratch.path().to_path_buf();
        std::fs::write(scratch.file("a"), "1").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn only_directories_without_an_owner_are_swept() {
        let parent = Scratch::new();
        let owned = folder(&parent, "adsum-t-owned");
        let _lock = File::options().write(true).open(owned.join(LOCK)).map(|file| file.lock().map(|()| file));
        let (left, young) = (folder(&parent, "adsum-t-left"), folder(&parent, "adsum-t-young"));
        let foreign = folder(&parent, "foreign");
        for path in [&owned, &left, &foreign] {
            File::open(path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        sweep(parent.path());
        let there = [&owned, &left, &young, &foreign].map(|path| path.exists());
        assert_eq!(there, [true, false, true, true]);
    }

    fn folder(parent: &Scratch, name: &str) -> PathBuf {
        let path = parent.path().join(name);
        std::fs::create_dir(&path).unwrap();
        File::create(path.join(LOCK)).unwrap();
        path
    }
}
