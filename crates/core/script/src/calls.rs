//! `redis.call`: made once, and running the commands that are lent to the script that runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mlua::{Function, Lua, MultiValue, Value};
use scoped_tls_hkt::scoped_thread_local;
use smallvec::SmallVec;

use crate::digits;
use crate::interpreter::Course;
use crate::raised::Raised;
use crate::redis::refuse;

/// What a script can do beside computing.
pub trait Commands {
    /// Runs a command and gives its reply, as a value of `lua`. `resp3`: whether the script has asked for replies in
    /// that protocol.
    fn call(&mut self, lua: &Lua, arguments: &[&[u8]], resp3: bool) -> Result<Value, Raised>;
}

scoped_thread_local!(
    /// Those of the script that this thread runs. A function that lives as long as the interpreter cannot borrow them.
    static mut COMMANDS: for<'c> &'c mut (dyn Commands + 'c)
);

/// Runs a script, to which the commands are lent until then.
pub(crate) fn lend<T>(commands: &mut dyn Commands, script: impl FnOnce() -> T) -> T {
    COMMANDS.set(commands, script)
}

/// `redis.call`
pub(crate) fn function(lua: &Lua, course: &Arc<Course>) -> mlua::Result<Function> {
    let own = course.clone();
    lua.create_function(move |lua, values: MultiValue| beyond_limit(lua, || call(lua, &own, &values)))
}

/// Does one thing for a script that must not fail half-way, and says afterwards whether it was too much. Where memory is
/// limited, each step of the binding to Lua is run so that it can fail, which costs some hundred instructions and something
/// to be collected.
fn beyond_limit<T>(lua: &Lua, work: impl FnOnce() -> mlua::Result<T>) -> mlua::Result<T> {
    let limit = lua.set_memory_limit(0)?;
    let done = work();
    lua.set_memory_limit(limit)?;
    if limit > 0 && lua.used_memory() > limit {
        return Err(Raised::Text("not enough memory".to_owned()).into());
    }
    done
}

fn call(lua: &Lua, course: &Course, values: &MultiValue) -> mlua::Result<Value> {
    if values.is_empty() {
        return refuse("Please specify at least one argument for this redis lib call");
    }
    let mut arguments = SmallVec::<[Argument; 6]>::new();
    for value in values {
        let Some(argument) = argument(value) else {
            return refuse("Lua redis lib command arguments must be strings or integers");
        };
        arguments.push(argument);
    }
    let bytes: SmallVec<[&[u8]; 6]> = arguments.iter().map(Argument::bytes).collect();
    let resp3 = course.begin_command()?;
    let reply = COMMANDS.with(|commands| commands.call(lua, &bytes, resp3));
    course.in_command.store(false, Relaxed);
    if let Err(Raised::Ended(end)) = &reply {
        course.run.lock().end.get_or_insert_with(|| end.clone());
    }
    Ok(reply?)
}

enum Argument {
    Text(mlua::BorrowedBytes),
    Number(String),
}

fn argument(value: &Value) -> Option<Argument> {
    match value {
        Value::String(text) => Some(Argument::Text(text.as_bytes())),
        Value::Integer(number) => Some(Argument::Number(number.to_string())),
        Value::Number(number) => Some(Argument::Number(digits::shortest(*number))),
        _ => None,
    }
}

impl Argument {
    fn bytes(&self) -> &[u8] {
        match self {
            Argument::Text(text) => text,
            Argument::Number(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{Failure, Input, Interpreter, Overseer, Patience};

    struct Panics;

    impl Commands for Panics {
        fn call(&mut self, _: &Lua, _: &[&[u8]], _: bool) -> Result<Value, Raised> {
            std::panic::panic_any("a command")
        }
    }

    /// How often it was called.
    struct Panicked(u64);

    impl Commands for Panicked {
        fn call(&mut self, _: &Lua, _: &[&[u8]], _: bool) -> Result<Value, Raised> {
            self.0 += 1;
            std::panic::panic_any("a command")
        }
    }

    struct Counts(u64);

    impl Commands for Counts {
        fn call(&mut self, _: &Lua, _: &[&[u8]], _: bool) -> Result<Value, Raised> {
            self.0 += 1;
            Ok(Value::Number(self.0 as f64))
        }
    }

    fn interpreter() -> Interpreter {
        Interpreter::new(Arc::<Overseer>::default()).expect("there is memory for it")
    }

    fn run(
        interpreter: &mut Interpreter,
        body: &str,
        commands: &mut dyn Commands,
    ) -> Result<Option<f64>, Failure> {
        let sha = interpreter.load(body.as_bytes()).expect("it is a script");
        let input = Input { keys: &[], arguments: &[], patience: Patience::Long, seed: 0 };
        interpreter.run(&sha, &input, commands, |value, _| {
            value.as_number().or(value.as_integer().map(|n| n as f64))
        })
    }

    #[test]
    fn commands_are_lent_for_one_run() {
        let mut interpreter = interpreter();
        let (mut first, mut second) = (Counts(0), Counts(10));
        let body = "redis.call('a') return redis.call('b')";
        assert_eq!(run(&mut interpreter, body, &mut first), Ok(Some(2.0)));
        assert_eq!(run(&mut interpreter, body, &mut second), Ok(Some(12.0)));
        assert_eq!(run(&mut interpreter, body, &mut first), Ok(Some(4.0)));
        assert!(!COMMANDS.is_set());
    }

    #[test]
    fn no_script_catches_the_panic_of_a_command() {
        for body in [
            "redis.call('x')",
            "redis.pcall('x')",
            "pcall(redis.call, 'x')",
            "pcall(pcall, redis.call, 'x')",
            "xpcall(function() redis.call('x') end, function(caught) return 1 end)",
            "xpcall(function() error('y') end, function() redis.call('x') end)",
            "pcall(function() xpcall(function() redis.call('x') end, function() return 1 end) end)",
            "coroutine.resume(coroutine.create(function() redis.call('x') end))",
            "pcall(coroutine.wrap(function() redis.call('x') end))",
        ] {
            let body = format!("{body} return 1");
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut interpreter(), &body, &mut Panics)));
            let panic = outcome.expect_err(&body);
            assert_eq!(panic.downcast_ref(), Some(&"a command"), "{body}");
            assert!(!COMMANDS.is_set(), "{body}");
        }
    }

    #[test]
    fn the_panic_of_a_command_is_not_lost_where_lua_has_no_room_for_it() {
        // The stack of C has room for 200 calls: at 195 and 196 of the second kind nothing was left of the panic.
        let deep = [
            "local ok = pcall(f, n - 1) return ok",
            "local ok = xpcall(function() f(n - 1) end, function() return 1 end) return ok",
            "local ok = coroutine.resume(coroutine.create(f), n - 1) return ok",
        ];
        for (deeper, depth) in deep.iter().flat_map(|deeper| (185..205).map(move |depth| (deeper, depth))) {
            let begin = "local function f(n) if n == 0 then return redis.call('x') end";
            let body = format!("{begin} {deeper} end pcall(f, {depth}) redis.call('y') return 1");
            let mut commands = Panicked(0);
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut interpreter(), &body, &mut commands)));
            assert!(outcome.is_err() && commands.0 == 1, "{} calls: {body}", commands.0);
        }
    }
}
