//! `bit`: operations on the 32 bits of a number. <https://bitop.luajit.org/api.html>

use mlua::{Lua, Table, Value, Variadic};

use crate::arguments::Arguments;

pub(crate) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    one(lua, &library, "tobit", |bits| bits)?;
    one(lua, &library, "bnot", |bits| !bits)?;
    one(lua, &library, "bswap", u32::swap_bytes)?;
    many(lua, &library, "band", |a, b| a & b)?;
    many(lua, &library, "bor", |a, b| a | b)?;
    many(lua, &library, "bxor", |a, b| a ^ b)?;
    shift(lua, &library, "lshift", |bits, by| bits << by)?;
    shift(lua, &library, "rshift", |bits, by| bits >> by)?;
    shift(lua, &library, "arshift", |bits, by| (bits as i32 >> by) as u32)?;
    shift(lua, &library, "rol", u32::rotate_left)?;
    shift(lua, &library, "ror", u32::rotate_right)?;
    library.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(library)
}

/// The lowest 32 bits of a number, which is rounded first.
fn bits(number: f64) -> u32 {
    const RANGE: f64 = 4_294_967_296.0;
    (number.round_ties_even() % RANGE) as i64 as u32
}

fn signed(bits: u32) -> i64 {
    i64::from(bits as i32)
}

fn one(lua: &Lua, library: &Table, name: &'static str, act: fn(u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, values: Variadic<Value>| {
        Ok(signed(act(bits(Arguments::new(lua, name, values).number(0)?))))
    })?;
    library.raw_set(name, function)
}

fn many(lua: &Lua, library: &Table, name: &'static str, act: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, values: Variadic<Value>| {
        let arguments = Arguments::new(lua, name, values);
        let mut result = bits(arguments.number(0)?);
        for at in 1..arguments.len() {
            result = act(result, bits(arguments.number(at)?));
        }
        Ok(signed(result))
    })?;
    library.raw_set(name, function)
}

fn shift(lua: &Lua, library: &Table, name: &'static str, act: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, values: Variadic<Value>| {
        let arguments = Arguments::new(lua, name, values);
        Ok(signed(act(bits(arguments.number(0)?), bits(arguments.number(1)?) & 31)))
    })?;
    library.raw_set(name, function)
}

/// `tohex(x [, n])`: as many digits as `n`, in upper case when it is negative.
fn tohex(lua: &Lua, values: Variadic<Value>) -> mlua::Result<String> {
    let arguments = Arguments::new(lua, "tohex", values);
    let (bits, digits) = (bits(arguments.number(0)?), arguments.number_or(1, 8.0)? as i32);
    let count = (digits.unsigned_abs() as usize).min(8);
    let all = if digits < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    Ok(all[8 - count..].to_owned())
}
