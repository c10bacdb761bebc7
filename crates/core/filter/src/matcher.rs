//! One comparison: a path to what is looked at, and what is to be found there.

use regex_lite::Regex;
use serde_json::Value;

use crate::Shape;
use crate::literal::Literal;

/// What is asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    /// Of a list an element, of a map a key, of a text a part.
    In,
    Matches,
    Empty,
}

#[derive(Debug)]
pub(crate) struct Match {
    path: Vec<String>,
    negated: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Equal(Literal),
    Element(Literal),
    Key(String),
    Part(String),
    Pattern(Regex),
    Empty,
}

impl Match {
    /// An error says why a field of that shape cannot be asked this.
    pub(crate) fn new(
        path: Vec<String>,
        shape: &'static Shape,
        operator: Operator,
        negated: bool,
        raw: String,
    ) -> Result<Match, String> {
        let test = Test::new(shape, operator, raw)?;
        Ok(Match { path, negated, test })
    }

    pub(crate) fn takes(&self, value: &Value) -> bool {
        self.any(Some(value), &self.path)
    }

    /// Of a list on the way it is enough if it holds of one element; `!=` of one that is different.
    fn any(&self, value: Option<&Value>, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return self.test.holds(value) != self.negated;
        };
        match value {
            Some(Value::Array(elements)) => elements.iter().any(|element| self.any(Some(element), path)),
            Some(Value::Object(fields)) => self.any(fields.get(first), rest),
            _ => self.any(None, rest),
        }
    }
}

impl Test {
    fn new(shape: &'static Shape, operator: Operator, raw: String) -> Result<Test, String> {
        let literal = |shape: &Shape| {
            Literal::of(&raw, shape).ok_or_else(|| format!("{raw:?} is no value of {}", noun(shape)))
        };
        match (operator, shape) {
            (Operator::Equal, Shape::Text | Shape::Flag | Shape::Whole | Shape::Number) => {
                literal(shape).map(Test::Equal)
            }
            (Operator::In, Shape::List(element)) => match element {
                Shape::List(_) | Shape::Map(_) | Shape::Object(_) => Err(refused(operator, shape)),
                element => literal(element).map(Test::Element),
            },
            (Operator::In, Shape::Map(_)) => Ok(Test::Key(raw)),
            (Operator::In, Shape::Text) => Ok(Test::Part(raw)),
            (Operator::Matches, Shape::Text) => Regex::new(&raw)
                .map(Test::Pattern)
                .map_err(|error| format!("{raw:?} is no regular expression: {error}")),
            (Operator::Empty, Shape::List(_) | Shape::Map(_) | Shape::Text) => Ok(Test::Empty),
            (operator, shape) => Err(refused(operator, shape)),
        }
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Test::Equal(literal), value) => literal.equals(value),
            (Test::Element(literal), Some(Value::Array(elements))) => {
                elements.iter().any(|element| literal.equals(Some(element)))
            }
            (Test::Key(key), Some(Value::Object(fields))) => fields.contains_key(key),
            (Test::Part(part), Some(Value::String(text))) => text.contains(part.as_str()),
            (Test::Pattern(pattern), Some(Value::String(text))) => pattern.is_match(text),
            (Test::Empty, value) => is_empty(value),
            _ => false,
        }
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
        None | Some(Value::Null) => true,
    }
}

fn refused(operator: Operator, shape: &Shape) -> String {
    let word = match operator {
        Operator::Equal => "== and !=",
        Operator::In => "in and contains",
        Operator::Matches => "matches",
        Operator::Empty => "is empty",
    };
    format!("{word} cannot be asked of {}", noun(shape))
}

fn noun(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "a text",
        Shape::Flag => "a truth value",
        Shape::Whole => "an integer",
        Shape::Number => "a number",
        Shape::List(_) => "a list",
        Shape::Map(_) => "a map",
        Shape::Object(_) => "an object: name one of its fields",
    }
}
