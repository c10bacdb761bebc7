//! The journal on a small real filesystem that is filled up by somebody else, and cleared again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use adsum_journal::{ClusterId, Journal, Options, Recovered, open};

/// An ext4 filesystem in a file, gone with the test.
struct Small {
    _temp: tempfile::TempDir,
    at: PathBuf,
}

impl Small {
    /// None, with the reason printed, where filesystems cannot be mounted.
    fn mount(mebibytes: u64) -> Option<Small> {
        let temp = tempfile::tempdir().expect("a directory");
        let (image, at) = (temp.path().join("image"), temp.path().join("mounted"));
        fs::create_dir(&at).expect("writable");
        fs::File::create(&image).and_then(|file| file.set_len(mebibytes << 20)).expect("writable");
        let steps = [
            Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image).output(),
            Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at).output(),
        ];
        for step in steps {
            let problem = match step {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            let skip = format!("SKIPPED: no ext4 can be mounted here ({problem}): needs root and e2fsprogs");
            assert!(std::env::var_os("ADSUM_TEST_STRICT").is_none(), "{skip}");
            println!("{skip}");
            return None;
        }
        Some(Small { _temp: temp, at })
    }

    fn data(&self) -> PathBuf {
        self.at.join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Leaves no block free.
    fn fill_up(&self) {
        let mut size = 1 << 20;
        let mut content = Vec::new();
        while size >= 512 {
            content.resize(content.len() + size, 1);
            if fs::write(self.ballast(), &content).is_err() {
                content.truncate(content.len() - size);
                size /= 2;
            }
        }
        // The last attempt was refused, and has left what there was room for.
    }

    fn clear(&self) {
        fs::remove_file(self.ballast()).expect("it is there");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).status();
    }
}

fn start(dir: &Path) -> (Journal, Recovered) {
    let options = Options { reserve_bytes: 1 << 20, ..Options::new(dir, ClusterId([7; 16])) };
    open(options).expect("a healthy directory")
}

fn payload(revision: u64) -> Vec<u8> {
    vec![revision as u8; 20_000]
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Appends until a record waits for room. Returns it.
fn overfill(journal: &Journal, first: u64) -> u64 {
    (first..)
        .find(|revision| {
            journal.append(*revision, &payload(*revision));
            // A record that has its room is on disk in a small part of this time.
            let begin = Instant::now();
            while journal.durable() < *revision && begin.elapsed() < Duration::from_secs(3) {
                std::thread::sleep(Duration::from_millis(1));
            }
            journal.durable() < *revision
        })
        .expect("the filesystem is small")
}

#[test]
fn a_full_filesystem_costs_nothing_and_is_left_behind_when_there_is_room() {
    let Some(small) = Small::mount(24) else { return };
    let (journal, _) = start(&small.data());
    assert!(!journal.is_full());
    assert_eq!(fs::metadata(small.data().join("reserve")).expect("made").len(), 1 << 20);
    (1..=50).for_each(|revision| journal.append(revision, &payload(revision)));
    journal.wait_durable(50).expect("healthy");

    small.fill_up();
    let control = fs::write(small.at.join("other"), vec![1; 64 << 10]);
    assert!(control.is_err(), "the filesystem is really full");
    let waiting = overfill(&journal, 51);
    // The preallocated part of the segment, and the reserve: 1 MiB is room for 52.
    assert!(waiting > 100, "only {waiting} had room");
    assert!(journal.is_full() && journal.failed().is_none() && journal.pending_bytes() > 0);
    assert_eq!(journal.durable(), waiting - 1);

    let cleared = Instant::now();
    small.clear();
    journal.wait_durable(waiting).expect("there is room again");
    until("it is not full", || !journal.is_full());
    println!("recovered {:?} after there was room", cleared.elapsed());
    journal.append(waiting + 1, &payload(waiting + 1));
    journal.close().expect("healthy");

    let (_journal, recovered) = start(&small.data());
    assert!(recovered.torn.is_none());
    let found: Vec<_> = recovered.records.map(|record| record.expect("whole")).collect();
    let expected: Vec<_> = (1..=waiting + 1).map(|revision| (revision, payload(revision))).collect();
    assert!(found == expected, "{} of {} records", found.len(), expected.len());
}

#[test]
fn a_journal_that_ended_on_a_full_filesystem_opens_there_with_everything_acknowledged() {
    let Some(small) = Small::mount(24) else { return };
    let (journal, _) = start(&small.data());
    small.fill_up();
    let waiting = overfill(&journal, 1);
    let error = journal.close().expect_err("something found no room");
    assert!(error.message().contains("found no room"), "{error}");

    let (journal, recovered) = start(&small.data());
    assert_eq!(recovered.revision, waiting - 1);
    assert!(journal.is_full());
    small.clear();
    until("it is not full", || !journal.is_full());
    journal.append(waiting, &payload(waiting));
    journal.wait_durable(waiting).expect("healthy");
}
