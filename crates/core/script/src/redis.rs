//! The table `redis`, but for `pcall`. <https://redis.io/docs/latest/develop/programmability/lua-api/#redis_object>
//!
//! What concerns replication and debugging has no effect: what goes to the journal are changes, never scripts.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mlua::{Lua, Table, Value, Variadic};

use crate::calls;
use crate::interpreter::Course;
use crate::raised::Raised;
use crate::sha1;

/// The version whose commands clients may expect, as INFO has it.
const VERSION: (&str, i64) = ("7.2.4", 0x0007_0204);

pub(crate) fn library(lua: &Lua, course: &Arc<Course>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let numbers = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", VERSION.1),
    ];
    for (name, number) in numbers {
        redis.raw_set(name, number)?;
    }
    redis.raw_set("REDIS_VERSION", VERSION.0)?;
    redis.raw_set("call", calls::function(lua, course)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    let own = course.clone();
    redis.raw_set(
        "setresp",
        lua.create_function(move |lua, values: Variadic<Value>| setresp(lua, &own, &values))?,
    )?;
    redis.raw_set("replicate_commands", lua.create_function(|_, _: Variadic<Value>| Ok(true))?)?;
    redis.raw_set("acl_check_cmd", lua.create_function(|_, _: Variadic<Value>| Ok(true))?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, _: Variadic<Value>| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: Variadic<Value>| Ok(()))?)?;
    Ok(redis)
}

pub(crate) fn refuse<T>(text: &str) -> mlua::Result<T> {
    Err(Raised::Reply(format!("ERR {text}")).into())
}

/// Checked as there; there is no log that clients could write to.
fn log(_: &Lua, values: Variadic<Value>) -> mlua::Result<()> {
    let [level, _, ..] = &values[..] else {
        return refuse("redis.log() requires two arguments or more.");
    };
    match level {
        Value::Integer(0..=3) => Ok(()),
        Value::Integer(_) | Value::Number(_) => refuse("Invalid debug level."),
        _ => refuse("First argument must be a number (log level)."),
    }
}

fn sha1hex(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Value> {
    let [value] = &values[..] else { return refuse("wrong number of arguments") };
    let text = lua.coerce_string(value.clone())?;
    let hex = text.map_or_else(|| sha1::hex(b""), |text| sha1::hex(&text.as_bytes()));
    Ok(Value::String(lua.create_string(hex)?))
}

fn table(lua: &Lua, field: &str, text: &[u8]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(field, lua.create_string(text)?)?;
    Ok(table)
}

/// With `ERR` before it unless it brings a code of its own, behind a dash.
fn error_reply(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Table> {
    let [Value::String(text)] = &values[..] else {
        return table(lua, "err", b"ERR wrong number or type of arguments");
    };
    let text = text.as_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    match text.contains(&b' ') {
        true => table(lua, "err", text),
        false => table(lua, "err", &[b"ERR ", text].concat()),
    }
}

fn status_reply(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Table> {
    match &values[..] {
        [Value::String(text)] => table(lua, "ok", &text.as_bytes()),
        _ => table(lua, "err", b"ERR wrong number or type of arguments"),
    }
}

fn set_repl(_: &Lua, values: Variadic<Value>) -> mlua::Result<()> {
    match &values[..] {
        [Value::Integer(0..=3)] => Ok(()),
        [_] => refuse("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."),
        _ => refuse("redis.set_repl() requires two arguments."),
    }
}

/// What can be read as a number is cut to a whole one, as in Redis.
fn setresp(lua: &Lua, course: &Course, values: &[Value]) -> mlua::Result<()> {
    let [value] = values else { return refuse("redis.setresp() requires one argument.") };
    match lua.coerce_number(value.clone())?.map(f64::trunc) {
        Some(2.0) => course.resp3.store(false, Relaxed),
        Some(3.0) => course.resp3.store(true, Relaxed),
        Some(_) | None => return refuse("RESP version must be 2 or 3."),
    }
    Ok(())
}
