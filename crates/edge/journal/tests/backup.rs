//! Snapshots outside of a journal: a backup reads back anywhere, damaged or foreign files are refused by name, and a
//! restored directory begins where it is told.

use std::{fs, path::Path};

use adsum_journal::{
    ClusterId, Damage, OpenError, Options, ReadError, RestoreError, inspect_snapshot, open,
    open_snapshot_file, restore_into, write_snapshot_file,
};

const CLUSTER: ClusterId = ClusterId(*b"the backed up ..");

fn chunks() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), Vec::new(), vec![3; 600_000]]
}

fn backup(path: &Path) {
    write_snapshot_file(path, CLUSTER, 41, chunks().into_iter()).expect("writable");
}

#[track_caller]
fn damage(path: &Path) -> Damage {
    match inspect_snapshot(path) {
        Err(OpenError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_backup_reads_back_and_says_what_it_is() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("tuesday.backup");
    let written = write_snapshot_file(&path, CLUSTER, 41, chunks().into_iter()).expect("writable");
    assert_eq!((written.revision, &written.file), (41, &path));
    assert_eq!(written.bytes, fs::metadata(&path).expect("there").len());
    let summary = inspect_snapshot(&path).expect("whole");
    assert_eq!((summary.format, summary.cluster, summary.revision), (2, CLUSTER, 41));
    assert_eq!((summary.bytes, summary.chunks), (written.bytes, 3));
    let read: Vec<_> = open_snapshot_file(&path).expect("whole").map(|chunk| chunk.expect("whole")).collect();
    assert_eq!(read, chunks());
    assert_eq!(fs::read_dir(temp.path()).expect("there").count(), 1, "nothing else is left");
}

#[test]
fn a_backup_is_looked_at_without_being_touched() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("backup");
    backup(&path);
    let mut permissions = fs::metadata(&path).expect("there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).expect("ours");
    let before = fs::metadata(&path).expect("there").modified().expect("known");
    inspect_snapshot(&path).expect("whole");
    assert_eq!(fs::metadata(&path).expect("there").modified().expect("known"), before);
}

#[test]
fn every_flipped_byte_and_every_missing_end_of_a_backup_is_found() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("backup");
    write_snapshot_file(&path, CLUSTER, 41, [b"one".to_vec(), b"two".to_vec()].into_iter())
        .expect("writable");
    let whole = fs::read(&path).expect("there");
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, &flipped).expect("writable");
        assert!(inspect_snapshot(&path).is_err(), "byte {at}");
        fs::write(&path, &whole[..at]).expect("writable");
        assert!(inspect_snapshot(&path).is_err(), "{at} bytes");
    }
    fs::write(&path, [&*whole, b"more"].concat()).expect("writable");
    assert_eq!(damage(&path).expected, "the end of the file");
    fs::write(&path, "hello, I am a text, and I am long enough for a header to be in me").expect("writable");
    let damage = damage(&path);
    assert_eq!((damage.file, damage.offset), (path.clone(), 0));
    let missing = temp.path().join("missing");
    let error = inspect_snapshot(&missing).expect_err("it is not there").to_string();
    assert_eq!(error, format!("reading {} failed", missing.display()));
}

#[test]
fn a_restored_directory_holds_the_state_at_the_raised_revision() {
    let temp = tempfile::tempdir().expect("a directory");
    let (path, dir) = (temp.path().join("backup"), temp.path().join("restored/data"));
    backup(&path);
    let info =
        restore_into(&dir, CLUSTER, 1_000_041, open_snapshot_file(&path).expect("whole")).expect("new");
    assert_eq!(info.revision, 1_000_041);
    for last in [1_000_041, 1_000_042] {
        let (journal, mut recovered) = open(Options::new(&dir, ClusterId([0; 16]))).expect("whole");
        let state = recovered.snapshot.take().expect("there");
        assert_eq!((recovered.cluster, recovered.revision, state.revision()), (CLUSTER, last, 1_000_041));
        let read: Vec<_> = state.map(|chunk| chunk.expect("whole")).collect();
        assert_eq!((read, recovered.records.count() as u64), (chunks(), last - 1_000_041));
        journal.append(last + 1, b"the first new one");
        journal.close().expect("healthy");
    }
}

#[test]
fn a_directory_that_holds_a_journal_is_not_restored_into() {
    let temp = tempfile::tempdir().expect("a directory");
    let (path, dir) = (temp.path().join("backup"), temp.path().join("data"));
    backup(&path);
    let (journal, _) = open(Options::new(&dir, CLUSTER)).expect("new");
    let restore = || restore_into(&dir, CLUSTER, 50, open_snapshot_file(&path).expect("whole"));
    let error = restore().expect_err("it is in use");
    assert!(matches!(error, RestoreError::Open(OpenError::InUse { .. })), "{error}");
    journal.append(1, b"precious");
    journal.close().expect("healthy");
    let error = restore().expect_err("it is occupied").to_string();
    let expected =
        format!("data directory {} already holds a journal (journal-0000000000000001.log)", dir.display());
    assert!(error.starts_with(&expected) && error.contains("pass another --data-dir"), "{error}");
    assert_eq!(open(Options::new(&dir, CLUSTER)).expect("untouched").1.records.count(), 1);
}

#[test]
fn a_backup_that_breaks_off_is_not_restored() {
    let temp = tempfile::tempdir().expect("a directory");
    let (path, dir) = (temp.path().join("backup"), temp.path().join("data"));
    backup(&path);
    let mut content = fs::read(&path).expect("there");
    let last = content.len() - 40;
    content[last] ^= 1;
    fs::write(&path, content).expect("writable");
    let error =
        restore_into(&dir, CLUSTER, 50, open_snapshot_file(&path).expect("a header")).expect_err("damaged");
    assert!(
        matches!(&error, RestoreError::Read(ReadError::Damaged(damage)) if damage.file == path),
        "{error}"
    );
    assert!(open(Options::new(&dir, CLUSTER)).expect("still empty").1.snapshot.is_none());
}

#[test]
fn only_a_journal_that_was_closed_is_clean() {
    let temp = tempfile::tempdir().expect("a directory");
    let clean = || open(Options::new(temp.path(), CLUSTER)).map(|(journal, found)| (journal, found.clean));
    let (journal, found) = clean().expect("new");
    assert!(found, "nothing was interrupted");
    journal.append(1, b"one");
    journal.wait_durable(1).expect("healthy");
    let killed = tempfile::tempdir().expect("a directory");
    for file in fs::read_dir(temp.path()).expect("there") {
        let file = file.expect("there");
        fs::copy(file.path(), killed.path().join(file.file_name())).expect("copied");
    }
    journal.close().expect("healthy");
    let (_journal, found) = clean().expect("whole");
    assert!(found, "it was closed");
    let (_journal, found) = open(Options::new(killed.path(), CLUSTER)).expect("whole");
    assert!(!found.clean, "it was killed");
}
