//! Data directories of other versions: older ones are read, newer ones refused.
//!
//! `tests/formats/N` holds what a version with format N has left, a snapshot and segments. It is never changed: when the
//! format grows, the next number is added beside it by running the last test here with `ADSUM_WRITE_FORMAT` set.

use std::{fs, path::Path};

use adsum_journal::{ClusterId, OpenError, Options, SnapshotSummary, inspect_snapshot, open};

/// The newest format.
const FORMAT: u32 = 2;

const CLUSTER: ClusterId = ClusterId(*b"of every version");

fn options(dir: &Path) -> Options {
    Options { segment_bytes: 300, reserve_bytes: 0, ..Options::new(dir, CLUSTER) }
}

fn payload(revision: u64) -> Vec<u8> {
    format!("record {revision}").into_bytes().repeat(3)
}

fn chunks() -> Vec<Vec<u8>> {
    vec![b"the state of".to_vec(), Vec::new(), b"revision 9".to_vec()]
}

fn kept(format: u32) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(format.to_string())
}

/// A copy, since opening a directory writes to it.
fn copy(format: u32) -> tempfile::TempDir {
    let temp = tempfile::tempdir().expect("a directory");
    for file in fs::read_dir(kept(format)).expect("committed") {
        let file = file.expect("there");
        fs::copy(file.path(), temp.path().join(file.file_name())).expect("copied");
    }
    temp
}

fn write(dir: &Path) {
    let (journal, _) = open(options(dir)).expect("new");
    for revision in 1..=15 {
        journal.append(revision, &payload(revision));
        journal.wait_durable(revision).expect("healthy");
        if revision == 9 {
            journal.write_snapshot(9, chunks().into_iter()).expect("healthy");
        }
    }
    journal.close().expect("healthy");
    fs::remove_file(dir.join("LOCK")).expect("it is free");
}

fn files(dir: &Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(dir).expect("there").map(|file| file.expect("there").path());
    let ours = |path: &std::path::PathBuf| {
        path.file_name().unwrap_or_default().to_string_lossy().starts_with(prefix)
    };
    all.filter(ours).collect()
}

/// Without the zeros at the end, which depend on what the filesystem can reserve.
fn content(file: &Path) -> Vec<u8> {
    let mut content = fs::read(file).expect("there");
    content.truncate(content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    content
}

#[test]
fn every_format_that_ever_was_is_read() {
    for format in 1..=FORMAT {
        let temp = copy(format);
        assert!(files(temp.path(), "journal-").len() > 1, "several segments");
        let summary = inspect_snapshot(&files(temp.path(), "snapshot-")[0]).expect("whole");
        let SnapshotSummary { bytes, .. } = summary;
        assert_eq!(summary, SnapshotSummary { format, cluster: CLUSTER, revision: 9, bytes, chunks: 3 });

        let (journal, mut recovered) = open(options(temp.path())).expect("whole");
        assert_eq!((recovered.revision, recovered.cluster, recovered.clean), (15, CLUSTER, true));
        let state = recovered.snapshot.take().expect("there");
        let found: Vec<_> = state.map(|chunk| chunk.expect("whole")).collect();
        assert_eq!(found, chunks());
        let found: Vec<_> = recovered.records.map(|record| record.expect("whole")).collect();
        assert_eq!(found, (10..=15).map(|revision| (revision, payload(revision))).collect::<Vec<_>>());

        journal.append(16, &payload(16));
        journal.close().expect("healthy");
        assert_eq!(open(options(temp.path())).expect("whole").1.revision, 16);
    }
}

/// Whoever starts an older version on a newer directory is told what to do, and nothing is changed.
#[test]
fn a_newer_format_is_refused_naming_file_found_and_known() {
    for prefix in ["journal-", "snapshot-"] {
        let temp = copy(FORMAT);
        for newer in files(temp.path(), prefix) {
            let mut content = fs::read(&newer).expect("there");
            content[8..12].copy_from_slice(&(FORMAT + 1).to_le_bytes());
            fs::write(&newer, &content).expect("writable");
        }
        let Err(error) = open(options(temp.path())) else { panic!("{prefix} of a newer format was read") };
        let OpenError::NewerFormat { file, found, known } = &error else { panic!("{error}") };
        assert!(file.file_name().unwrap_or_default().to_string_lossy().starts_with(prefix), "{error}");
        assert_eq!((*found, *known), (FORMAT + 1, FORMAT));
        assert_eq!(
            error.to_string(),
            format!(
                "{} has format {found}, this version reads up to format {known}: start the version that wrote it, or a \
                 newer one",
                file.display()
            )
        );
    }
    let temp = copy(FORMAT);
    let snapshot = &files(temp.path(), "snapshot-")[0];
    let mut content = fs::read(snapshot).expect("there");
    content[8] += 1;
    fs::write(snapshot, content).expect("writable");
    assert!(matches!(inspect_snapshot(snapshot), Err(OpenError::NewerFormat { .. })));
}

/// What is kept is what this version writes, so that the format cannot change under its number.
#[test]
fn the_newest_format_is_written_as_it_is_kept() {
    let temp = tempfile::tempdir().expect("a directory");
    write(temp.path());
    if std::env::var_os("ADSUM_WRITE_FORMAT").is_some() {
        fs::create_dir_all(kept(FORMAT)).expect("writable");
        for file in files(temp.path(), "") {
            fs::copy(&file, kept(FORMAT).join(file.file_name().expect("it has one"))).expect("writable");
        }
    }
    for file in files(temp.path(), "") {
        let kept = kept(FORMAT).join(file.file_name().expect("it has one"));
        let (written, kept) = (content(&file), content(&kept));
        assert!(written == kept, "{} is written otherwise: give the format a new number", file.display());
    }
    assert_eq!(files(temp.path(), "").len(), files(&kept(FORMAT), "").len());
}
