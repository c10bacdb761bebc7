//! A disk that runs full: nothing fails, what was acknowledged stays, what was not waits, and it goes on by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use crate::{
    Durability, FailureKind, Journal, Options,
    disk::Disk,
    faulty::{Faults, FaultyDisk},
    reserve,
    workload::{Witness, append_one_by_one, check, chunks, open, options, payload, read},
};

const SOON: Duration = Duration::from_secs(10);

/// How the disks are: with blocks reserved ahead, and with none.
const WAYS: [bool; 2] = [false, true];

fn disk(capacity: usize, cannot_preallocate: bool) -> FaultyDisk {
    FaultyDisk::with(Faults { capacity: Some(capacity), cannot_preallocate, ..Faults::default() })
}

/// What a journal says of its room, and what it acknowledges.
struct Told {
    witness: Witness,
    space: mpsc::Receiver<bool>,
}

fn listening(segment_bytes: u64, reserve_bytes: u64) -> (Options, Told) {
    let (tell, space) = mpsc::channel();
    let witness = Witness::default();
    let on_space = Box::new(move |room| tell.send(room).expect("the test listens"));
    (Options { on_space, reserve_bytes, ..witness.options(segment_bytes) }, Told { witness, space })
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < SOON, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Appends one by one until the journal says that it is full. Returns the last revision, which is durable.
fn fill(journal: &Journal, first: u64) -> u64 {
    (first..)
        .find(|revision| {
            append_one_by_one(journal, *revision, *revision);
            journal.is_full()
        })
        .expect("the disk runs full")
}

/// Appends until something waits for room. Returns the last revision.
fn overfill(journal: &Journal, first: u64) -> u64 {
    (first..)
        .find(|revision| {
            journal.append(*revision, &payload(*revision));
            // Whatever finds its room does within this time: nothing is slow here.
            let begin = Instant::now();
            while journal.durable() < *revision && begin.elapsed() < Duration::from_millis(100) {
                std::thread::yield_now();
            }
            journal.durable() < *revision
        })
        .expect("the reserve is used up")
}

fn room_for(disk: &FaultyDisk, capacity: Option<usize>, cannot_preallocate: bool) {
    disk.set(Faults { capacity, cannot_preallocate, ..Faults::default() });
}

#[test]
fn a_full_disk_gives_its_reserve_and_goes_on_when_there_is_room() {
    for way in WAYS {
        let disk = disk(20_000, way);
        let (options, told) = listening(4000, 4000);
        let (journal, _) = open(&disk, options).expect("new");
        assert!(!journal.is_full() && disk.exists(reserve::NAME));

        let last = fill(&journal, 1);
        assert_eq!(told.space.recv_timeout(SOON), Ok(false));
        assert!(!disk.exists(reserve::NAME), "the reserve is given free");
        append_one_by_one(&journal, last + 1, last + 2);
        assert_eq!((journal.durable(), journal.failed().map(|error| error.kind())), (last + 2, None));

        room_for(&disk, Some(40_000), way);
        assert_eq!(told.space.recv_timeout(SOON), Ok(true));
        assert!(!journal.is_full() && disk.exists(reserve::NAME));
        append_one_by_one(&journal, last + 3, last + 5);
        journal.close().expect("healthy");
        assert_eq!((read(&disk), told.witness.failures()), (Ok(last + 5), 0));
        assert!(told.space.try_recv().is_err(), "told once each way");
    }
}

#[test]
fn records_that_find_no_room_at_all_wait_and_lose_nothing() {
    for way in WAYS {
        let disk = disk(20_000, way);
        let (options, told) = listening(4000, 2000);
        let (journal, _) = open(&disk, options).expect("new");
        let first = fill(&journal, 1) + 1;
        let last = overfill(&journal, first);
        assert!(journal.pending_bytes() > 0 && journal.is_full());
        assert_eq!((journal.durable(), told.witness.acknowledged()), (last - 1, last - 1));
        (last + 1..=last + 9).for_each(|revision| journal.append(revision, &payload(revision)));
        assert_eq!(read(&disk.after_kill()), Ok(last - 1), "no part of a record is left");

        room_for(&disk, None, way);
        journal.look_for_room();
        journal.wait_durable(last + 9).expect("there is room");
        until("it is not full", || !journal.is_full());
        assert_eq!((journal.pending_bytes(), told.witness.failures()), (0, 0));
        drop(journal);
        assert_eq!(read(&disk), Ok(last + 9));
    }
}

/// The positive control: without a reserve there is nothing to pay a release from.
#[test]
fn without_a_reserve_a_full_disk_takes_nothing_more() {
    let with = |reserve_bytes| {
        let disk = disk(20_000, true);
        let (journal, _) = open(&disk, Options { reserve_bytes, ..options(4000) }).expect("new");
        let last = (1..)
            .find(|revision| {
                journal.append(*revision, &payload(*revision));
                until("it is written, or there is no room", || {
                    journal.durable() == *revision || journal.is_full()
                });
                journal.is_full()
            })
            .expect("the disk runs full");
        let taken = overfill(&journal, last + 1) - last;
        room_for(&disk, None, true);
        taken
    };
    assert!(with(0) == 1, "the first one waits");
    assert!(with(4000) > 3, "several are taken");
}

#[test]
fn room_that_a_snapshot_makes_ends_a_full_disk() {
    let disk = disk(20_000, false);
    let (options, told) = listening(5000, 6000);
    let (journal, _) = open(&disk, options).expect("new");
    let last = fill(&journal, 1);
    // A snapshot of revision 1 is small, and covers nothing; so the old segments go by a state that has become small.
    journal.write_snapshot(last, [b"small".to_vec()].into_iter()).expect("paid from the reserve");
    assert_eq!([told.space.recv_timeout(SOON), told.space.recv_timeout(SOON)], [Ok(false), Ok(true)]);
    append_one_by_one(&journal, last + 1, last + 2);
    journal.close().expect("healthy");
}

/// Or it would be full and not full in turn, with every few records.
#[test]
fn a_disk_with_room_for_little_more_than_the_reserve_stays_full() {
    let disk = disk(900_000, false);
    let (options, told) = listening(400_000, 300_000);
    let (journal, _) = open(&disk, options).expect("new");
    let last = fill(&journal, 1);
    assert_eq!(told.space.recv_timeout(SOON), Ok(false));
    for revision in (last + 1..=last + 8).step_by(2) {
        journal.look_for_room();
        // When the second one is durable, the round that has looked is over.
        append_one_by_one(&journal, revision, revision + 1);
        assert!(journal.is_full(), "revision {revision}");
    }
    assert!(told.space.try_recv().is_err());
}

#[test]
fn a_snapshot_that_finds_no_room_leaves_nothing_behind() {
    let disk = disk(20_000, false);
    let (journal, _) = open(&disk, Options { reserve_bytes: 2000, ..options(4000) }).expect("new");
    let last = fill(&journal, 1);
    assert!(chunks(last).map(|chunk| chunk.len()).sum::<usize>() > 10_000);
    let error = journal.write_snapshot(last, chunks(last)).expect_err("it is as large as the journal");
    assert!(error.to_string().starts_with("writing faulty/snapshot-"), "{error}");
    assert!(disk.list().expect("alive").iter().all(|name| !name.starts_with("snapshot-")));
    assert!(journal.failed().is_none());
}

#[test]
fn a_journal_that_is_closed_on_a_full_disk_says_what_was_never_acknowledged() {
    for way in WAYS {
        let disk = disk(20_000, way);
        let (journal, _) = open(&disk, Options { reserve_bytes: 2000, ..options(4000) }).expect("new");
        let first = fill(&journal, 1) + 1;
        let last = overfill(&journal, first);
        journal.append(last + 1, &payload(last + 1));
        let error = journal.close().expect_err("there is no room");
        assert_eq!(error.kind(), FailureKind::DiskFull);
        assert!(error.message().contains("found no room in faulty/journal-"), "{error}");
        assert_eq!(read(&disk), Ok(last - 1));
    }
}

#[test]
fn a_journal_opens_on_a_full_disk_and_says_so() {
    let disk = disk(20_000, false);
    let (journal, _) = open(&disk, Options { reserve_bytes: 3000, ..options(4000) }).expect("new");
    let last = fill(&journal, 1);
    let killed = disk.copy();
    drop(journal);

    let (options, told) = listening(4000, 3000);
    let (journal, recovered) = open(&killed, options).expect("whole");
    assert_eq!(check(recovered), Ok(last));
    assert!(journal.is_full());
    assert_eq!(told.space.recv_timeout(SOON), Ok(false));
    append_one_by_one(&journal, last + 1, last + 1);
    room_for(&killed, None, false);
    assert_eq!(told.space.recv_timeout(SOON), Ok(true));
}

#[test]
fn a_recovery_may_use_the_reserve_that_was_left() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, Options { reserve_bytes: 3000, ..options(1 << 20) }).expect("new");
    append_one_by_one(&journal, 1, 20);
    let killed = disk.copy();
    let name = "journal-0000000000000001.log";
    let mut content = killed.content(name);
    let end = content.iter().rposition(|byte| *byte != 0).expect("not empty");
    content.truncate(end);
    killed.put(name, &content);
    let fill_up = |disk: &FaultyDisk| {
        let used = disk.list().expect("alive").iter().map(|name| disk.content(name).len()).sum();
        disk.set(Faults { capacity: Some(used), ..Faults::default() });
    };
    let without = killed.copy();
    without.remove(reserve::NAME).expect("alive");
    fill_up(&without);
    let error = read(&without).expect_err("the torn tail cannot be kept");
    assert!(error.starts_with("writing faulty/journal-"), "{error}");

    fill_up(&killed);
    let (_journal, recovered) =
        open(&killed, Options { reserve_bytes: 3000, ..options(1 << 20) }).expect("torn only");
    assert!(recovered.torn.is_some());
    assert_eq!(check(recovered), Ok(19));
}

