//! A filesystem of the test's own: ext4 in a file, which can lose its power, run full or turn read-only, and is gone
//! with the test.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use adsum_tests::running::run;
use adsum_tests::{Running, Scratch, processes, require, unable, until_ok};

const SOON: Duration = Duration::from_secs(20);

/// `EXT4_IOC_SHUTDOWN` with the flag for "do not write the journal": from then on nothing reaches the disk, and what is
/// cached is gone with the mount. It waits for a line, so that nothing has to be started when the moment has come.
const CUT: &str = r#"
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("armed", flush=True)
sys.stdin.readline()
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", 2))
print("cut", flush=True)
"#;

/// Without `noauto_da_alloc` ext4 hides a sync that is missing before a rename.
const OPTIONS: &str = "loop,noauto_da_alloc,errors=remount-ro";

pub(crate) struct Filesystem {
    scratch: Scratch,
    mounted: bool,
}

impl Filesystem {
    /// None where nothing can be mounted; the test has to return then.
    #[track_caller]
    pub(crate) fn mount(mebibytes: u64) -> Option<Filesystem> {
        if !require("mkfs.ext4") || !require("python3") {
            return None;
        }
        let mut filesystem = Filesystem { scratch: Scratch::new(), mounted: false };
        let image = std::fs::File::create(filesystem.image()).unwrap();
        image.set_len(mebibytes << 20).unwrap();
        std::fs::create_dir(filesystem.at()).unwrap();
        command("mkfs.ext4", &[Path::new("-qF"), Path::new("-m0"), &filesystem.image()]).unwrap();
        match filesystem.attach() {
            Ok(()) => Some(filesystem),
            Err(problem) => {
                unable(&format!("nothing can be mounted here ({problem}): run as root"));
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.scratch.path().join("image")
    }

    /// Where it is mounted.
    pub(crate) fn at(&self) -> PathBuf {
        self.scratch.path().join("mounted")
    }

    /// The data directory of an agent.
    pub(crate) fn data(&self) -> PathBuf {
        self.at().join("data")
    }

    fn attach(&mut self) -> Result<(), String> {
        command("mount", &[Path::new("-o"), Path::new(OPTIONS), &self.image(), &self.at()])?;
        self.mounted = true;
        Ok(())
    }

    /// Ends who is still there, unmounts it and mounts it again: what is there now is what was on disk.
    #[track_caller]
    pub(crate) fn remount(&mut self) {
        // Keepers outlive their agents.
        processes::end_all_under(&self.at());
        until_ok("the filesystem is unmounted", SOON, || command("umount", &[&self.at()]));
        self.mounted = false;
        self.attach().unwrap();
    }

    /// Everything is ready for the power to go.
    #[track_caller]
    pub(crate) fn arm(&self) -> Power {
        let running = Running::start(Command::new("python3").args(["-c", CUT]).arg(self.at()));
        running.line_with("armed", SOON);
        Power { running, at: self.at() }
    }

    /// Leaves no block free.
    pub(crate) fn fill_up(&self) {
        // The refused attempts leave all that there was room for; what is taken back meanwhile goes the same way.
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        for piece in [1 << 20, 4096, 512] {
            while file.write_all(&vec![1; piece]).is_ok() {}
        }
        let error = std::fs::write(self.at().join("control"), [1; 8192]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    pub(crate) fn clear(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.at().join("ballast")
    }

    /// Has the kernel meet an error of the filesystem, upon which it allows no more writes.
    #[track_caller]
    pub(crate) fn turn_read_only(&self) {
        let at = self.at();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let ours = mounts.lines().find(|line| line.split(' ').nth(1) == at.to_str()).expect("it is mounted");
        let device = ours.split(' ').next().unwrap().trim_start_matches("/dev/");
        std::fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "1").unwrap();
        let error = std::fs::write(at.join("control"), "1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    }
}

impl Drop for Filesystem {
    fn drop(&mut self) {
        if self.mounted {
            processes::end_all_under(&self.at());
            // Should anybody use it still, it is gone with him.
            let _ = command("umount", &[Path::new("--lazy"), &self.at()]);
        }
    }
}

/// The hand at the switch.
pub(crate) struct Power {
    running: Running,
    at: PathBuf,
}

impl Power {
    /// Nothing that is not on disk by now will ever be.
    #[track_caller]
    pub(crate) fn cut(mut self) {
        self.running.send("\n");
        self.running.line_with("cut", SOON);
        assert!(std::fs::write(self.at.join("control"), "1").is_err(), "the power is still on");
    }
}

fn command(program: &str, args: &[&Path]) -> Result<(), String> {
    let output = run(Command::new(program).args(args), b"", SOON);
    if output.code == Some(0) { Ok(()) } else { Err(output.stderr.trim().to_string()) }
}
