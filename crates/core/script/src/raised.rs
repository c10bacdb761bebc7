//! Errors on their way through Lua.
//!
//! A function here cannot raise a Lua value, only an error that Lua sees as an opaque object. So whatever catches errors
//! for a script (`pcall` and the like, see `sandbox.lua`) has it revealed first, as Redis would have raised it.

use mlua::{Error, Lua, Value};

use crate::End;

/// What is raised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Raised {
    /// A table with this text, which begins with a code, as `err`: what a command has answered.
    #[error("{0}")]
    Reply(String),
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
