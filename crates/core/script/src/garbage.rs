//! When garbage is collected.
//!
//! The collector of Lua goes over all that is alive each time as much has been allocated again. As few scripts are little,
//! it would do so every few hundred runs. As long as little is alive it rests instead, and what short scripts leave is
//! collected at once behind one of them. A script that allocates much wakes it.

use mlua::Lua;
use mlua::state::{GcIncParams, GcMode};

/// Bytes in use up to which the collector rests: it goes over them in some milliseconds.
const LITTLE: usize = 1024 * 1024;
/// Bytes that may be allocated while it does: so few that they are still in the caches when they are allocated again.
/// With half a megabyte a script that releases a lock took a tenth longer.
const SHORT: usize = 64 * 1024;
/// The same while it does not, beside as much as is alive, when it does not keep up.
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
        // Less is in use when the collector was at it, which it would be again soon.
        let woken = used < self.used && (self.rests || used <= LITTLE);
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
        self.limit = self.used + if self.rests { SHORT } else { self.used + LONG };
        if !self.rests {
            lua.gc_restart();
        }
    }
}

fn pause(lua: &Lua, percent: i32) {
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(percent)));
}

#[cfg(test)]
mod tests {
    use mlua::Function;

    use super::*;

    /// An interpreter in which about as much is alive as in one for scripts, and a short script.
    fn interpreter() -> (Lua, Function) {
        let lua = Lua::new();
        lua.load("libraries = string.rep('x', 100000)").exec().expect("it is a script");
        let short = lua.load("local short = {1, 2, 3}").into_function().expect("it is a script");
        (lua, short)
    }

    fn run(lua: &Lua, script: &str) {
        lua.load(script).exec().expect("it is a script");
    }

    /// Whether short scripts leave much of what they may without the collector having been at it.
    fn rests(lua: &Lua, short: &Function, garbage: &mut Garbage) -> bool {
        let alive = garbage.used;
        let mut before = alive;
        while before < alive + SHORT / 2 {
            short.call::<()>(()).expect("it is a script");
            garbage.look_after(lua);
            if lua.used_memory() < before {
                return false;
            }
            before = lua.used_memory();
        }
        true
    }

    #[test]
    fn what_short_scripts_leave_is_collected_behind_one_of_them() {
        let (lua, short) = interpreter();
        let mut garbage = Garbage::new(&lua);
        let alive = garbage.used;
        assert!(rests(&lua, &short, &mut garbage));
        for _ in 0..20_000 {
            short.call::<()>(()).expect("it is a script");
            garbage.look_after(&lua);
            assert!(lua.used_memory() <= garbage.limit && garbage.limit < 2 * alive + SHORT);
        }
    }

    #[test]
    fn a_script_that_allocates_much_wakes_the_collector_which_rests_again_behind_it() {
        let (lua, short) = interpreter();
        let mut garbage = Garbage::new(&lua);
        lua.set_memory_limit(16 * LITTLE).expect("the limit is ours");
        run(&lua, "for i = 1, 200000 do local long = {i, {i}} end");
        lua.set_memory_limit(0).expect("the limit is ours");
        garbage.look_after(&lua);
        // It may have slept again when the script came to its end: then it is seen when it wakes once more.
        assert!((0..2).any(|_| rests(&lua, &short, &mut garbage)));
    }

    #[test]
    fn the_collector_is_awake_as_long_as_much_is_alive() {
        let (lua, short) = interpreter();
        let mut garbage = Garbage::new(&lua);
        run(&lua, "alive = {} for i = 1, 50000 do alive[i] = {i} end");
        garbage.look_after(&lua);
        let alive = garbage.used;
        assert!(!garbage.rests && alive > 4 * LITTLE);
        lua.set_memory_limit(4 * alive).expect("the limit is ours");
        run(&lua, "for i = 1, 200000 do local long = {i, {i}} end");
        lua.set_memory_limit(0).expect("the limit is ours");
        run(&lua, "alive = nil for i = 1, 200000 do local long = {i, {i}} end");
        garbage.look_after(&lua);
        for _ in 0..100_000 {
            if garbage.rests {
                return;
            }
            short.call::<()>(()).expect("it is a script");
            garbage.look_after(&lua);
        }
        panic!("it does not rest again");
    }
}
