//! Power cuts, refused syncs and full disks, at every step of a life with segments, snapshots and restarts.

use std::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use proptest::prelude::*;

use crate::{
    Durability, FailureKind, Options, WriteError,
    faulty::{Faults, FaultyDisk},
    workload::{Witness, append_one_by_one, check, chunks, open, options, payload, read},
};

/// Small enough for several segments in a life.
const SEGMENT: u64 = 2500;

/// Two sessions with groups of records, new segments and snapshots. Stops at the first thing that goes wrong.
fn live(disk: &FaultyDisk, witness: &Witness, durability: Durability) -> Result<(), String> {
    for (first, last) in [(1, 14), (15, 24)] {
        let (journal, recovered) = open(disk, Options { durability, ..witness.options(SEGMENT) })?;
        assert_eq!(check(recovered)?, first - 1);
        for revision in first..=last {
            journal.append(revision, &payload(revision));
            if durability == Durability::EverySecond {
                // Nor a snapshot: it waits for the second to pass.
                continue;
            }
            if revision % 3 == 0 {
                journal.wait_durable(revision).map_err(|error| error.to_string())?;
            }
            if revision % 8 == 0 {
                journal
                    .write_snapshot(revision - 1, chunks(revision - 1))
                    .map_err(|error| error.to_string())?;
            }
        }
        journal.close().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Cuts the power at every operation of a life, several ways each. Returns how often it was cut, and what went wrong.
fn cut_everywhere(durability: Durability, ignores_syncs: bool) -> (u64, Vec<String>) {
    let mut wrong = Vec::new();
    for cut_at in 1.. {
        let disk = FaultyDisk::with(Faults { cut_at: Some(cut_at), ignores_syncs, ..Faults::default() });
        let witness = Witness::default();
        let lived = live(&disk, &witness, durability);
        if !disk.is_dead() {
            lived.expect("a life without a power cut");
            return (cut_at - 1, wrong);
        }
        for seed in 0..8 {
            let left = disk.after_power_cut(cut_at * 8 + seed);
            let acknowledged = witness.acknowledged();
            if let Err(problem) = survives(&left, acknowledged) {
                wrong.push(format!("cut at {cut_at}, seed {seed}, acknowledged {acknowledged}: {problem}"));
            }
        }
    }
    unreachable!("a life ends")
}

/// Whether everything acknowledged is there, and the journal can go on.
fn survives(disk: &FaultyDisk, acknowledged: u64) -> Result<(), String> {
    let (journal, recovered) = open(disk, options(SEGMENT))?;
    let last = check(recovered)?;
    if last < acknowledged {
        return Err(format!("LOST: revision {last} is the last"));
    }
    append_one_by_one(&journal, last + 1, last + 2);
    journal.write_snapshot(last + 1, chunks(last + 1)).map_err(|error| error.to_string())?;
    let killed = disk.copy();
    match read(&killed)? {
        found if found == last + 2 => Ok(()),
        found => Err(format!("LOST after going on: {found} of {}", last + 2)),
    }
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    let (cuts, wrong) = cut_everywhere(Durability::Always, false);
    assert!(cuts > 60, "only {cuts} steps");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_that_every_second_has_acknowledged() {
    let (cuts, wrong) = cut_everywhere(Durability::EverySecond, false);
    assert!(cuts > 20, "only {cuts} steps");
    assert_eq!(wrong, Vec::<String>::new());
}

/// The positive control: the same cuts find the loss on a disk where syncs do nothing.
#[test]
fn power_cuts_without_syncs_lose_data() {
    let (cuts, wrong) = cut_everywhere(Durability::Always, true);
    let lost = wrong.iter().filter(|problem| problem.contains("LOST")).count() as u64;
    assert!(lost > cuts, "only {lost} losses in {cuts} cuts: {wrong:#?}");
}

#[test]
fn what_a_restart_has_found_survives_a_power_cut_right_after_it() {
    for durability in [Durability::Always, Durability::EverySecond] {
        for kill_at in 1.. {
            let disk = FaultyDisk::with(Faults { cut_at: Some(kill_at), ..Faults::default() });
            let lived = live(&disk, &Witness::default(), durability);
            if !disk.is_dead() {
                lived.expect("a life without an end");
                break;
            }
            let left = disk.after_kill();
            let found = read(&left).unwrap_or_else(|problem| panic!("killed at {kill_at}: {problem}"));
            for seed in 0..2 {
                let kept = read(&left.after_power_cut(seed));
                assert_eq!(kept, Ok(found), "{durability:?}, killed at {kill_at}, seed {seed}");
                let kept = read(&go_on(&disk.after_kill(), found).after_power_cut(seed));
                assert_eq!(kept, Ok(found + 1), "{durability:?}, killed at {kill_at}, gone on, seed {seed}");
            }
        }
    }
}

/// Opens the disk and appends one record, in the segment that is there. Returns the disk as it is then.
fn go_on(disk: &FaultyDisk, last: u64) -> FaultyDisk {
    let (journal, recovered) = open(disk, options(1 << 20)).expect("a process was killed, nothing else");
    assert_eq!(check(recovered), Ok(last));
    append_one_by_one(&journal, last + 1, last + 1);
    disk.copy()
}

#[test]
fn after_a_refused_sync_nothing_more_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let mut failing = 1;
    loop {
        let disk = FaultyDisk::with(Faults { failing_sync: Some(failing), ..Faults::default() });
        let witness = Witness::default();
        let lived = live(&disk, &witness, Durability::Always);
        if disk.syncs() < failing {
            break;
        }
        // One that fails while the directory is opened or a snapshot written does not taint the journal.
        assert!(lived.is_err(), "sync {failing} was refused and nobody noticed");
        assert!(witness.failures() <= 1);
        for seed in 0..8 {
            survives(&disk.after_power_cut(seed), witness.acknowledged())
                .unwrap_or_else(|problem| panic!("sync {failing}, seed {seed}: {problem}"));
        }
        failing += 1;
    }
    assert!(failing > 15, "only {failing} syncs");
}

#[test]
fn a_failed_journal_says_so_once_and_for_good() {
    let disk = FaultyDisk::default();
    let witness = Witness::default();
    let (journal, _) = open(&disk, witness.options(SEGMENT)).expect("new");
    append_one_by_one(&journal, 1, 3);
    let syncs = disk.syncs();
    disk.set(Faults { failing_sync: Some(syncs + 1), ..Faults::default() });

    journal.append(4, &payload(4));
    let error = journal.wait_durable(4).expect_err("the sync was refused");
    assert_eq!(error.kind(), FailureKind::Sync);
    assert!(error.to_string().starts_with("syncing faulty/journal-0000000000000001.log failed"), "{error}");
    journal.append(5, &payload(5));
    assert!(journal.wait_durable(5).is_err());
    assert_eq!((journal.durable(), witness.acknowledged()), (3, 3));
    assert_eq!(journal.failed().map(|error| error.kind()), Some(FailureKind::Sync));
    assert!(matches!(journal.write_snapshot(3, chunks(3)), Err(WriteError::Failed(_))));
    assert!(journal.close().is_err());
    assert_eq!(witness.failures(), 1);
    assert_eq!(disk.syncs(), syncs + 1, "a refused sync is not repeated");
}

#[test]
fn many_appends_share_few_syncs() {
    let disk = FaultyDisk::default();
    let (go_on, wait) = mpsc::channel::<()>();
    let (tell, committed) = mpsc::channel();
    let wait = Mutex::new(wait);
    let on_durable = Box::new(move |revision| {
        tell.send(revision).expect("the test listens");
        // The first commit waits until the others are queued, as on a slow disk; later ones find the channel closed.
        let _ = wait.lock().expect("not poisoned").recv();
    });
    let (journal, _) = open(&disk, Options { on_durable, ..options(64 << 20) }).expect("new");

    journal.append(1, &payload(1));
    assert_eq!(committed.recv(), Ok(1));
    let before = disk.syncs();
    (2..=1000).for_each(|revision| journal.append(revision, &payload(revision)));
    assert!(journal.pending_bytes() > 100_000);
    drop(go_on);
    journal.wait_durable(1000).expect("healthy");
    assert_eq!(disk.syncs(), before + 1);
    assert_eq!(committed.recv(), Ok(1000));
}

#[test]
fn every_second_writes_soon_and_syncs_seldom() {
    let disk = FaultyDisk::default();
    let options = Options { durability: Durability::EverySecond, ..options(64 << 20) };
    let (begin, before) = (Instant::now(), disk.syncs());
    let (journal, _) = open(&disk, options).expect("new");
    for revision in 1..=200 {
        journal.append(revision, &payload(revision));
        while journal.pending_bytes() > 0 {
            std::thread::yield_now();
        }
    }
    let killed = disk.copy();
    let syncs = disk.syncs() - before;
    assert!(syncs <= 2 + begin.elapsed().as_secs(), "{syncs} syncs");
    assert_eq!(read(&killed), Ok(200), "written, so a killed process loses nothing");
    journal.wait_durable(200).expect("within a second");
    assert_eq!(read(&disk.after_power_cut(7)), Ok(200));
}

#[test]
fn a_snapshot_that_does_not_read_back_is_refused_and_the_old_one_kept() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(SEGMENT)).expect("new");
    append_one_by_one(&journal, 1, 20);
    journal.write_snapshot(10, chunks(10)).expect("healthy");
    disk.set(Faults { rotten: Some(("snapshot-".to_owned(), 200)), ..Faults::default() });
    let refused = journal.write_snapshot(20, chunks(20));
    assert!(matches!(refused, Err(WriteError::Unverified(_))), "{refused:?}");
    disk.set(Faults::default());
    assert_eq!(journal.snapshot().map(|snapshot| snapshot.revision), Some(10));
    assert_eq!(read(&disk.copy()), Ok(20));
}

