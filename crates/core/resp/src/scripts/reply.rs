//! Replies as values of Lua. <https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion>

use adsum_script::mlua::{self, Lua, Table, Value};
use adsum_script::{Raised, Reply};

/// A reply that was written here.
pub(super) fn read(bytes: &[u8]) -> Reply<'_> {
    let mut rest = Rest(bytes);
    let (kind, line) = rest.line();
    match (kind, usize::try_from(number(line))) {
        (b':', _) => Reply::Integer(number(line)),
        (b'#', _) => Reply::Boolean(line == b"t"),
        (b'_', _) => Reply::Nil,
        (b'$', Ok(length)) => Reply::Text(rest.bytes(length)),
        // What is not there is false.
        (b'$', Err(_)) => Reply::Boolean(false),
        _ => Reply::Made(Box::new(move |lua, may_go_on| {
            Reader { lua, rest: Rest(bytes), may_go_on, texts: 0 }.value()
        })),
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The kind of what follows, and what is said of it.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = self.0.iter().position(|byte| *byte == b'\r').unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(2..).unwrap_or_default();
        line.split_first().map_or((b'_', &[][..]), |(kind, line)| (*kind, line))
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest.get(2..).unwrap_or_default();
        bytes
    }
}

struct Reader<'l, 'a> {
    lua: &'l Lua,
    rest: Rest<'a>,
    may_go_on: &'l dyn Fn() -> Result<(), Raised>,
    /// Made so far.
    texts: usize,
}

/// Texts from one question to the next whether it may go on.
const TEXTS: usize = 16;

impl Reader<'_, '_> {
    fn value(&mut self) -> mlua::Result<Value> {
        let (kind, line) = self.rest.line();
        match kind {
            b'+' => self.field("ok", line),
            b'-' => self.field("err", line),
            b'(' => self.field("big_number", line),
            b':' => Ok(Value::Integer(number(line))),
            b'#' => Ok(Value::Boolean(line == b"t")),
            b'_' => Ok(Value::Nil),
            b',' => self.double(line),
            b'$' => self.bulk(line),
            b'=' => self.verbatim(line),
            b'%' => self.map(line),
            b'~' => self.set(line),
            _ => self.array(line),
        }
    }

    fn text(&self, bytes: &[u8]) -> mlua::Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn one(&self, field: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(field, value)?;
        Ok(Value::Table(table))
    }

    fn field(&self, field: &str, bytes: &[u8]) -> mlua::Result<Value> {
        self.one(field, self.text(bytes)?)
    }

    fn double(&self, line: &[u8]) -> mlua::Result<Value> {
        let number = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
        self.one("double", Value::Number(number.unwrap_or(f64::NAN)))
    }

    /// What is not there is false.
    fn bulk(&mut self, line: &[u8]) -> mlua::Result<Value> {
        match usize::try_from(number(line)) {
            Ok(length) => {
                self.texts += 1;
                if self.texts.is_multiple_of(TEXTS) {
                    (self.may_go_on)()?;
                }
                let bytes = self.rest.bytes(length);
                self.text(bytes)
            }
            Err(_) => Ok(Value::Boolean(false)),
        }
    }

    fn verbatim(&mut self, line: &[u8]) -> mlua::Result<Value> {
        let bytes = self.rest.bytes(number(line) as usize);
        let (format, text) = bytes.split_at(bytes.len().min(4));
        let inner = self.lua.create_table_with_capacity(0, 2)?;
        inner.raw_set("format", self.text(format.strip_suffix(b":").unwrap_or(format))?)?;
        inner.raw_set("string", self.text(text)?)?;
        self.one("verbatim_string", Value::Table(inner))
    }

    fn array(&mut self, line: &[u8]) -> mlua::Result<Value> {
        let Ok(length) = usize::try_from(number(line)) else { return Ok(Value::Boolean(false)) };
        let table = self.lua.create_table_with_capacity(length, 0)?;
        for at in 1..=length {
            table.raw_set(at, self.value()?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, line: &[u8]) -> mlua::Result<Value> {
        let table = self.table(line)?;
        for _ in 0..number(line) {
            let key = self.value()?;
            table.raw_set(key, self.value()?)?;
        }
        self.one("map", Value::Table(table))
    }

    fn set(&mut self, line: &[u8]) -> mlua::Result<Value> {
        let table = self.table(line)?;
        for _ in 0..number(line) {
            table.raw_set(self.value()?, true)?;
        }
        self.one("set", Value::Table(table))
    }

    fn table(&self, line: &[u8]) -> mlua::Result<Table> {
        self.lua.create_table_with_capacity(0, number(line) as usize)
    }
}

fn number(line: &[u8]) -> i64 {
    crate::number::parse_integer(line).unwrap_or_default()
}
