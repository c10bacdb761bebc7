//! `cjson`: JSON as scripts of Redis write and read it. <https://redis.io/docs/latest/develop/programmability/lua-api/#cjson-library>
//!
//! Its settings hold for one script: whoever comes next has the defaults.

use std::sync::Arc;

use mlua::{Lua, Table, Value, Variadic};
use parking_lot::Mutex;

use crate::arguments::Arguments;
use crate::interpreter::Course;

mod decode;
mod encode;

/// What is nested deeper costs more of the thread's stack than there may be.
const DEEPEST: usize = 300;

/// What a script can set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    encode_depth: usize,
    decode_depth: usize,
    precision: usize,
    /// Only told: the buffer goes with the script.
    keep_buffer: bool,
    /// What becomes of numbers that JSON does not have.
    invalid: Invalid,
    decode_invalid: bool,
    sparse: Sparse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

/// An array with more than `ratio` times as many places as elements, and with more than `safe` places, is refused, or
/// becomes an object.
#[derive(Clone, Copy, Debug)]
struct Sparse {
    convert: bool,
    ratio: usize,
    safe: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            encode_depth: DEEPEST,
            decode_depth: DEEPEST,
            precision: 14,
            keep_buffer: true,
            invalid: Invalid::Refused,
            decode_invalid: true,
            sparse: Sparse { convert: false, ratio: 2, safe: 10 },
        }
    }
}

pub(crate) type Shared = Mutex<Settings>;

pub(crate) fn library(lua: &Lua, course: &Arc<Course>) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    library.raw_set("null", Value::NULL)?;
    let own = course.clone();
    library.raw_set("encode", lua.create_function(move |lua, values| encode(lua, values, &own))?)?;
    let own = course.clone();
    library.raw_set("decode", lua.create_function(move |lua, values| decode(lua, values, &own))?)?;
    add_settings(lua, &library, course)?;
    Ok(library)
}

fn encode(lua: &Lua, values: Variadic<Value>, course: &Course) -> mlua::Result<Value> {
    let arguments = Arguments::new(lua, "encode", values);
    let Some(value) = arguments.get(0).filter(|_| arguments.len() == 1) else {
        return Err(arguments.bad(0, "expected 1 argument"));
    };
    let bytes = encode::encode(value, course).map_err(|text| arguments.complain(&text))?;
    Ok(Value::String(lua.create_string(bytes)?))
}

fn decode(lua: &Lua, values: Variadic<Value>, course: &Course) -> mlua::Result<Value> {
    let arguments = Arguments::new(lua, "decode", values);
    if arguments.len() != 1 {
        return Err(arguments.bad(0, "expected 1 argument"));
    }
    let text = arguments.string(0)?;
    let decoded = decode::Decoder::new(lua, &text.as_bytes(), course).decode();
    decoded.map_err(|problem| match problem {
        decode::Problem::Text(text) => arguments.complain(&text),
        decode::Problem::Lua(error) => error,
    })
}

