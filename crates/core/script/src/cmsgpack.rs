//! `cmsgpack`: MessagePack as scripts of Redis write and read it. <https://github.com/msgpack/msgpack/blob/master/spec.md>

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use crate::arguments::Arguments;

mod pack;
mod unpack;

pub(crate) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_DESCRIPTION", "MessagePack for scripts")?;
    library.raw_set("_COPYRIGHT", "")?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    library.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    library.raw_set("unpack_limit", lua.create_function(unpack_limit)?)?;
    Ok(library)
}

fn pack(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Value> {
    if values.is_empty() {
        let text = "bad argument #0 to 'pack' (MessagePack pack needs input.)";
        return Err(crate::raised::complain(lua, text));
    }
    let mut bytes = Vec::new();
    for value in values.iter() {
        pack::pack(value, &mut bytes, 0).map_err(|text| crate::raised::complain(lua, &text))?;
    }
    Ok(Value::String(lua.create_string(bytes)?))
}

/// All that is packed.
fn unpack(lua: &Lua, values: Variadic<Value>) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, "unpack", values);
    let text = arguments.string(0)?;
    let (values, _) = read(lua, &arguments, &text.as_bytes(), 0, usize::MAX)?;
    Ok(MultiValue::from_vec(values))
}

/// `unpack_one(s [, offset])`: the offset of the next, or -1, and one.
fn unpack_one(lua: &Lua, values: Variadic<Value>) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, "unpack_one", values);
    let offset = arguments.number_or(1, 0.0)?;
    unpack_some(lua, &arguments, offset, 1.0)
}

/// `unpack_limit(s, limit [, offset])`: the offset of the next, or -1, and as many as `limit`.
fn unpack_limit(lua: &Lua, values: Variadic<Value>) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, "unpack_limit", values);
    let (limit, offset) = (arguments.number(1)?, arguments.number_or(2, 0.0)?);
    unpack_some(lua, &arguments, offset, limit)
}

fn unpack_some(lua: &Lua, arguments: &Arguments<'_>, offset: f64, limit: f64) -> mlua::Result<MultiValue> {
    let text = arguments.string(0)?;
    let (offset, limit) = (offset as i64, limit as i64);
    if offset < 0 || limit < 0 {
        let text = format!(
            "Invalid request to unpack with offset of {offset} and limit of {}.",
            text.as_bytes().len()
        );
        return Err(arguments.complain(&text));
    }
    let length = text.as_bytes().len();
    if offset as usize > length {
        let text = format!("Start offset {offset} greater than input length {length}.");
        return Err(arguments.complain(&text));
    }
    // As there, none is all.
    let limit = if limit == 0 { usize::MAX } else { limit as usize };
    let (values, next) = read(lua, arguments, &text.as_bytes(), offset as usize, limit)?;
    let next = if next == length { -1 } else { next as i64 };
    let all = std::iter::once(Value::Integer(next)).chain(values);
    Ok(all.collect())
}

/// At most `limit` values, and where the next one begins.
fn read(
    lua: &Lua,
    arguments: &Arguments<'_>,
    bytes: &[u8],
    offset: usize,
    limit: usize,
) -> mlua::Result<(Vec<Value>, usize)> {
    let mut reader = unpack::Reader::new(lua, bytes, offset);
    let mut values = Vec::new();
    while values.len() < limit && !reader.is_at_end() {
        values.push(reader.value(0).map_err(|problem| match problem {
            unpack::Problem::Text(text) => arguments.complain(text),
            unpack::Problem::Lua(error) => error,
        })?);
    }
    Ok((values, reader.at()))
}
