//! Which scripts were loaded, by their SHA-1. What they were compiled to is with the interpreter.

use std::collections::HashMap;

use crate::shebang::Writing;

/// Scripts that are kept, and the bytes of them.
const SCRIPTS: usize = 10_000;
const BYTES: usize = 16 * 1024 * 1024;

pub(crate) type Sha = [u8; 40];

/// A script that was compiled.
pub(crate) struct Script {
    pub(crate) writing: Writing,
    bytes: usize,
    used: u64,
}

/// Bounded: when it is full, the quarter goes that has not been used for longest. Whoever misses one loads it again, as
/// after a restart.
#[derive(Default)]
pub(crate) struct Cache {
    scripts: HashMap<Sha, Script>,
    bytes: usize,
    uses: u64,
}

impl Cache {
    pub(crate) fn contains(&self, sha: &Sha) -> bool {
        self.scripts.contains_key(sha)
    }

    pub(crate) fn find(&mut self, sha: &Sha) -> Option<&Script> {
        self.uses += 1;
        let script = self.scripts.get_mut(sha)?;
        script.used = self.uses;
        Some(script)
    }

    /// The names of those that had to go for it.
    pub(crate) fn add(&mut self, sha: Sha, writing: Writing, bytes: usize) -> Vec<Sha> {
        let full = self.scripts.len() >= SCRIPTS || self.bytes + bytes > BYTES;
        let gone = if full { self.make_room() } else { Vec::new() };
        self.uses += 1;
        self.bytes += bytes;
        self.scripts.insert(sha, Script { writing, bytes, used: self.uses });
        gone
    }

    pub(crate) fn remove(&mut self, sha: &Sha) {
        self.bytes -= self.scripts.remove(sha).map_or(0, |script| script.bytes);
    }

    pub(crate) fn clear(&mut self) {
        *self = Cache::default();
    }

    pub(crate) fn len(&self) -> usize {
        self.scripts.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn make_room(&mut self) -> Vec<Sha> {
        let mut ages: Vec<u64> = self.scripts.values().map(|script| script.used).collect();
        ages.sort_unstable();
        let Some(oldest) = ages.get(ages.len() / 4).copied() else { return Vec::new() };
        let old = self.scripts.iter().filter(|(_, script)| script.used <= oldest);
        let gone: Vec<Sha> = old.map(|(sha, _)| *sha).collect();
        gone.iter().for_each(|sha| self.remove(sha));
        gone
    }
}
