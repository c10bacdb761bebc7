//! MessagePack to values.

use mlua::{Error, Lua, Value};

pub(super) enum Problem {
    Text(&'static str),
    Lua(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::Lua(error)
    }
}

const MISSING: Problem = Problem::Text("Missing bytes in input.");
const BAD: Problem = Problem::Text("Bad data format in input.");
/// What is nested deeper is refused: it costs the stack of the thread.
const DEEPEST: usize = 200;

pub(super) struct Reader<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lua: &'a Lua, bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { lua, bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value, Problem> {
        if depth > DEEPEST {
            return Err(BAD);
        }
        let tag = self.take(1)?[0];
        Ok(match tag {
            0x00..=0x7f => Value::Integer(i64::from(tag)),
            0xe0..=0xff => Value::Integer(i64::from(tag as i8)),
            0x80..=0x8f => self.map(usize::from(tag & 15), depth)?,
            0x90..=0x9f => self.array(usize::from(tag & 15), depth)?,
            0xa0..=0xbf => self.string(usize::from(tag & 31))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xc4 | 0xd9 => self.sized(1)?,
            0xc5 | 0xda => self.sized(2)?,
            0xc6 | 0xdb => self.sized(4)?,
            0xca => Value::Number(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => Value::Number(self.unsigned(1 << (tag - 0xcc))? as f64),
            0xd0..=0xd3 => self.signed(1 << (tag - 0xd0))?,
            0xdc => self.long(2, depth, Self::array)?,
            0xdd => self.long(4, depth, Self::array)?,
            0xde => self.long(2, depth, Self::map)?,
            0xdf => self.long(4, depth, Self::map)?,
            _ => return Err(BAD),
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let end = self.at.checked_add(count).ok_or(MISSING)?;
        let bytes = self.bytes.get(self.at..end).ok_or(MISSING)?;
        self.at = end;
        Ok(bytes)
    }

    fn unsigned(&mut self, bytes: usize) -> Result<u64, Problem> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: usize) -> Result<Value, Problem> {
        let unused = 64 - bytes as u32 * 8;
        let number = (self.unsigned(bytes)? << unused) as i64 >> unused;
        Ok(Value::Number(number as f64))
    }

    fn string(&mut self, length: usize) -> Result<Value, Problem> {
        let bytes = self.take(length)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn sized(&mut self, bytes: usize) -> Result<Value, Problem> {
        let length = self.unsigned(bytes)? as usize;
        self.string(length)
    }

    fn long(
        &mut self,
        bytes: usize,
        depth: usize,
        read: fn(&mut Self, usize, usize) -> Result<Value, Problem>,
    ) -> Result<Value, Problem> {
        let length = self.unsigned(bytes)? as usize;
        read(self, length, depth)
    }

    /// Nothing is allocated for what is announced and not there.
    fn array(&mut self, length: usize, depth: usize) -> Result<Value, Problem> {
        let table = self.lua.create_table()?;
        for at in 1..=length {
            table.raw_set(at, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, Problem> {
        let table = self.lua.create_table()?;
        for _ in 0..length {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
