//! The value of an expression, as the field that it is compared with has it.

use serde_json::Value;

use crate::Shape;

/// Numbers are integers of either sign wherever they can be: no field loses digits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Flag(bool),
    Whole(i128),
    Number(f64),
}

impl Literal {
    /// None when it cannot be a value of that kind.
    pub(crate) fn of(raw: &str, shape: &Shape) -> Option<Literal> {
        match shape {
            Shape::Text => Some(Literal::Text(raw.to_string())),
            Shape::Flag => flag(raw).map(Literal::Flag),
            Shape::Whole => whole(raw).map(Literal::Whole),
            Shape::Number => raw.parse().ok().map(Literal::Number),
            Shape::List(_) | Shape::Map(_) | Shape::Object(_) => None,
        }
    }

    /// Whether a value is the same. What is absent is not.
    pub(crate) fn equals(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Literal::Text(text), Some(Value::String(value))) => text == value,
            (Literal::Flag(flag), Some(Value::Bool(value))) => flag == value,
            (Literal::Whole(whole), Some(Value::Number(value))) => {
                let signed = value.as_i64().map(i128::from);
                signed.or_else(|| value.as_u64().map(i128::from)) == Some(*whole)
            }
            (Literal::Number(number), Some(Value::Number(value))) => value.as_f64() == Some(*number),
            _ => false,
        }
    }
}

/// The words that Go's `strconv.ParseBool` knows.
fn flag(raw: &str) -> Option<bool> {
    match raw {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn whole(raw: &str) -> Option<i128> {
    let (negative, digits) = raw.strip_prefix('-').map_or((false, raw), |digits| (true, digits));
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let size = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let size = i128::from(size.ok()?);
    Some(if negative { -size } else { size })
}
