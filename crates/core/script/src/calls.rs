//! `redis.call`: made once, and running the commands that are lent to the script that runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mlua::{BString, Either, Function, IntoLuaMulti, Lua, MultiValue, Value};
use scoped_tls_hkt::scoped_thread_local;
use smallvec::SmallVec;

use crate::digits;
use crate::interpreter::Course;
use crate::raised::Raised;
use crate::redis::refuse;

/// What a script can do beside computing.
pub trait Commands {
    /// Runs a command and gives its reply. `resp3`: whether the script has asked for replies in that protocol.
    fn call(&mut self, arguments: &[&[u8]], resp3: bool) -> Result<Reply<'_>, Raised>;
}

/// What a command has answered, as a script is to see it.
pub enum Reply<'r> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Text(&'r [u8]),
    /// What is made in Lua piece by piece.
    Made(Make<'r>),
}

/// Makes a value of what was answered, and asks now and then whether it may go on: where many long texts have the same hash,
/// that takes its time.
pub type Make<'r> = Box<dyn FnOnce(&Lua, &dyn Fn() -> Result<(), Raised>) -> mlua::Result<Value> + 'r>;

const NO_ARGUMENT: &str = "Lua redis lib command arguments must be strings or integers";

/// Bytes up to which text is copied on its way to Lua rather than given a handle.
const SHORT: usize = 512;
/// Arguments behind which the stack of Lua has room for sure for what is returned.
const FEW: usize = 64;

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
    lua.create_function(move |lua, (name, values): (Name, MultiValue)| call(lua, &own, &name, &values))
}

/// The name of a command, which needs no handle: as a number, which Lua prints in its own way, it is none. Of the others Lua
/// would not tell that they were numbers.
type Name = Either<BString, Value>;

fn call(lua: &Lua, course: &Course, name: &Name, values: &MultiValue) -> mlua::Result<Returned> {
    let name = match name {
        Either::Left(name) => name.as_slice(),
        // Nil by itself is as if nothing was given.
        Either::Right(Value::Nil) if values.is_empty() => {
            return refuse("Please specify at least one argument for this redis lib call");
        }
        Either::Right(_) => return refuse(NO_ARGUMENT),
    };
    let mut arguments = SmallVec::<[Argument; 5]>::new();
    for value in values {
        arguments.push(argument(value).map_or_else(|| refuse(NO_ARGUMENT), Ok)?);
    }
    let mut bytes = SmallVec::<[&[u8]; 6]>::new();
    bytes.push(name);
    bytes.extend(arguments.iter().map(Argument::bytes));
    let resp3 = course.begin_command()?;
    COMMANDS.with(|commands| {
        let returned = match commands.call(&bytes, resp3) {
            Ok(Reply::Text(text)) if values.len() <= FEW => return_text(lua, text),
            Ok(reply) => value(lua, course, reply).map(|value| (Either::Right(value), Limit::Stands)),
            Err(raised) => {
                if let Raised::Ended(end) = &raised {
                    course.end(end.clone());
                }
                Err(raised.into())
            }
        };
        course.in_command.store(false, Relaxed);
        returned
    })
}

/// What a script gets of `redis.call`: one value, and what becomes of the limit of memory when Lua has it.
type Returned = (Either<String, Value>, Limit);

fn return_text(lua: &Lua, text: &[u8]) -> mlua::Result<Returned> {
    if text.len() > SHORT {
        return Ok((Either::Right(text_value(lua, text)?), Limit::Stands));
    }
    match copy(text) {
        // Here nothing fails any more before the limit is back: there is room on the stack, and text needs no more.
        Some(text) => Ok((Either::Left(text), Limit::lift(lua)?)),
        None => Ok((Either::Right(text_value(lua, text)?), Limit::Stands)),
    }
}

/// None if it is not UTF-8. That is looked at sixteen bytes at a time where as many are left, and else at each by itself.
fn copy(text: &[u8]) -> Option<String> {
    const STEP: usize = 16;
    let mut bytes = Vec::with_capacity(text.len() + STEP);
    bytes.extend_from_slice(text);
    bytes.resize(text.len().next_multiple_of(STEP), 0);
    let mut copy = String::from_utf8(bytes).ok()?;
    copy.truncate(text.len());
    Some(copy)
}

fn value(lua: &Lua, course: &Course, reply: Reply<'_>) -> mlua::Result<Value> {
    match reply {
        Reply::Nil => Ok(Value::Nil),
        Reply::Boolean(value) => Ok(Value::Boolean(value)),
        Reply::Integer(number) => Ok(Value::Integer(number)),
        Reply::Text(text) => text_value(lua, text),
        Reply::Made(make) => {
            let made = beyond_limit(lua, || {
                make(lua, &|| course.check_time()).map_err(|error| Raised::Text(error.to_string()).into())
            });
            if made.is_err() {
                course.check_time()?;
            }
            made
        }
    }
}

fn text_value(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    beyond_limit(lua, || Ok(Value::String(lua.create_string(text)?)))
}

/// Does one thing for a script that must not fail half-way, and says afterwards whether it was too much. Where memory is
/// limited, each step of the binding to Lua is run so that it can fail, which costs some hundred instructions and something
/// to be collected.
fn beyond_limit<T>(lua: &Lua, work: impl FnOnce() -> mlua::Result<T>) -> mlua::Result<T> {
    let limit = Limit::lift(lua)?;
    let done = work();
    limit.restore(lua)?;
    done
}

/// The limit of memory while something is done beyond it.
enum Limit {
    Stands,
    /// This one is to come back.
    Lifted(usize),
}

impl Limit {
    fn lift(lua: &Lua) -> mlua::Result<Limit> {
        Ok(Limit::Lifted(lua.set_memory_limit(0)?))
    }

    fn restore(self, lua: &Lua) -> mlua::Result<()> {
        let Limit::Lifted(limit) = self else { return Ok(()) };
        lua.set_memory_limit(limit)?;
        if limit > 0 && lua.used_memory() > limit {
            return Err(Raised::Text("not enough memory".to_owned()).into());
        }
        Ok(())
    }
}

/// Behind what is returned, it comes back as soon as Lua has that, and is no value itself.
impl IntoLuaMulti for Limit {
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        self.restore(lua)?;
        Ok(MultiValue::new())
    }
}

enum Argument {
    Text(mlua::BorrowedBytes),
    Number(String),
}

/// Numbers from here on have an exponent, as in Redis, where they are printed with `%.17g`.
const EXACT: i64 = 100_000_000_000_000_000;

fn argument(value: &Value) -> Option<Argument> {
    match value {
        Value::String(text) => Some(Argument::Text(text.as_bytes())),
        Value::Integer(number) if (1 - EXACT..EXACT).contains(number) => {
            Some(Argument::Number(number.to_string()))
        }
        Value::Integer(number) => Some(Argument::Number(digits::general(*number as f64, 17))),
        Value::Number(number) => Some(Argument::Number(digits::general(*number, 17))),
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
        fn call(&mut self, _: &[&[u8]], _: bool) -> Result<Reply<'_>, Raised> {
            std::panic::panic_any("a command")
        }
    }

    /// How often it was called.
    struct Panicked(u64);

    impl Commands for Panicked {
        fn call(&mut self, _: &[&[u8]], _: bool) -> Result<Reply<'_>, Raised> {
            self.0 += 1;
            std::panic::panic_any("a command")
        }
    }

    struct Counts(u64);

    impl Commands for Counts {
        fn call(&mut self, _: &[&[u8]], _: bool) -> Result<Reply<'_>, Raised> {
            self.0 += 1;
            Ok(Reply::Integer(self.0 as i64))
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
