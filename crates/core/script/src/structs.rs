//! `struct`: values to bytes of a given form, and back. <https://redis.io/docs/latest/develop/programmability/lua-api/#struct-library>

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use crate::MEMORY;
use crate::arguments::Arguments;

mod format;

use format::{Field, Fields, Kind};

pub(crate) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    library.raw_set("size", lua.create_function(size)?)?;
    Ok(library)
}

fn pack(lua: &Lua, values: Variadic<Value>) -> mlua::Result<Value> {
    let arguments = Arguments::new(lua, "pack", values);
    let form = arguments.string(0)?;
    let (mut out, mut at) = (Vec::new(), 1);
    let form = form.as_bytes();
    let mut fields = Fields::new(&form);
    while let Some(field) = fields.next(out.len()).map_err(|text| wrong_format(&arguments, &text))? {
        if out.len() + field.padding + field.size > MEMORY {
            return Err(arguments.complain("result is too large"));
        }
        out.resize(out.len() + field.padding, 0);
        at += usize::from(pack_field(&arguments, at, &field, &mut out)?);
    }
    Ok(Value::String(lua.create_string(out)?))
}

/// Whether it took an argument.
fn pack_field(arguments: &Arguments<'_>, at: usize, field: &Field, out: &mut Vec<u8>) -> mlua::Result<bool> {
    match field.kind {
        Kind::Padding => {
            out.push(0);
            return Ok(false);
        }
        Kind::Signed | Kind::Unsigned => {
            let number = arguments.number(at)?;
            let bits = if number < 0.0 { number as i64 as u64 } else { number as u64 };
            field.put(bits, out);
        }
        Kind::Float => field.put(u64::from((arguments.number(at)? as f32).to_bits()), out),
        Kind::Double => field.put(arguments.number(at)?.to_bits(), out),
        Kind::Chars => {
            let text = arguments.string(at)?;
            let text = text.as_bytes();
            let length = if field.size == 0 { text.len() } else { field.size };
            let part = text.get(..length).ok_or_else(|| arguments.bad(at + 1, "string too short"))?;
            out.extend_from_slice(part);
        }
        Kind::Terminated => {
            out.extend_from_slice(&arguments.string(at)?.as_bytes());
            out.push(0);
        }
    }
    Ok(true)
}

/// `unpack(form, bytes [, position])`: the values, and the position behind them.
fn unpack(lua: &Lua, values: Variadic<Value>) -> mlua::Result<MultiValue> {
    let arguments = Arguments::new(lua, "unpack", values);
    let (form, bytes) = (arguments.string(0)?, arguments.string(1)?);
    let (form, bytes) = (form.as_bytes(), bytes.as_bytes());
    let position = arguments.number_or(2, 1.0)?;
    if position < 1.0 {
        return Err(arguments.bad(2, "offset must be 1 or greater"));
    }
    let mut reader =
        Unpacker { lua, arguments: &arguments, bytes: &bytes, at: position as usize - 1, values: vec![] };
    let mut fields = Fields::new(&form);
    while let Some(field) = fields.next(reader.at).map_err(|text| wrong_format(&arguments, &text))? {
        reader.field(&field)?;
    }
    let Unpacker { mut values, at, .. } = reader;
    values.push(Value::Integer(at as i64 + 1));
    Ok(MultiValue::from_vec(values))
}

struct Unpacker<'a> {
    lua: &'a Lua,
    arguments: &'a Arguments<'a>,
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
}

impl<'a> Unpacker<'a> {
    fn field(&mut self, field: &Field) -> mlua::Result<()> {
        self.take(field.padding)?;
        let value = match field.kind {
            Kind::Padding => {
                self.take(1)?;
                return Ok(());
            }
            Kind::Signed => Value::Number(field.signed(self.take(field.size)?) as f64),
            Kind::Unsigned => Value::Number(field.unsigned(self.take(field.size)?) as f64),
            Kind::Float => {
                let bits = field.unsigned(self.take(field.size)?) as u32;
                Value::Number(f64::from(f32::from_bits(bits)))
            }
            Kind::Double => Value::Number(f64::from_bits(field.unsigned(self.take(field.size)?))),
            Kind::Chars => {
                let length = if field.size == 0 { self.previous_size()? } else { field.size };
                Value::String(self.lua.create_string(self.take(length)?)?)
            }
            Kind::Terminated => self.terminated()?,
        };
        self.values.push(value);
        Ok(())
    }

    fn take(&mut self, count: usize) -> mlua::Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let bytes = end.and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.arguments.bad(1, "data string too short"))?;
        self.at += count;
        Ok(bytes)
    }

    /// `c0` has the length that was read before it.
    fn previous_size(&mut self) -> mlua::Result<usize> {
        match self.values.pop() {
            Some(Value::Number(size)) if size >= 0.0 => Ok(size as usize),
            _ => Err(self.arguments.complain("format 'c0' needs a previous size")),
        }
    }

    fn terminated(&mut self) -> mlua::Result<Value> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0);
        let length = length.ok_or_else(|| self.arguments.complain("unfinished string in data"))?;
        self.at += length + 1;
        Ok(Value::String(self.lua.create_string(&rest[..length])?))
    }
}

fn size(lua: &Lua, values: Variadic<Value>) -> mlua::Result<usize> {
    let arguments = Arguments::new(lua, "size", values);
    let form = arguments.string(0)?;
    let form = form.as_bytes();
    let (mut fields, mut total) = (Fields::new(&form), 0_usize);
    while let Some(field) = fields.next(total).map_err(|text| wrong_format(&arguments, &text))? {
        match field.kind {
            Kind::Terminated => return Err(arguments.bad(0, "option 's' has no fixed size")),
            Kind::Chars if field.size == 0 => {
                return Err(arguments.bad(0, "option 'c0' has no fixed size"));
            }
            _ => total = total.saturating_add(field.padding + field.size),
        }
    }
    Ok(total)
}

fn wrong_format(arguments: &Arguments<'_>, problem: &format::Problem) -> mlua::Error {
    match problem {
        format::Problem::Option(text) => arguments.bad(0, text),
        format::Problem::Text(text) => arguments.complain(text),
    }
}
