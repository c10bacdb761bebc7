//! The environment of scripts: made once, by `sandbox.lua`, of the interpreter's libraries and of those here.

use std::iter;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Either, Function, IntoLua, Lua, MultiValue, Table, Value, Variadic};
use smallvec::SmallVec;

use crate::arguments::Arguments;
use crate::chance::Chance;
use crate::interpreter::{Course, Input};
use crate::raised::{Raised, locate, message, reveal};
use crate::{MEMORY, bits, cjson, cmsgpack, redis, structs};

/// Of the chunk that `sandbox.lua` is.
pub(crate) const NAME: &str = "=sandbox";

/// What is needed of it to run a script.
pub(crate) struct Sandbox {
    /// As scripts see it.
    pub(crate) environment: Table,
    /// Runs a script, with what becomes of its error, KEYS and ARGV.
    run: Function,
    /// The same with the words of both, as many of them keys as its place here says.
    run_with: [Function; 3],
    /// The same for exactly as many keys and arguments as its place says.
    run_exactly: Vec<[Function; EXACT]>,
    /// What becomes of an error: where it came from is added.
    handler: Function,
}

/// Words that are given to a function each by itself: they have to have room on its stack.
const FEW: usize = 64;

/// Arguments from which on there is no function for exactly as many.
const EXACT: usize = 4;

/// The last of what a script is given: from there on memory is limited, to what a script may have beside what is there
/// already. Were it limited before, whatever is given would cost some hundred instructions and something to be collected.
/// To Lua it is nil, which behind arguments is as if it was not there.
struct Limit;

impl IntoLua for Limit {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        lua.set_memory_limit(lua.used_memory() + MEMORY)?;
        Ok(Value::Nil)
    }
}

impl Sandbox {
    pub(crate) fn new(lua: &Lua, course: &Arc<Course>) -> mlua::Result<Sandbox> {
        let redis = redis::library(lua, course)?;
        let natives = lua.create_table()?;
        natives.raw_set("redis", redis)?;
        natives.raw_set("bit", bits::library(lua)?)?;
        natives.raw_set("cjson", cjson::library(lua, course)?)?;
        natives.raw_set("cmsgpack", cmsgpack::library(lua)?)?;
        natives.raw_set("struct", structs::library(lua)?)?;
        natives.raw_set("rep", lua.create_function(rep)?)?;
        natives.raw_set("reveal", lua.create_function(reveal)?)?;
        let own = course.clone();
        natives.raw_set("is_over", lua.create_function(move |_, ()| Ok(own.is_over()))?)?;
        natives.raw_set("locate", lua.create_function(locate)?)?;
        natives.raw_set("compile", lua.create_function(compile)?)?;
        let overseer = course.overseer.clone();
        natives.raw_set("clock", lua.create_function(move |_, ()| Ok(overseer.time().as_secs_f64()))?)?;
        add_chance(lua, &natives, course)?;
        let sandbox = lua.load(include_str!("sandbox.lua")).set_name(NAME);
        let (environment, handler, run, none, one, two, runner): (_, _, _, _, _, _, Function) =
            sandbox.call((natives, lua.globals()))?;
        let run_with = [none, one, two];
        let run_exactly = (0..run_with.len()).map(|keys| {
            let make = |arguments| runner.call((keys, arguments));
            Ok([make(0)?, make(1)?, make(2)?, make(3)?])
        });
        let run_exactly = run_exactly.collect::<mlua::Result<_>>()?;
        Ok(Sandbox { environment, run, run_with, run_exactly, handler })
    }

    /// The function for so many words, each by itself.
    fn run_with(&self, keys: usize, arguments: usize) -> Option<&Function> {
        let exactly = self.run_exactly.get(keys).and_then(|run| run.get(arguments));
        exactly.or_else(|| self.run_with.get(keys).filter(|_| arguments <= FEW))
    }

    /// Runs a script: whether it has come to its end, and what it has returned or raised. Memory is limited from then on.
    pub(crate) fn run(&self, lua: &Lua, script: &Function, input: &Input<'_>) -> mlua::Result<(bool, Value)> {
        let (keys, arguments) = (input.keys, input.arguments);
        if let Some(run) = self.run_with(keys.len(), arguments.len()) {
            // What is text can be given to Lua without a handle for each of them.
            if let ([key], [argument]) = (keys, arguments)
                && let (Ok(key), Ok(argument)) = (text(key), text(argument))
            {
                return run.call((script, &self.handler, key, argument, Limit));
            }
            let words = keys.iter().chain(arguments).map(|word| text(word).map(Either::Left));
            let limit = iter::once(Ok(Either::Right(Limit)));
            let words: Result<Variadic<Either<&str, Limit>>, _> = words.chain(limit).collect();
            if let Ok(words) = words {
                return run.call((script, &self.handler, words));
            }
        }
        let (keys, arguments) = (table(lua, keys)?, table(lua, arguments)?);
        self.run.call((script, &self.handler, keys, arguments, Limit))
    }
}

