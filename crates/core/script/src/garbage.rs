//! When garbage is collected.
//!
//! The collector of Lua goes over all that is alive each time as much has been allocated again. That is little before the
//! first scripts are many, so that it would do so every few hundred runs. As long as it is little the collector rests,
//! and what short scripts leave is collected at once behind one of them. One that allocates much wakes it.

use mlua::Lua;
use mlua::state::{GcIncParams, GcMode};

/// Bytes in use up to which the collector rests: it goes over them in some milliseconds.
const LITTLE: usize = 1024 * 1024;
/// Bytes that may be allocated while it does, beside as much as is alive.
const SHORT: usize = 512 * 1024;
/// The same while it does not, when it does not keep up.
const LONG: usize = 8 * 1024 * 1024;
/// Per cent of what is alive that are in use when the collector begins by itself, as a script runs: more than it takes to
/// be collected behind one, and within what a script may have.
const RESTING: i32 = 1000;
/// The same for the time behind a collection that began so.
const AWAKE: i32 = 200;

pub(crate) struct Garbage {
    /// Bytes in use at last.
    used: usize,
    /// From which on it is collected behind a script.
    limit: usize,
    rests: bool,
}

impl Garbage {
    /// Of an interpreter that has run nothing yet.
    pub(crate) fn new(lua: &Lua) -> Garbage {
        let mut garbage = Garbage { used: 0, limit: 0, rests: false };
        garbage.collect(lua);
        garbage
    }

    /// What is to be done behind a script.
    pub(crate) fn look_after(&mut self, lua: &Lua) {
        let used = lua.used_memory();
        // Less is in use when the collector was at it: it would not rest again.
        let woken = self.rests && used < self.used;
        self.used = used;
        if woken || used > self.limit {
            self.collect(lua);
        }
    }

    fn collect(&mut self, lua: &Lua) {
        pause(lua, RESTING);
        // It fails when a finalizer does, and scripts can make none.
        let _ = lua.gc_collect();
        pause(lua, AWAKE);
        self.used = lua.used_memory();
        self.rests = self.used <= LITTLE;
        self.limit = 2 * self.used + if self.rests { SHORT } else { LONG };
        if !self.rests {
            lua.gc_restart();
        }
    }
}

fn pause(lua: &Lua, percent: i32) {
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(percent)));
}
