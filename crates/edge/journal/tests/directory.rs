//! The journal on a real directory.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use adsum_journal::{ClusterId, Journal, OpenError, Options, Recovered, lock, open};

fn options(dir: &Path) -> Options {
    Options { segment_bytes: 10_000, ..Options::new(dir, ClusterId([7; 16])) }
}

fn start(dir: &Path) -> (Journal, Recovered) {
    open(options(dir)).expect("a healthy directory")
}

#[track_caller]
fn refusal(options: Options) -> OpenError {
    match open(options) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

fn records(recovered: Recovered) -> Vec<(u64, Vec<u8>)> {
    recovered.records.collect::<Result<_, _>>().expect("whole")
}

#[test]
fn what_is_written_is_there_after_a_restart() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("made/on/demand");
    let (journal, recovered) = start(&dir);
    assert_eq!((recovered.revision, recovered.snapshot.is_none()), (0, true));
    (1..=100).for_each(|revision| journal.append(revision, &[revision as u8; 500]));
    journal.wait_durable(100).expect("healthy");
    let snapshot =
        journal.write_snapshot(60, [vec![1; 300_000], vec![2; 300_000]].into_iter()).expect("healthy");
    assert_eq!(fs::metadata(&snapshot.file).expect("there").len(), snapshot.bytes);
    journal.close().expect("healthy");

    let (journal, mut recovered) = start(&dir);
    let chunks: Vec<_> =
        recovered.snapshot.take().expect("there").map(|chunk| chunk.expect("whole").len()).collect();
    assert_eq!((recovered.revision, recovered.torn.is_none(), chunks), (100, true, vec![300_000; 2]));
    let expected: Vec<_> = (61..=100u64).map(|revision| (revision, vec![revision as u8; 500])).collect();
    assert_eq!(records(recovered), expected);
    journal.append(101, b"and on");
    drop(journal);
    assert_eq!(start(&dir).1.revision, 101);
}

#[test]
fn a_torn_tail_is_cut_and_kept() {
    let temp = tempfile::tempdir().expect("a directory");
    let (journal, _) = start(temp.path());
    journal.append(1, b"whole");
    journal.close().expect("healthy");
    let segment = temp.path().join("journal-0000000000000001.log");
    let mut content = fs::read(&segment).expect("there");
    let end = content.iter().rposition(|byte| *byte != 0).expect("not empty") + 1;
    content[end..end + 5].copy_from_slice(b"trash");
    fs::write(&segment, content).expect("writable");

    let (_journal, recovered) = start(temp.path());
    let torn = recovered.torn.clone().expect("cut");
    assert_eq!((torn.offset, torn.bytes), (end as u64, 5));
    assert_eq!(fs::read(torn.kept_as).expect("kept"), b"trash");
    assert_eq!(fs::metadata(&segment).expect("there").len(), end as u64);
    assert_eq!(records(recovered), vec![(1, b"whole".to_vec())]);
}

#[test]
fn a_second_process_is_refused_with_the_number_of_the_first() {
    let temp = tempfile::tempdir().expect("a directory");
    let (journal, _) = start(temp.path());
    let message = refusal(options(temp.path())).to_string();
    let expected =
        format!("data directory {} is in use by process {}", temp.path().display(), std::process::id());
    assert!(message.starts_with(&expected), "{message}");
    journal.close().expect("healthy");
    start(temp.path());
}

#[test]
fn a_directory_may_be_locked_before_it_is_read() {
    let temp = tempfile::tempdir().expect("a directory");
    let locked = lock(temp.path()).expect("nobody has it");
    assert_eq!(locked.cluster(), None, "there is nothing in it");
    assert!(matches!(refusal(options(temp.path())), OpenError::InUse { .. }));
    let (journal, _) = locked.open(options(temp.path())).expect("a healthy directory");
    assert!(matches!(refusal(options(temp.path())), OpenError::InUse { .. }));
    journal.append(1, b"whole");
    journal.close().expect("healthy");
    let locked = lock(temp.path()).expect("free again");
    assert_eq!(locked.cluster(), Some(ClusterId([7; 16])));
    drop(locked);
    start(temp.path());
}

#[test]
fn a_child_process_does_not_keep_the_directory() {
    let temp = tempfile::tempdir().expect("a directory");
    let (journal, _) = start(temp.path());
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat runs");
    drop(journal);
    start(temp.path());
    child.stdin.take().expect("piped").flush().expect("the child lives still");
    child.wait().expect("it ends with its input");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let temp = tempfile::tempdir().expect("a directory");
    let file = temp.path().join("file");
    fs::write(&file, b"").expect("writable");
    for dir in [file.clone(), file.join("below")] {
        let error = refusal(options(&dir));
        assert!(matches!(error, OpenError::Directory { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("data directory {} cannot be used", dir.display())));
    }
}

#[test]
fn a_newer_format_is_refused() {
    let temp = tempfile::tempdir().expect("a directory");
    start(temp.path()).0.close().expect("healthy");
    let segment = temp.path().join("journal-0000000000000001.log");
    let mut content = fs::read(&segment).expect("there");
    content[8] = 9;
    fs::write(&segment, content).expect("writable");
    let error = refusal(options(temp.path()));
    assert!(matches!(error, OpenError::NewerFormat { found: 9, known: 2, .. }), "{error}");
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("data");
    let (journal, _) = start(&dir);
    journal.append(1, b"secret");
    journal.close().expect("healthy");
    for file in fs::read_dir(&dir).expect("there") {
        let file = file.expect("there");
        let mode = file.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.path().display());
    }
}
