//! The scripts that were loaded, by their SHA-1.

use std::collections::HashMap;

use mlua::Function;

/// Scripts that are kept, and the bytes of them.
const SCRIPTS: usize = 10_000;
const BYTES: usize = 16 * 1024 * 1024;

pub(crate) type Sha = [u8; 40];

/// A script that was compiled.
pub(crate) struct Script {
    pub(crate) function: Function,
    pub(crate) no_writes: bool,
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

    pub(crate) fn add(&mut self, sha: Sha, function: Function, no_writes: bool, bytes: usize) {
        if self.scripts.len() >= SCRIPTS || self.bytes + bytes > BYTES {
            self.make_room();
        }
        self.uses += 1;
        self.bytes += bytes;
        let before = self.scripts.insert(sha, Script { function, no_writes, bytes, used: self.uses });
        self.bytes -= before.map_or(0, |script| script.bytes);
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

    fn make_room(&mut self) {
        let mut ages: Vec<u64> = self.scripts.values().map(|script| script.used).collect();
        ages.sort_unstable();
        let Some(oldest) = ages.get(ages.len() / 4) else { return };
        self.scripts.retain(|_, script| script.used > *oldest);
        self.bytes = self.scripts.values().map(|script| script.bytes).sum();
    }
}