#[test]
fn a_sync_that_finds_no_room_is_the_end() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(1 << 20)).expect("new");
    append_one_by_one(&journal, 1, 3);
    disk.set(Faults { failing_sync: Some(disk.syncs() + 1), full_sync: true, ..Faults::default() });
    journal.append(4, &payload(4));
    assert_eq!(journal.wait_durable(4).expect_err("refused").kind(), FailureKind::DiskFull);
    assert!(!journal.is_full() && journal.failed().is_some());
}

/// A life on a disk that is full and has room again, in turn. Returns how far it came and how often it was full.
fn live(disk: &FaultyDisk, witness: &Witness, durability: Durability) -> (u64, u64) {
    let full = Arc::new(AtomicU64::new(0));
    let (counted, watched) = (full.clone(), disk.clone());
    let on_space = Box::new(move |room: bool| {
        counted.fetch_add(u64::from(!room), Ordering::SeqCst);
        if !room {
            // Somebody cleans up at once.
            watched.grow(3000);
        }
    });
    let options = Options { on_space, durability, reserve_bytes: 1500, ..witness.options(2500) };
    let Ok((journal, _)) = open(disk, options) else { return (0, 0) };
    for revision in 1..=60 {
        journal.append(revision, &payload(revision));
        if revision % 5 == 0 {
            journal.look_for_room();
            if durability == Durability::Always && journal.wait_durable(revision).is_err() {
                break;
            }
        }
    }
    let _ = journal.close();
    (witness.acknowledged(), full.load(Ordering::SeqCst))
}

#[test]
fn a_power_cut_at_any_step_of_running_full_loses_nothing_acknowledged() {
    for (durability, way) in [
        (Durability::Always, false),
        (Durability::Always, true),
        (Durability::EverySecond, false),
        (Durability::EverySecond, true),
    ] {
        let faults = |cut_at| Faults { cut_at, ..disk(6000, way).faults() };
        let (last, full) = live(&FaultyDisk::with(faults(None)), &Witness::default(), durability);
        // With everysec nobody waits for room, so that the last records may find none.
        let enough = if durability == Durability::Always { last == 60 && full > 2 } else { full > 0 };
        assert!(enough, "came to {last}, was full {full} times");
        for cut_at in 1.. {
            let disk = FaultyDisk::with(faults(Some(cut_at)));
            let witness = Witness::default();
            live(&disk, &witness, durability);
            if !disk.is_dead() {
                assert!(cut_at > 20, "only {cut_at} steps");
                break;
            }
            for seed in 0..4 {
                let found = read(&disk.after_power_cut(cut_at * 4 + seed));
                let kept = found.as_ref().is_ok_and(|last| *last >= witness.acknowledged());
                assert!(kept, "{durability:?}, cut at {cut_at}, seed {seed}: {found:?}");
            }
        }
    }
}
