//! Errors on their way through Lua.
//!
//! A function here cannot raise a Lua value, only an error that Lua sees as an opaque object. So whatever catches errors
//! for a script (`pcall` and the like, see `sandbox.lua`) has it revealed first, as Redis would have raised it.

use mlua::{Error, Lua, Table, Value};

use crate::End;
use crate::sandbox::NAME;

/// Calls that are looked at to find the place of an error.
const DEEPEST_CALL: usize = 12;

/// What Redis calls the field of an error that its statistics know of.
pub(crate) const COUNTED: &str = "ignore_error_stats_update";

/// What is raised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Raised {
    /// A table with this text, which begins with a code, as `err`.
    #[error("{0}")]
    Reply(String),
    /// The same: what a command has answered, which has been counted as an error already.
    #[error("{0}")]
    Answer(String),
    /// A text, with the place in the script.
    #[error("{0}")]
    Text(String),
    /// The script has to end.
    #[error("{0}")]
    Ended(End),
}

impl From<Raised> for Error {
    fn from(raised: Raised) -> Error {
        Error::external(raised)
    }
}

/// An error with the place from which the running function was called, as `luaL_error` makes it.
pub(crate) fn complain(lua: &Lua, text: &str) -> Error {
    let place = lua.inspect_stack(1, |caller| {
        let line = caller.current_line()?;
        Some(format!("{}:{line}: ", caller.source().short_src?))
    });
    Raised::Text(place.flatten().unwrap_or_default() + text).into()
}

/// What a script sees of an error that it has caught.
pub(crate) fn reveal(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match find(&error) {
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(raised) => {
            let table = lua.create_table_with_capacity(0, 1)?;
            table.raw_set("err", raised.to_string())?;
            if matches!(raised, Raised::Answer(_)) {
                table.raw_set(COUNTED, true)?;
            }
            Ok(Value::Table(table))
        }
        None => Ok(Value::String(lua.create_string(message(&error))?)),
    }
}

fn find(error: &Error) -> Option<&Raised> {
    match error {
        Error::CallbackError { cause, .. } | Error::BadArgument { cause, .. } => find(cause),
        Error::ExternalError(raised) => raised.downcast_ref(),
        _ => None,
    }
}

/// The first line of what the binding to Lua has to say: the others are a trace.
pub(crate) fn message(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => message(cause),
        Error::MemoryError(_) => "not enough memory".to_owned(),
        Error::RuntimeError(text) => text.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

/// What becomes of an error that no script has caught: a table with its text and where it came from.
pub(crate) fn locate(lua: &Lua, error: Value) -> mlua::Result<Table> {
    let error = reveal(lua, error)?;
    let table = lua.create_table_with_capacity(0, 3)?;
    let place = place(lua);
    let text = match &error {
        Value::Table(error) => error.raw_get::<Option<mlua::LuaString>>("err").ok().flatten(),
        _ => None,
    };
    match text {
        Some(text) => {
            table.raw_set("err", text)?;
            table.raw_set(COUNTED, error.as_table().is_some_and(is_counted))?;
        }
        None => table.raw_set("err", format!("ERR {}", located(&error, place.as_ref())))?,
    }
    if let Some((source, line)) = place {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

/// Whether it says of itself that it has been counted as an error.
pub fn is_counted(error: &Table) -> bool {
    error.raw_get(COUNTED).unwrap_or(false)
}

/// The source and the line of the script that the running function was called from.
fn place(lua: &Lua) -> Option<(String, i64)> {
    // A function that is not a script's own stands for the one that has called it.
    for level in 1..DEEPEST_CALL {
        let place = lua.inspect_stack(level, |function| {
            let source = function.source();
            let line = function.current_line().map_or(-1, |line| line as i64);
            let name = source.source.unwrap_or_default();
            (source.what != "C" && name != NAME).then(|| (name.into_owned(), line))
        });
        match place {
            Some(None) => {}
            Some(place) => return place,
            None => break,
        }
    }
    None
}

/// The text of an error. One that was raised in the sandbox is the script's all the same.
fn located(error: &Value, place: Option<&(String, i64)>) -> String {
    let text = match error {
        Value::Nil => "nil".to_owned(),
        Value::String(text) => text.to_string_lossy(),
        other => other.to_string().unwrap_or_else(|_| other.type_name().to_owned()),
    };
    let within = text.strip_prefix(&NAME[1..]).and_then(|rest| rest.split_once(": "));
    match (within, place) {
        (Some((_, text)), Some((source, line))) => {
            format!("{}:{line}: {text}", source.trim_start_matches('@'))
        }
        _ => text,
    }
}
