//! What a script returns, as a reply. <https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion>

use adsum_script::mlua::{LuaString, Table, Value};

use crate::Writer;

/// What is nested deeper is refused: it costs the stack of the thread.
const DEEPEST: usize = 200;

/// `resp3`: what the script has asked for, which says what its booleans mean. Or what is wrong with it.
pub(super) fn write(value: &Value, resp3: bool, out: &mut Writer<'_>) -> Result<(), String> {
    write_at(value, resp3, 0, out)
}

fn write_at(value: &Value, resp3: bool, depth: usize, out: &mut Writer<'_>) -> Result<(), String> {
    if depth > DEEPEST {
        return Err("ERR reached lua stack limit".to_owned());
    }
    if out.mark() > crate::limits::EXEC_REPLY {
        return Err(format!("ERR the reply of a script has {} bytes at most", crate::limits::EXEC_REPLY));
    }
    match value {
        Value::String(text) => out.bulk(&text.as_bytes()),
        Value::Integer(number) => out.integer(*number),
        Value::Number(number) => out.integer(truncated(*number)),
        Value::Boolean(value) if resp3 => out.truth(*value),
        Value::Boolean(true) => out.integer(1),
        Value::Table(table) => write_table(table, resp3, depth, out)?,
        _ => out.null(),
    }
    Ok(())
}

/// As the processor of most servers of Redis converts it: what does not fit is the least number.
fn truncated(number: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&number) { number as i64 } else { i64::MIN }
}

fn write_table(table: &Table, resp3: bool, depth: usize, out: &mut Writer<'_>) -> Result<(), String> {
    let named = |name: &str| table.raw_get::<Value>(name).map_err(|error| error.to_string());
    if let Value::String(text) = named("err")? {
        out.error(&text.to_string_lossy());
    } else if let Value::String(text) = named("ok")? {
        out.simple(&text.to_string_lossy().replace(['\r', '\n'], " "));
    } else if let Some(number) =
        named("double")?.as_number().or(named("double")?.as_integer().map(|n| n as f64))
    {
        out.double(number);
    } else if let Value::Table(map) = named("map")? {
        write_map(&map, resp3, depth, out)?;
    } else if let Value::Table(set) = named("set")? {
        write_set(&set, resp3, depth, out)?;
    } else if let Value::String(digits) = named("big_number")? {
        out.big_number(&digits.to_string_lossy().replace(['\r', '\n'], " "));
    } else if let Value::Table(verbatim) = named("verbatim_string")? {
        write_verbatim(&verbatim, out);
    } else {
        write_array(table, resp3, depth, out)?;
    }
    Ok(())
}

/// Up to the first nil.
fn write_array(table: &Table, resp3: bool, depth: usize, out: &mut Writer<'_>) -> Result<(), String> {
    let mark = out.begin_array();
    for at in 1.. {
        let value: Value = table.raw_get(at).map_err(|error| error.to_string())?;
        if value.is_nil() {
            out.end_array(mark, at - 1);
            break;
        }
        write_at(&value, resp3, depth + 1, out)?;
    }
    Ok(())
}

fn write_map(map: &Table, resp3: bool, depth: usize, out: &mut Writer<'_>) -> Result<(), String> {
    out.map(count(map));
    each(map, |key, value| {
        write_at(key, resp3, depth + 1, out)?;
        write_at(value, resp3, depth + 1, out)
    })
}

fn write_set(set: &Table, resp3: bool, depth: usize, out: &mut Writer<'_>) -> Result<(), String> {
    out.set(count(set));
    each(set, |key, _| write_at(key, resp3, depth + 1, out))
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
