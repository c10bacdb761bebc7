//! Values to MessagePack.

use mlua::{Table, Value};

use crate::MEMORY;

/// What is nested deeper becomes nil.
const DEEPEST: usize = 16;

pub(super) fn pack(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    if out.len() > MEMORY {
        return Err("not enough memory".to_owned());
    }
    match value {
        Value::String(text) => string(&text.as_bytes(), out),
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => integer(*number, out),
        Value::Number(number) => float(*number, out),
        Value::Table(inner) if depth < DEEPEST => table(inner, out, depth)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..32 => out.push(0xa0 | length as u8),
        length @ 32..256 => out.extend([0xd9, length as u8]),
        length => header(length, [0xda, 0xdb], out),
    }
    out.extend_from_slice(text);
}

/// A length of 16 or 32 bits.
fn header(length: usize, [short, long]: [u8; 2], out: &mut Vec<u8>) {
    match u16::try_from(length) {
        Ok(length) => {
            out.push(short);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(long);
            out.extend((length as u32).to_be_bytes());
        }
    }
}

fn integer(number: i64, out: &mut Vec<u8>) {
    match number {
        -32..128 => out.push(number as u8),
        128..0x100 => out.extend([0xcc, number as u8]),
        0x100..0x1_0000 => tagged(0xcd, &(number as u16).to_be_bytes(), out),
        0x1_0000..0x1_0000_0000 => tagged(0xce, &(number as u32).to_be_bytes(), out),
        0x1_0000_0000.. => tagged(0xcf, &number.to_be_bytes(), out),
        -128..-32 => out.extend([0xd0, number as u8]),
        -0x8000..-128 => tagged(0xd1, &(number as i16).to_be_bytes(), out),
        -0x8000_0000..-0x8000 => tagged(0xd2, &(number as i32).to_be_bytes(), out),
        _ => tagged(0xd3, &number.to_be_bytes(), out),
    }
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// As an integer if it is one, with 32 bits if they are enough.
fn float(number: f64, out: &mut Vec<u8>) {
    let whole = number as i64;
    if whole as f64 == number && whole != i64::MAX {
        integer(whole, out);
    } else if f64::from(number as f32) == number {
        tagged(0xca, &(number as f32).to_be_bytes(), out);
    } else {
        tagged(0xcb, &number.to_be_bytes(), out);
    }
}

fn table(table: &Table, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    let text = |error: mlua::Error| error.to_string();
    let (mut last, mut count, mut whole) = (0, 0, true);
    for pair in table.pairs::<Value, Value>() {
        match pair.map_err(text)?.0 {
            Value::Integer(key) if key > 0 => last = last.max(key as usize),
            _ => whole = false,
        }
        count += 1;
    }
    if whole && last == count {
        match count {
            0..16 => out.push(0x90 | count as u8),
            count => header(count, [0xdc, 0xdd], out),
        }
        return (1..=count).try_for_each(|at| {
            let value: Value = table.raw_get(at).map_err(text)?;
            pack(&value, out, depth + 1)
        });
    }
    match count {
        0..16 => out.push(0x80 | count as u8),
        count => header(count, [0xde, 0xdf], out),
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(text)?;
        pack(&key, out, depth + 1)?;
        pack(&value, out, depth + 1)?;
    }
    Ok(())
}
