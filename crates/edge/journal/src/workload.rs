//! What the tests write, and how they check what they find: record *r* has a payload that only *r* has, and a snapshot
//! of revision *r* holds one chunk per record up to *r*. So everything that is found can be told right or wrong.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    ClusterId, Journal, Options, Recovered,
    disk::Disk,
    faulty::{Dice, FaultyDisk},
    journal::open_on,
    recovery::recover,
};

pub(crate) const CLUSTER: ClusterId = ClusterId(*b"the test cluster");

/// Small, since disks are copied often.
pub(crate) const RESERVE: u64 = 64;

/// The payload of a record, 0 to 700 bytes.
pub(crate) fn payload(revision: u64) -> Vec<u8> {
    let mut dice = Dice(revision);
    let length = dice.below(4) * dice.below(234);
    (0..length).map(|_| dice.below(256) as u8).collect()
}

/// The chunks of the snapshot of a revision.
pub(crate) fn chunks(revision: u64) -> impl Iterator<Item = Vec<u8>> {
    (1..=revision).map(|revision| [&revision.to_le_bytes(), &*payload(revision)].concat())
}

pub(crate) fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, reserve_bytes: RESERVE, ..Options::new("faulty", CLUSTER) }
}

pub(crate) fn open(disk: &FaultyDisk, options: Options) -> Result<(Journal, Recovered), String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    open_on(disk, None, options).map_err(|error| error.to_string())
}

/// The last revision of a disk, after a look at everything up to there; or what is wrong with it.
pub(crate) fn read(disk: &FaultyDisk) -> Result<u64, String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (_log, recovered) = recover(disk, &options(1000)).map_err(|error| error.to_string())?;
    check(recovered)
}

/// The last revision of what was recovered, when everything up to there is as it was written.
pub(crate) fn check(recovered: Recovered) -> Result<u64, String> {
    let mut last = 0;
    if let Some(snapshot) = recovered.snapshot {
        let revision = snapshot.revision();
        let found = snapshot.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        if found != chunks(revision).collect::<Vec<_>>() {
            return Err(format!("WRONG: the snapshot of {revision} is not what was written"));
        }
        last = revision;
    }
    for record in recovered.records {
        let (revision, found) = record.map_err(|error| error.to_string())?;
        if revision != last + 1 || found != payload(revision) {
            return Err(format!("WRONG: record {revision} after {last}"));
        }
        last = revision;
    }
    if recovered.revision != last {
        return Err(format!("WRONG: revision {} is said, {last} is there", recovered.revision));
    }
    Ok(last)
}

/// A disk with the records up to `last`, each synced alone; closed, or as a killed process leaves it.
pub(crate) fn written(last: u64, segment_bytes: u64, closed: bool) -> FaultyDisk {
    let disk = FaultyDisk::default();
    let (journal, _) = open(&disk, options(segment_bytes)).expect("new");
    append_one_by_one(&journal, 1, last);
    let killed = disk.copy();
    journal.close().expect("healthy");
    if closed { disk } else { killed }
}

pub(crate) fn append_one_by_one(journal: &Journal, first: u64, last: u64) {
    for revision in first..=last {
        journal.append(revision, &payload(revision));
        journal.wait_durable(revision).expect("healthy");
    }
}

/// Counts what a journal acknowledges and how often it fails.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    pub(crate) acknowledged: Arc<AtomicU64>,
    pub(crate) failures: Arc<AtomicU64>,
}

impl Witness {
    pub(crate) fn options(&self, segment_bytes: u64) -> Options {
        let (acknowledged, failures) = (self.acknowledged.clone(), self.failures.clone());
        Options {
            on_durable: Box::new(move |revision| {
                acknowledged.fetch_max(revision, Ordering::SeqCst);
            }),
            on_failure: Box::new(move |_| {
                failures.fetch_add(1, Ordering::SeqCst);
            }),
            ..options(segment_bytes)
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::SeqCst)
    }
}