fn text<'t>(word: &&'t [u8]) -> Result<&'t str, std::str::Utf8Error> {
    std::str::from_utf8(word)
}

fn table(lua: &Lua, words: &[&[u8]]) -> mlua::Result<Table> {
    let texts: Result<SmallVec<[&str; 8]>, _> = words.iter().map(text).collect();
    if let Ok(texts) = texts {
        // How many there are is known here, so that the table has room for all of them at once.
        return lua.create_sequence_from(texts);
    }
    // One handle at a time: of those there can be a few thousand only.
    let table = lua.create_table_with_capacity(words.len(), 0)?;
    for word in words {
        table.raw_push(lua.create_string(word)?)?;
    }
    Ok(table)
}

/// Compiles a script; only text, since what is compiled already can be anything.
pub(crate) fn compile_script(lua: &Lua, body: &[u8], environment: &Table) -> mlua::Result<Function> {
    let chunk = lua.load(body).set_name("@user_script").set_mode(ChunkMode::Text);
    chunk.set_environment(environment.clone()).into_function()
}

/// `loadstring`: the function, or nil and what is wrong.
fn compile(
    lua: &Lua,
    (text, name, environment): (mlua::LuaString, Option<String>, Table),
) -> mlua::Result<MultiValue> {
    let name = name.unwrap_or_else(|| text.to_string_lossy());
    let text = text.as_bytes();
    let failed = |text: String| -> mlua::Result<MultiValue> {
        Ok([Value::Nil, Value::String(lua.create_string(text)?)].into_iter().collect())
    };
    if text.starts_with(b"\x1b") {
        return failed("only text can be loaded".to_owned());
    }
    let chunk = lua.load(&*text).set_name(name).set_mode(ChunkMode::Text).set_environment(environment);
    match chunk.into_function() {
        Ok(function) => Ok([Value::Function(function)].into_iter().collect()),
        Err(mlua::Error::SyntaxError { message, .. }) => failed(message),
        Err(error) => failed(message(&error)),
    }
}

fn add_chance(lua: &Lua, natives: &Table, course: &Arc<Course>) -> mlua::Result<()> {
    let own = course.clone();
    natives.raw_set("random", lua.create_function(move |lua, values| random(lua, values, &own))?)?;
    let own = course.clone();
    let seed = move |lua: &Lua, values: Variadic<Value>| {
        let seed = Arguments::new(lua, "randomseed", values).number(0)?;
        own.run.lock().chance = Chance::new(seed.to_bits());
        Ok(())
    };
    natives.raw_set("randomseed", lua.create_function(seed)?)
}

/// `string.rep(s, n)`
fn rep(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Value> {
    let arguments = Arguments::new(lua, "rep", values);
    let (text, times) = (arguments.string(0)?, arguments.number(1)?);
    let (text, times) = (text.as_bytes(), times.max(0.0) as usize);
    if text.len().saturating_mul(times) > MEMORY {
        return Err(Raised::Text("not enough memory".to_owned()).into());
    }
    let times = if text.is_empty() { 0 } else { times };
    Ok(Value::String(lua.create_string(text.repeat(times))?))
}

/// `math.random([m [, n]])`
fn random(lua: &Lua, values: Variadic<Value>, course: &Course) -> mlua::Result<f64> {
    let arguments = Arguments::new(lua, "random", values);
    let fraction = course.run.lock().chance.fraction();
    let (least, most) = match arguments.len() {
        0 => return Ok(fraction),
        1 => (1.0, arguments.number(0)?.floor()),
        2 => (arguments.number(0)?.floor(), arguments.number(1)?.floor()),
        _ => return Err(Raised::Text("wrong number of arguments".to_owned()).into()),
    };
    if least > most {
        return Err(arguments.bad(arguments.len() - 1, "interval is empty"));
    }
    Ok((fraction * (most - least + 1.0)).floor() + least)
}
