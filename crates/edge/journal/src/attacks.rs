//! Files that were changed behind the journal's back: nothing wrong is ever read, and what was acknowledged is either
//! read or missed aloud.

use proptest::prelude::*;

use crate::{
    faulty::FaultyDisk,
    frame, header,
    name::{self, Name},
    workload::{CLUSTER, append_one_by_one, check, chunks, open, options, read, written},
};

/// The files of the journal, oldest first.
fn files(disk: &FaultyDisk) -> Vec<String> {
    use crate::disk::Disk;
    let mut names = disk.list().expect("alive");
    names.retain(|name| matches!(Name::parse(name), Some(Name::Segment(_) | Name::Snapshot(_))));
    names
}

fn newest(disk: &FaultyDisk) -> String {
    files(disk).into_iter().rfind(|name| name.starts_with("journal")).expect("there is one")
}

/// The same disk with one file changed.
fn changed(disk: &FaultyDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> FaultyDisk {
    let (disk, mut bytes) = (disk.copy(), disk.content(name));
    change(&mut bytes);
    disk.put(name, &bytes);
    disk
}

/// Where the frames of a segment stand.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = header::LENGTH;
    while at + frame::OVERHEAD <= bytes.len() && frame::number(&bytes[at..]) != 0 {
        let end = at + frame::length(&bytes[at..]);
        found.push(at..end);
        at = end;
    }
    found
}

#[track_caller]
fn refused(disk: &FaultyDisk, because: &str) {
    let problem = read(disk).expect_err("to be refused");
    assert!(!problem.contains("WRONG") && problem.contains(because), "{problem}");
}

#[test]
fn a_tail_torn_at_any_byte_costs_only_what_is_torn() {
    let disk = written(6, 4000, false);
    let name = newest(&disk);
    let frames = frames(&disk.content(&name));
    assert_eq!(frames.len(), 6);
    for at in frames[3].start..frames[5].end {
        let whole = frames.iter().filter(|frame| frame.end <= at).count() as u64;
        for zeros in [false, true] {
            let torn =
                changed(&disk, &name, |bytes| if zeros { bytes[at..].fill(0) } else { bytes.truncate(at) });
            assert_eq!(read(&torn), Ok(whole), "cut at {at}");
            assert_eq!(read(&torn), Ok(whole), "cut at {at}, read again");
        }
    }
}

#[test]
fn the_torn_tail_is_kept_aside_and_the_journal_goes_on() {
    let disk = written(6, 4000, false);
    let name = newest(&disk);
    let last = frames(&disk.content(&name))[5].clone();
    let torn = changed(&disk, &name, |bytes| bytes.truncate(last.end - 1));
    let (journal, recovered) = open(&torn, options(4000)).expect("torn only");
    let cut = recovered.torn.clone().expect("something was cut");
    let kept = name::torn(&name, last.start as u64);
    assert_eq!((cut.offset, cut.bytes), (last.start as u64, last.len() as u64 - 1));
    assert_eq!(cut.kept_as.file_name().and_then(|name| name.to_str()), Some(&*kept));
    assert_eq!(torn.content(&kept), &disk.content(&name)[last.start..last.end - 1]);
    assert_eq!(check(recovered), Ok(5));
    append_one_by_one(&journal, 6, 8);
    assert_eq!(read(&torn.copy()), Ok(8));
}

#[test]
fn any_flipped_bit_is_refused_or_costs_the_last_record() {
    let disk = written(5, 600, false);
    assert!(files(&disk).len() > 1, "several segments");
    let (mut refused, mut cut, mut harmless) = (0, 0, 0);
    every_flip(&disk, |problem| match problem {
        Ok(5) => harmless += 1,
        Ok(4) => cut += 1,
        Ok(last) => panic!("{last} records are left"),
        Err(_) => refused += 1,
    });
    assert!(refused > cut && cut > 0 && harmless > 0, "{refused} refused, {cut} cut, {harmless} harmless");
}

#[test]
fn after_a_clean_end_any_flipped_bit_is_refused_or_harmless() {
    every_flip(&written(5, 600, true), |read| assert!(matches!(read, Ok(5) | Err(_)), "{read:?}"));
}

#[test]
fn any_flipped_bit_in_a_snapshot_is_refused() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(4000)).expect("new");
    append_one_by_one(&journal, 1, 3);
    let snapshot = journal.write_snapshot(3, chunks(3)).expect("healthy");
    drop(journal);
    let name = snapshot.file.file_name().and_then(|name| name.to_str()).expect("ours").to_owned();
    for bit in 0..disk.content(&name).len() * 8 {
        let flipped = changed(&disk, &name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let problem = read(&flipped).expect_err("to be refused");
        assert!(!problem.contains("WRONG"), "bit {bit}: {problem}");
    }
    for length in 0..disk.content(&name).len() {
        assert!(read(&changed(&disk, &name, |bytes| bytes.truncate(length))).is_err(), "{length} bytes");
    }
}

