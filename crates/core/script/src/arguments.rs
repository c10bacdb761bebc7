//! Arguments of library functions, read as Lua's own libraries read them, with their complaints.

use mlua::{Error, Lua, LuaString, Value, Variadic};

use crate::raised::complain;

/// What a function was called with.
pub(crate) struct Arguments<'l> {
    lua: &'l Lua,
    function: &'static str,
    values: Variadic<Value>,
}

impl<'l> Arguments<'l> {
    pub(crate) fn new(lua: &'l Lua, function: &'static str, values: Variadic<Value>) -> Arguments<'l> {
        Arguments { lua, function, values }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// From 0 on.
    pub(crate) fn get(&self, at: usize) -> Option<&Value> {
        self.values.get(at)
    }

    pub(crate) fn number(&self, at: usize) -> mlua::Result<f64> {
        let number = match self.get(at) {
            Some(Value::Integer(number)) => Some(*number as f64),
            Some(Value::Number(number)) => Some(*number),
            Some(text @ Value::String(_)) => self.lua.coerce_number(text.clone())?,
            _ => None,
        };
        number.ok_or_else(|| self.unexpected(at, "number"))
    }

    pub(crate) fn number_or(&self, at: usize, default: f64) -> mlua::Result<f64> {
        match self.get(at) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => self.number(at),
        }
    }

    pub(crate) fn string(&self, at: usize) -> mlua::Result<LuaString> {
        let text = match self.get(at) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(number @ (Value::Integer(_) | Value::Number(_))) => {
                self.lua.coerce_string(number.clone())?
            }
            _ => None,
        };
        text.ok_or_else(|| self.unexpected(at, "string"))
    }

    /// For the function to return.
    pub(crate) fn text(&self, text: &str) -> mlua::Result<Value> {
        self.lua.create_string(text).map(Value::String)
    }

    /// About an argument, counted from 0.
    pub(crate) fn bad(&self, at: usize, what: &str) -> Error {
        complain(self.lua, &format!("bad argument #{} to '{}' ({what})", at + 1, self.function))
    }

    pub(crate) fn complain(&self, text: &str) -> Error {
        complain(self.lua, text)
    }

    fn unexpected(&self, at: usize, expected: &str) -> Error {
        let got = self.get(at).map_or("no value", type_name);
        self.bad(at, &format!("{expected} expected, got {got}"))
    }
}

/// As Lua names it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}
