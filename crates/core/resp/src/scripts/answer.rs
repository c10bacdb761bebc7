//! What a script returns, as a reply. <https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion>

use adsum_script::is_counted;
use adsum_script::mlua::{LuaString, Table, Value};

use crate::Writer;
use crate::limits::EXEC_REPLY;
use crate::server::Errors;

/// What is nested deeper is refused: it costs the stack of the thread.
const DEEPEST: usize = 200;

/// Writes what a script returns.
pub(super) struct Answer<'a, 'w> {
    pub(super) out: &'a mut Writer<'w>,
    /// What the script has asked for, which says what its booleans mean.
    pub(super) resp3: bool,
    /// Those among what it returns that nobody has counted.
    pub(super) errors: &'a mut Errors,
}

impl Answer<'_, '_> {
    /// Or what is wrong with it: then nothing is written.
    pub(super) fn write(mut self, value: &Value) -> Result<(), String> {
        let mark = self.out.mark();
        self.write_at(value, 0).inspect_err(|_| self.out.truncate(mark))
    }

    fn write_at(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("ERR reached lua stack limit".to_owned());
        }
        if self.out.mark() > EXEC_REPLY {
            return Err(format!("ERR the reply of a script has {EXEC_REPLY} bytes at most"));
        }
        match value {
            Value::String(text) => self.out.bulk(&text.as_bytes()),
            Value::Integer(number) => self.out.integer(*number),
            Value::Number(number) => self.out.integer(truncated(*number)),
            Value::Boolean(value) if self.resp3 => self.out.truth(*value),
            Value::Boolean(true) => self.out.integer(1),
            Value::Table(table) => self.write_table(table, depth)?,
            _ => self.out.null(),
        }
        Ok(())
    }

    fn write_table(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        let named = |name: &str| table.raw_get::<Value>(name).map_err(|error| error.to_string());
        if let Value::String(text) = named("err")? {
            let text = text.to_string_lossy();
            if !is_counted(table) {
                self.errors.count(&text);
            }
            self.out.error(&text);
        } else if let Value::String(text) = named("ok")? {
            self.out.simple(&text.to_string_lossy().replace(['\r', '\n'], " "));
        } else if let Some(number) =
            named("double")?.as_number().or(named("double")?.as_integer().map(|n| n as f64))
        {
            self.out.double(number);
        } else if let Value::Table(map) = named("map")? {
            self.write_map(&map, depth)?;
        } else if let Value::Table(set) = named("set")? {
            self.write_set(&set, depth)?;
        } else if let Value::String(digits) = named("big_number")? {
            self.out.big_number(&digits.to_string_lossy().replace(['\r', '\n'], " "));
        } else if let Value::Table(verbatim) = named("verbatim_string")? {
            write_verbatim(&verbatim, self.out);
        } else {
            self.write_array(table, depth)?;
        }
        Ok(())
    }

    /// Up to the first nil.
    fn write_array(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        let mark = self.out.begin_array();
        for at in 1.. {
            let value: Value = table.raw_get(at).map_err(|error| error.to_string())?;
            if value.is_nil() {
                self.out.end_array(mark, at - 1);
                break;
            }
            self.write_at(&value, depth + 1)?;
        }
        Ok(())
    }

    fn write_map(&mut self, map: &Table, depth: usize) -> Result<(), String> {
        self.out.map(count(map));
        each(map, |key, value| {
            self.write_at(key, depth + 1)?;
            self.write_at(value, depth + 1)
        })
    }

    fn write_set(&mut self, set: &Table, depth: usize) -> Result<(), String> {
        self.out.set(count(set));
        each(set, |key, _| self.write_at(key, depth + 1))
    }
}

/// As the processor of most servers of Redis converts it: what does not fit is the least number.
fn truncated(number: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&number) { number as i64 } else { i64::MIN }
}

fn count(table: &Table) -> usize {
    table.pairs::<Value, Value>().count()
}

fn each(table: &Table, mut write: impl FnMut(&Value, &Value) -> Result<(), String>) -> Result<(), String> {
    table.pairs().try_for_each(|pair| {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        write(&key, &value)
    })
}

fn write_verbatim(verbatim: &Table, out: &mut Writer<'_>) {
    let text = |name: &str| verbatim.raw_get::<LuaString>(name).ok();
    match (text("format"), text("string")) {
        (Some(format), Some(text)) => out.verbatim_of(&format.as_bytes(), &text.as_bytes()),
        _ => out.null(),
    }
}