/// Flips every bit of every segment, one at a time.
fn every_flip(disk: &FaultyDisk, mut found: impl FnMut(Result<u64, String>)) {
    for name in files(disk) {
        for bit in 0..disk.content(&name).len() * 8 {
            let read = read(&changed(disk, &name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)));
            assert!(
                !matches!(&read, Err(problem) if problem.contains("WRONG")),
                "{name} bit {bit}: {read:?}"
            );
            found(read);
        }
    }
}

#[test]
fn damage_in_the_middle_names_file_offset_and_last_good_revision() {
    let disk = written(6, 4000, false);
    let name = newest(&disk);
    let third = frames(&disk.content(&name))[2].clone();
    let damaged = changed(&disk, &name, |bytes| bytes[third.end - 1] ^= 1);
    refused(&damaged, &format!("faulty/{name} is damaged at byte {}: expected frame checksum", third.start));
    refused(&damaged, "the last good revision before it is 2");
}

#[test]
fn swapped_repeated_and_missing_records_are_refused() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(4000)).expect("new");
    for revision in 1..=6 {
        journal.append(revision, b"all of one length");
        journal.wait_durable(revision).expect("healthy");
    }
    let disk = disk.copy();
    let name = newest(&disk);
    let frames = frames(&disk.content(&name));
    let (second, third) = (frames[1].clone(), frames[2].clone());
    let swapped = changed(&disk, &name, |bytes| {
        let kept = bytes[second.clone()].to_vec();
        bytes.copy_within(third.clone(), second.start);
        bytes[third.clone()].copy_from_slice(&kept);
    });
    let repeated = changed(&disk, &name, |bytes| bytes.copy_within(second.clone(), third.start));
    let missing = changed(&disk, &name, |bytes| drop(bytes.drain(second.clone())));
    let zeroed = changed(&disk, &name, |bytes| bytes[second.clone()].fill(0));
    for (disk, offset) in
        [(swapped, second.start), (repeated, third.start), (missing, second.start), (zeroed, second.start)]
    {
        refused(&disk, &format!("is damaged at byte {offset}"));
    }
}

#[test]
fn a_segment_in_the_place_of_another_is_refused() {
    let disk = written(12, 900, false);
    let names = files(&disk);
    assert!(names.len() >= 3);
    let (old, new) = (&names[0], &names[names.len() - 1]);
    refused(&changed(&disk, new, |bytes| *bytes = disk.content(old)), "expected first revision");
    refused(&changed(&disk, old, |bytes| *bytes = disk.content(new)), "expected first revision");
}

#[test]
fn an_older_state_of_a_segment_is_refused_when_another_follows_it() {
    let disk = written(12, 900, false);
    let first = &files(&disk)[0];
    let last = frames(&disk.content(first)).pop().expect("there are some");
    refused(
        &changed(&disk, first, |bytes| bytes[last.start..].fill(0)),
        "expected a segment that follows checksum",
    );
}

#[test]
fn a_missing_segment_or_snapshot_is_refused() {
    use crate::disk::Disk;
    let without = |disk: &FaultyDisk, name: &str| {
        let disk = disk.copy();
        disk.remove(name).expect("alive");
        disk
    };
    let disk = written(12, 900, true);
    let names = files(&disk);
    refused(&without(&disk, &names[0]), "lacks the snapshot that");
    refused(&without(&disk, &names[1]), "expected segment number 2");

    let (journal, _) = open(&disk, options(900)).expect("whole");
    journal.write_snapshot(12, chunks(12)).expect("healthy");
    append_one_by_one(&journal, 13, 20);
    drop(journal);
    let names = files(&disk);
    assert_eq!(read(&disk), Ok(20));
    assert_eq!(names.last(), Some(&name::snapshot(12)));
    refused(&without(&disk, &name::snapshot(12)), "lacks the snapshot");
    assert_eq!(read(&without(&disk, &names[0])), Ok(20), "all in the snapshot");
    let gap = without(&disk, &name::segment(13));
    refused(&gap, "expected segment number");
    refused(&without(&gap, &names[0]), "lacks the segments between revision 12 and");
}

#[test]
fn a_restored_state_begins_with_a_snapshot_above_all_records() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(4000)).expect("new");
    journal.write_snapshot(9, chunks(9)).expect("healthy");
    assert_eq!(journal.durable(), 9);
    append_one_by_one(&journal, 10, 12);
    let killed = disk.copy();
    assert_eq!(read(&killed), Ok(12));
    use crate::disk::Disk;
    killed.remove(&name::snapshot(9)).expect("alive");
    refused(&killed, "lacks the snapshot of revision 9");
}

