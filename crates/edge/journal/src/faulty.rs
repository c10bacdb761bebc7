//! The faulty twin of the disk: in memory, it can lose power, refuse a sync, run full, or lie.
//!
//! Each file has a cached content, which reads see, and a stable one, which survives. A sync brings the one to the
//! other. A power cut keeps, of everything not synced, any subset of 512-byte sectors, and of the names any beginning of
//! what was done to them since the last directory sync.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::disk::{Disk, File};

const SECTOR: usize = 512;

/// What is to go wrong, counted in operations that change something (1 is the first).
#[derive(Clone, Default)]
pub(crate) struct Faults {
    /// The power goes in the middle of this operation.
    pub(crate) cut_at: Option<u64>,
    /// This file sync fails; what it should have brought to disk never gets there.
    pub(crate) failing_sync: Option<u64>,
    /// It fails for want of room.
    pub(crate) full_sync: bool,
    /// Syncs do nothing: the positive control.
    pub(crate) ignores_syncs: bool,
    /// How many bytes all files together may have.
    pub(crate) capacity: Option<usize>,
    /// As a filesystem without `fallocate`.
    pub(crate) cannot_preallocate: bool,
    /// Reads of files with this in their name return a changed byte at this offset.
    pub(crate) rotten: Option<(String, u64)>,
}

#[derive(Clone, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    faults: Faults,
    inodes: HashMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    stable_names: BTreeMap<String, u64>,
    unsynced_names: Vec<NameChange>,
    operations: u64,
    syncs: u64,
    dead: bool,
}

#[derive(Clone, Default)]
struct Inode {
    cached: Vec<u8>,
    stable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

#[derive(Clone)]
enum NameChange {
    Link(String, u64),
    Rename(String, String),
    Unlink(String),
}

impl FaultyDisk {
    pub(crate) fn with(faults: Faults) -> FaultyDisk {
        let disk = FaultyDisk::default();
        disk.0.lock().faults = faults;
        disk
    }

    /// How many file syncs there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Whether the power has gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// What a reader of the running system sees of a file.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.inodes[&state.names[name]].cached.clone()
    }

    /// A disk that holds the same, cached or not: what a process leaves that is killed.
    pub(crate) fn copy(&self) -> FaultyDisk {
        FaultyDisk(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// Puts a file there by other means than the journal's.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.lock();
        let id = state.inodes.len() as u64;
        let inode = Inode { cached: bytes.to_vec(), stable: bytes.to_vec(), unsynced: Vec::new() };
        state.inodes.insert(id, inode);
        state.names.insert(name.to_owned(), id);
        state.stable_names.insert(name.to_owned(), id);
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.0.lock().names.contains_key(name)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.0.lock().faults.clone()
    }

    /// Somebody else's files go.
    pub(crate) fn grow(&self, bytes: usize) {
        let mut state = self.0.lock();
        state.faults.capacity = state.faults.capacity.map(|capacity| capacity + bytes);
    }

    /// Changes what goes wrong from now on.
    pub(crate) fn set(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// The disk that a killed process leaves, healthy: nothing is lost, and nothing more is on disk than before.
    pub(crate) fn after_kill(&self) -> FaultyDisk {
        let mut state = self.0.lock().clone();
        (state.dead, state.operations, state.faults) = (false, 0, Faults::default());
        FaultyDisk(Arc::new(Mutex::new(state)))
    }

    /// The disk after the power has come back, healthy.
    pub(crate) fn after_power_cut(&self, seed: u64) -> FaultyDisk {
        let disk = self.after_kill();
        let mut state = disk.0.lock();
        let mut dice = Dice(seed);
        let done = dice.below(state.unsynced_names.len() as u64 + 1) as usize;
        for change in std::mem::take(&mut state.unsynced_names).into_iter().take(done) {
            change.apply(&mut state.stable_names);
        }
        state.names = state.stable_names.clone();
        for inode in state.inodes.values_mut() {
            inode.lose_power(&mut dice);
        }
        drop(state);
        disk
    }
}

impl State {
    /// Counts an operation; the power may go with it. Whether the operation is begun before is for the dice to say, later.
    fn operate(&mut self) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        self.dead = self.faults.cut_at == Some(self.operations);
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn inode(&mut self, id: u64) -> &mut Inode {
        self.inodes.get_mut(&id).expect("inodes stay")
    }

    fn room(&self) -> usize {
        self.faults.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    fn used(&self) -> usize {
        self.names.values().map(|id| self.inodes[id].cached.len()).sum()
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.operate()?;
        change.clone().apply(&mut self.names);
        self.unsynced_names.push(change);
        self.alive()
    }

    fn change(&mut self, id: u64, change: Change) -> io::Result<()> {
        self.operate()?;
        let inode = self.inode(id);
        change.clone().apply(&mut inode.cached);
        inode.unsynced.push(change);
        self.alive()
    }

    fn sync(&mut self, id: u64) -> io::Result<()> {
        self.operate()?;
        self.alive()?;
        self.syncs += 1;
        let (fails, lies) = (self.faults.failing_sync == Some(self.syncs), self.faults.ignores_syncs);
        let full = self.faults.full_sync;
        let inode = self.inode(id);
        if fails {
            // As Linux does it: the pages are marked clean, and a later sync is content.
            inode.unsynced.clear();
            let errno = if full { nix::libc::ENOSPC } else { nix::libc::EIO };
            return Err(io::Error::from_raw_os_error(errno));
        }
        if !lies {
            for change in inode.unsynced.drain(..) {
                change.apply(&mut inode.stable);
            }
        }
        Ok(())
    }
}

impl Inode {
    fn lose_power(&mut self, dice: &mut Dice) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Write(offset, bytes) => self.lose_sectors(offset, &bytes, dice),
                Change::Resize(_) if dice.below(2) == 0 => {}
                Change::Resize(_) => change.apply(&mut self.stable),
            }
        }
        self.cached = self.stable.clone();
    }