type Change = fn(&mut Settings, &Arguments<'_>) -> mlua::Result<Value>;

fn add_settings(lua: &Lua, library: &Table, course: &Arc<Course>) -> mlua::Result<()> {
    let all: [(&'static str, Change); 6] = [
        ("encode_max_depth", |settings, arguments| depth(&mut settings.encode_depth, arguments)),
        ("decode_max_depth", |settings, arguments| depth(&mut settings.decode_depth, arguments)),
        ("encode_number_precision", precision),
        ("encode_keep_buffer", |settings, arguments| {
            switch(&mut settings.keep_buffer, arguments).map(Value::Boolean)
        }),
        ("encode_invalid_numbers", encode_invalid),
        ("decode_invalid_numbers", |settings, arguments| {
            switch(&mut settings.decode_invalid, arguments).map(Value::Boolean)
        }),
    ];
    for (name, change) in all {
        let own = course.clone();
        let function = lua.create_function(move |lua, values| {
            let arguments = Arguments::new(lua, name, values);
            check_count(&arguments, 1)?;
            change(&mut own.json.lock(), &arguments)
        })?;
        library.raw_set(name, function)?;
    }
    let own = course.clone();
    let function = lua.create_function(move |lua, values| {
        sparse(&mut own.json.lock().sparse, &Arguments::new(lua, "encode_sparse_array", values))
    })?;
    library.raw_set("encode_sparse_array", function)
}

fn check_count(arguments: &Arguments<'_>, most: usize) -> mlua::Result<()> {
    if arguments.len() > most { Err(arguments.bad(most, "found too many arguments")) } else { Ok(()) }
}

fn depth(setting: &mut usize, arguments: &Arguments<'_>) -> mlua::Result<Value> {
    *setting = whole(arguments, 0, *setting, (1, i32::MAX as usize))?.min(DEEPEST);
    Ok(Value::Integer(*setting as i64))
}

fn precision(settings: &mut Settings, arguments: &Arguments<'_>) -> mlua::Result<Value> {
    settings.precision = whole(arguments, 0, settings.precision, (1, 14))?;
    Ok(Value::Integer(settings.precision as i64))
}

fn encode_invalid(settings: &mut Settings, arguments: &Arguments<'_>) -> mlua::Result<Value> {
    const WORDS: [(&str, Invalid); 3] =
        [("off", Invalid::Refused), ("on", Invalid::Written), ("null", Invalid::Null)];
    settings.invalid = match arguments.get(0) {
        Some(Value::Boolean(true)) => Invalid::Written,
        Some(Value::Boolean(false)) => Invalid::Refused,
        _ => option(arguments, settings.invalid, &WORDS)?,
    };
    match settings.invalid {
        Invalid::Refused => Ok(Value::Boolean(false)),
        Invalid::Written => Ok(Value::Boolean(true)),
        Invalid::Null => arguments.text("null"),
    }
}

fn sparse(sparse: &mut Sparse, arguments: &Arguments<'_>) -> mlua::Result<(bool, usize, usize)> {
    check_count(arguments, 3)?;
    switch(&mut sparse.convert, arguments)?;
    sparse.ratio = whole(arguments, 1, sparse.ratio, (0, i32::MAX as usize))?;
    sparse.safe = whole(arguments, 2, sparse.safe, (0, i32::MAX as usize))?;
    Ok((sparse.convert, sparse.ratio, sparse.safe))
}

/// Sets what the first argument says, if there is one. What it is then.
fn switch(setting: &mut bool, arguments: &Arguments<'_>) -> mlua::Result<bool> {
    *setting = match arguments.get(0) {
        Some(Value::Boolean(to)) => *to,
        _ => option(arguments, *setting, &[("off", false), ("on", true)])?,
    };
    Ok(*setting)
}

/// What the first argument stands for among `words`, as Lua's `luaL_checkoption` reads it.
fn option<T: Copy>(arguments: &Arguments<'_>, is: T, words: &[(&str, T)]) -> mlua::Result<T> {
    if matches!(arguments.get(0), None | Some(Value::Nil)) {
        return Ok(is);
    }
    let given = arguments.string(0)?;
    let found = words.iter().find(|(word, _)| given == *word);
    let invalid = || arguments.bad(0, &format!("invalid option '{}'", given.to_string_lossy()));
    found.map(|(_, option)| *option).ok_or_else(invalid)
}

/// Like `lua_cjson` it complains of the first argument, whichever is out of range.
fn whole(
    arguments: &Arguments<'_>,
    at: usize,
    is: usize,
    (least, most): (usize, usize),
) -> mlua::Result<usize> {
    let number = arguments.number_or(at, is as f64)?;
    if number < least as f64 || number > most as f64 {
        return Err(arguments.bad(0, &format!("expected integer between {least} and {most}")));
    }
    Ok(number as usize)
}