#[test]
fn what_is_appended_after_the_end_goes_nowhere() {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(SEGMENT)).expect("new");
    journal.append(1, &payload(1));
    journal.end().expect("healthy");
    journal.append(2, &payload(2));
    assert_eq!(journal.wait_durable(1).map_err(|error| error.kind()), Ok(()));
    assert_eq!(journal.wait_durable(2).map_err(|error| error.kind()), Err(FailureKind::Closed));
    journal.end().expect("it did nothing");
    drop(journal);
    let (_journal, recovered) = open(&disk, options(SEGMENT)).expect("whole");
    assert!(recovered.clean);
    assert_eq!(check(recovered), Ok(1));
}

#[test]
fn a_panic_of_a_listener_fails_the_journal_instead_of_hanging_it() {
    let on_durable = Box::new(|_| panic!("a bug elsewhere"));
    let (journal, _) = open(&FaultyDisk::default(), Options { on_durable, ..options(SEGMENT) }).expect("new");
    journal.append(1, b"");
    journal.append(2, b"");
    assert_eq!(journal.close().expect_err("the listener panicked").kind(), FailureKind::Panic);
}

/// A step of a life.
#[derive(Clone, Debug)]
enum Act {
    Append(u64),
    Wait,
    Snapshot,
    Reopen,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1u64..6).prop_map(Act::Append),
        2 => Just(Act::Wait),
        1 => Just(Act::Snapshot),
        1 => Just(Act::Reopen),
        1 => Just(Act::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_is_written_is_recovered(acts in prop::collection::vec(act(), 1..40), segment in 100u64..4000) {
        let mut disk = FaultyDisk::default();
        let (mut journal, _) = open(&disk, options(segment)).expect("new");
        let mut last = 0;
        for act in acts {
            match act {
                Act::Append(count) => {
                    (last + 1..=last + count).for_each(|revision| journal.append(revision, &payload(revision)));
                    last += count;
                }
                Act::Wait => journal.wait_durable(last).expect("healthy"),
                Act::Snapshot => drop(journal.write_snapshot(last, chunks(last)).expect("healthy")),
                Act::Reopen | Act::Kill => {
                    journal.wait_durable(last).expect("healthy");
                    if let Act::Kill = act {
                        disk = disk.copy();
                    }
                    journal.close().expect("healthy");
                    let (again, recovered) = open(&disk, options(segment)).expect("whole");
                    prop_assert_eq!(check(recovered), Ok(last));
                    journal = again;
                }
            }
        }
        journal.close().expect("healthy");
        prop_assert_eq!(read(&disk), Ok(last));
    }
}