    fn lose_sectors(&mut self, offset: usize, bytes: &[u8], dice: &mut Dice) {
        let whole = dice.below(4);
        let mut at = 0;
        while at < bytes.len() {
            let take = (SECTOR - (offset + at) % SECTOR).min(bytes.len() - at);
            let kept = match whole {
                0 => true,
                1 => false,
                _ => dice.below(2) == 0,
            };
            if kept {
                Change::Write(offset + at, bytes[at..at + take].to_vec()).apply(&mut self.stable);
            }
            at += take;
        }
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Change::Resize(len) => content.resize(len, 0),
            Change::Write(offset, bytes) => {
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Link(name, id) => drop(names.insert(name, id)),
            NameChange::Unlink(name) => drop(names.remove(&name)),
            NameChange::Rename(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
        }
    }
}

impl Disk for FaultyDisk {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("faulty").join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        let id = state.inodes.len() as u64;
        state.inodes.insert(id, Inode::default());
        state.change_name(NameChange::Link(name.to_owned(), id))?;
        Ok(Box::new(FaultyFile { disk: self.clone(), id, name: name.to_owned() }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        let id = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.sync(id)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), id, name: name.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.lock().change_name(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().change_name(NameChange::Unlink(name.to_owned()))
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operate()?;
        state.alive()?;
        if !state.faults.ignores_syncs {
            state.unsynced_names.clear();
            state.stable_names = state.names.clone();
        }
        Ok(())
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
    name: String,
}

impl File for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().inode(self.id).cached.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.0.lock();
        state.alive()?;
        let rotten = state.faults.rotten.clone().filter(|(name, _)| self.name.contains(name));
        let cached = &state.inode(self.id).cached;
        let start = (offset as usize).min(cached.len());
        let count = buffer.len().min(cached.len() - start);
        buffer[..count].copy_from_slice(&cached[start..start + count]);
        if let Some((_, at)) = rotten.filter(|(_, at)| (offset..offset + count as u64).contains(at)) {
            buffer[(at - offset) as usize] ^= 1;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let growth = (offset as usize + bytes.len()).saturating_sub(state.inode(self.id).cached.len());
        let written = bytes.len() - growth.saturating_sub(state.room());
        state.change(self.id, Change::Write(offset as usize, bytes[..written].to_vec()))?;
        if written < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// On a full disk it gets a part of it, as on ext4.
    fn preallocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        if state.faults.cannot_preallocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let now = state.inode(self.id).cached.len();
        let wanted = (len as usize).saturating_sub(now);
        let given = wanted.min(state.room());
        if given > 0 {
            state.change(self.id, Change::Resize(now + given))?;
        }
        if given < wanted { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.0.lock().change(self.id, Change::Resize(len as usize))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.0.lock().sync(self.id)
    }
}

/// Pseudo-random numbers that a seed repeats (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