#[test]
fn covered_segments_and_old_snapshots_go_and_nothing_else() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(900)).expect("new");
    disk.put("notes.txt", b"not ours");
    append_one_by_one(&journal, 1, 20);
    let before = (files(&disk).len(), journal.segment_bytes_since_snapshot());
    journal.write_snapshot(8, chunks(8)).expect("healthy");
    journal.write_snapshot(15, chunks(15)).expect("healthy");
    assert_eq!(journal.write_snapshot(4, chunks(4)).expect("covered already").revision, 15);
    assert_eq!(journal.segment_bytes_since_snapshot(), 0);
    assert!(files(&disk).len() < before.0 && before.1 > 0);
    assert!(!files(&disk).contains(&name::snapshot(8)));
    assert_eq!(disk.content("notes.txt"), b"not ours");
    assert_eq!(read(&disk.copy()), Ok(20));
}

#[test]
fn a_newer_format_is_refused_naming_both() {
    let disk = written(3, 4000, true);
    let newer = changed(&disk, &newest(&disk), |bytes| bytes[8] = 3);
    refused(&newer, "has format 3, this version reads up to format 2");
}

#[test]
fn a_file_of_another_cluster_is_refused() {
    let disk = written(12, 900, true);
    let names = files(&disk);
    let mut stranger = header::Header::decode(
        &disk.content(&names[1])[..header::LENGTH],
        header::Kind::Segment,
        names[1].as_ref(),
    )
    .expect("whole");
    stranger.cluster = crate::ClusterId([7; 16]);
    let foreign =
        changed(&disk, &names[1], |bytes| bytes[..header::LENGTH].copy_from_slice(&stranger.encode()));
    refused(&foreign, "belongs to cluster 07070707070707070707070707070707");
}

#[test]
fn a_directory_keeps_its_cluster() {
    let disk = written(1, 4000, true);
    let other = crate::Options { cluster: crate::ClusterId([7; 16]), ..options(4000) };
    let (journal, recovered) = open(&disk, other).expect("whole");
    assert_eq!((recovered.cluster, journal.cluster()), (CLUSTER, CLUSTER));
}

#[test]
fn a_copy_of_a_journal_in_a_torn_record_is_not_taken_for_records() {
    let inner = FaultyDisk::default();
    let other = crate::Options { cluster: crate::ClusterId([7; 16]), ..options(4000) };
    let (journal, _) = open(&inner, other).expect("new");
    append_one_by_one(&journal, 1, 6);
    drop(journal);

    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(8000)).expect("new");
    append_one_by_one(&journal, 1, 2);
    journal.append(3, &inner.content(&newest(&inner)));
    journal.wait_durable(3).expect("healthy");
    let disk = disk.copy();
    let name = newest(&disk);
    let third = frames(&disk.content(&name))[2].clone();
    assert_eq!(read(&changed(&disk, &name, |bytes| bytes[third.start] ^= 1)), Ok(2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn overwritten_bytes_are_never_read_as_records(
        records in 1u64..10,
        at in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let disk = written(records, 1500, false);
        let name = newest(&disk);
        let end = frames(&disk.content(&name)).last().map_or(header::LENGTH, |frame| frame.end);
        let first = frames(&disk.content(&name)).first().map_or(1, |frame| frame::number(&disk.content(&name)[frame.start..]));
        let damaged = changed(&disk, &name, |bytes| {
            let at = at.index(end);
            bytes.resize(bytes.len().max(at + garbage.len()), 0);
            bytes[at..at + garbage.len()].copy_from_slice(&garbage);
        });
        match read(&damaged) {
            Ok(last) => prop_assert!((first - 1..=records).contains(&last)),
            Err(problem) => prop_assert!(!problem.contains("WRONG"), "{problem}"),
        }
    }

    #[test]
    fn any_bytes_as_a_segment_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let disk = FaultyDisk::default();
        disk.put(&name::segment(1), &bytes);
        prop_assert!(read(&disk).is_err());
    }

    #[test]
    fn payloads_of_any_length_are_recovered(lengths in prop::collection::vec(0usize..3000, 1..10)) {
        let disk = FaultyDisk::default();
        let (journal, _) = open(&disk, options(2000)).expect("new");
        for (revision, length) in (1..).zip(&lengths) {
            journal.append_with(revision, |buffer| buffer.resize(buffer.len() + length, 0xa5));
        }
        journal.close().expect("healthy");
        let (_journal, recovered) = open(&disk, options(2000)).expect("whole");
        let found: Vec<usize> = recovered.records.map(|record| record.expect("whole").1.len()).collect();
        prop_assert_eq!(found, lengths);
    }
}
