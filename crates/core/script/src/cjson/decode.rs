//! JSON to values.

use mlua::{Error, Lua, Value};

use super::Settings;
use crate::interpreter::{Course, Pace};

/// What is wrong with the text, or with Lua.
pub(super) enum Problem {
    Text(String),
    Lua(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::Lua(error)
    }
}

pub(super) struct Decoder<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    depth: usize,
    settings: Settings,
    pace: Pace<'a>,
}

#[derive(Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// What is wrong, and where if not at the beginning.
    Error(&'static str, Option<usize>),
}

impl Token {
    /// In messages.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what, _) => what,
        }
    }
}

impl<'a> Decoder<'a> {
    pub(super) fn new(lua: &'a Lua, text: &'a [u8], course: &'a Course) -> Decoder<'a> {
        let settings = *course.json.lock();
        Decoder { lua, text, at: 0, depth: 0, settings, pace: Pace::new(course) }
    }

    pub(super) fn decode(mut self) -> Result<Value, Problem> {
        let (token, at) = self.next();
        let value = self.value(token, at)?;
        match self.next() {
            (Token::End, _) => Ok(value),
            (token, at) => Err(expected("the end", &token, at)),
        }
    }

    fn value(&mut self, token: Token, at: usize) -> Result<Value, Problem> {
        self.pace.step().map_err(Problem::Text)?;
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.nested(Self::object)?,
            Token::ArrayBegin => self.nested(Self::array)?,
            other => return Err(expected("value", &other, at)),
        })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth {
            let text =
                format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
            return Err(Problem::Text(text));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Problem> {
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.next();
        if matches!(token, Token::ObjectEnd) {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else { return Err(expected("object key string", &token, at)) };
            match self.next() {
                (Token::Colon, _) => {}
                (other, at) => return Err(expected("colon", &other, at)),
            }
            let (first, from) = self.next();
            let value = self.value(first, from)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.next() {
                (Token::ObjectEnd, _) => return Ok(Value::Table(table)),
                (Token::Comma, _) => (token, at) = self.next(),
                (other, at) => return Err(expected("comma or object end", &other, at)),
            }
        }
    }

    fn array(&mut self) -> Result<Value, Problem> {
        let table = self.lua.create_table()?;
        let (mut token, mut at) = self.next();
        if matches!(token, Token::ArrayEnd) {
            return Ok(Value::Table(table));
        }
        for place in 1.. {
            let value = self.value(token, at)?;
            table.raw_set(place, value)?;
            match self.next() {
                (Token::ArrayEnd, _) => break,
                (Token::Comma, _) => (token, at) = self.next(),
                (other, at) => return Err(expected("comma or array end", &other, at)),
            }
        }
        Ok(Value::Table(table))
    }

    /// The next token, and where it begins.
    fn next(&mut self) -> (Token, usize) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let at = self.at;
        let Some(byte) = self.peek() else { return (Token::End, at) };
        let single = match byte {
            b'{' => Some(Token::ObjectBegin),
            b'}' => Some(Token::ObjectEnd),
            b'[' => Some(Token::ArrayBegin),
            b']' => Some(Token::ArrayEnd),
            b':' => Some(Token::Colon),
            b',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            return (token, at);
        }
        let token = match byte {
            b'"' => self.string(),
            b'-' | b'+' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        };
        (token, at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn word(&mut self) -> Token {
        for (word, token) in
            [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)]
        {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        self.number()
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
        let text = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        let starts_as_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let number = text.parse::<f64>().ok();
        match number {
            Some(number) if number.is_finite() && starts_as_number && !has_leading_zero(text) => {
                self.at += length;
                Token::Number(number)
            }
            Some(number) if self.settings.decode_invalid && !text.starts_with('+') => {
                self.at += length;
                Token::Number(number)
            }
            _ if starts_as_number => Token::Error("invalid number", None),
            _ => Token::Error("invalid token", None),
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let at = self.at;
            let Some(byte) = self.peek() else { return Token::Error("unexpected end of string", Some(at)) };
            self.at += 1;
            match byte {
                b'"' => return Token::String(text),
                b'\\' => {
                    if let Err(what) = self.escape(&mut text) {
                        return Token::Error(what, Some(at));
                    }
                }
                byte => text.push(byte),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let escaped = self.peek().ok_or("unexpected end of string")?;
        self.at += 1;
        text.push(match escaped {
            b'"' | b'\\' | b'/' => escaped,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = self.unicode().ok_or("invalid unicode escape code")?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        });
        Ok(())
    }

    /// One escape, or a pair of surrogates.
    fn unicode(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if self.text.get(self.at..self.at + 2)? != b"\\u" {
            return None;
        }
        self.at += 2;
        let second = self.four_digits().filter(|second| (0xdc00..0xe000).contains(second))?;
        char::from_u32(0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff))
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| Some(number * 16 + (*digit as char).to_digit(16)?))
    }
}

fn expected(what: &str, found: &Token, at: usize) -> Problem {
    let at = if let Token::Error(_, Some(at)) = found { *at } else { at };
    Problem::Text(format!("Expected {what} but found {} at character {}", found.name(), at + 1))
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches('-').as_bytes();
    digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit()
}
