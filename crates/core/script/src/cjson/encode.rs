//! Values to JSON.

use mlua::{Table, Value};

use super::{Invalid, Settings};
use crate::MEMORY;
use crate::arguments::type_name;
use crate::digits::general;
use crate::interpreter::{Course, Pace};

/// Or what is wrong with it.
pub(super) fn encode(value: &Value, course: &Course) -> Result<Vec<u8>, String> {
    let settings = *course.json.lock();
    let mut encoder = Encoder { out: Vec::new(), settings, pace: Pace::new(course) };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder<'c> {
    out: Vec<u8>,
    settings: Settings,
    pace: Pace<'c>,
}

/// What a table is.
enum Shape {
    Array(usize),
    Object,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        self.pace.step()?;
        if self.out.len() > MEMORY {
            return Err("Cannot serialise: not enough memory".to_owned());
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return Err(format!("Cannot serialise {}: type not supported", type_name(other))),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), String> {
        match self.settings.invalid {
            _ if number.is_finite() => {}
            Invalid::Refused => return Err("Cannot serialise number: must not be NaN or Inf".to_owned()),
            Invalid::Null => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
            Invalid::Written => {}
        }
        self.out.extend_from_slice(general(number, self.settings.precision).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for byte in text {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend_from_slice(&[b'\\', *byte]),
                8 => self.out.extend_from_slice(b"\\b"),
                9 => self.out.extend_from_slice(b"\\t"),
                10 => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                13 => self.out.extend_from_slice(b"\\r"),
                0..0x20 | 0x7f => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        if depth > self.settings.encode_depth {
            return Err(format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.shape(table)? {
            Shape::Array(length) => self.array(table, length, depth),
            Shape::Object => self.object(table, depth),
        }
    }

    /// An array has whole positive numbers as keys, and enough of them.
    fn shape(&mut self, table: &Table) -> Result<Shape, String> {
        let (mut last, mut count) = (0_usize, 0_usize);
        for pair in table.pairs::<Value, Value>() {
            self.pace.step()?;
            let (key, _) = pair.map_err(|error| error.to_string())?;
            match key {
                Value::Integer(key) if key > 0 => {
                    last = last.max(key as usize);
                    count += 1;
                }
                _ => return Ok(Shape::Object),
            }
        }
        let sparse = self.settings.sparse;
        if sparse.ratio > 0 && last > count.saturating_mul(sparse.ratio) && last > sparse.safe {
            if sparse.convert {
                return Ok(Shape::Object);
            }
            return Err("Cannot serialise table: excessively sparse array".to_owned());
        }
        Ok(if last == 0 { Shape::Object } else { Shape::Array(last) })
    }

    fn array(&mut self, table: &Table, length: usize, depth: usize) -> Result<(), String> {
        self.out.push(b'[');
        for at in 1..=length {
            if at > 1 {
                self.out.push(b',');
            }
            let value: Value = table.raw_get(at).map_err(|error| error.to_string())?;
            self.value(&value, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        self.out.push(b'{');
        for (at, pair) in table.pairs::<Value, Value>().enumerate() {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            if at > 0 {
                self.out.push(b',');
            }
            self.key(&key)?;
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), String> {
        let number = match key {
            Value::String(text) => {
                self.text(&text.as_bytes());
                return Ok(());
            }
            Value::Integer(number) => *number as f64,
            Value::Number(number) => *number,
            other => {
                let of = type_name(other);
                return Err(format!("Cannot serialise {of}: table key must be a number or string"));
            }
        };
        self.out.push(b'"');
        self.number(number)?;
        self.out.push(b'"');
        Ok(())
    }
}
