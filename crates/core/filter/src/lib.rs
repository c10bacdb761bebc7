//! Filter expressions, as Consul's HTTP API takes them in `?filter=`: `Service.Meta.version == 2 and "web" in Tags`.
//!
//! An expression is read against the [`Shape`] of what it is to choose from, so that a field that does not exist, and an
//! operator that a field does not have, are refused before anything is looked at; then it takes or leaves values of that
//! shape, as they go out in JSON.
//!
//! Grammar (<https://developer.hashicorp.com/consul/api-docs/features/filtering>):
//!
//! ```text
//! or       = and { "or" and }
//! and      = not { "and" not }
//! not      = "not" not | "(" or ")" | match
//! match    = selector ("==" | "!=" | ["not"] "contains" | ["not"] "matches") value
//!          | selector "is" ["not"] "empty"
//!          | value ["not"] "in" selector
//! selector = identifier { "." (identifier | digits) | "[" string "]" }  |  '"' { "/" segment } '"'
//! value    = selector | number | string
//! ```
//!
//! Not here: what the fields of an endpoint are, and how an answer is made of them.
//!
//! Invariants:
//! - No text panics or costs more than its length, and no text over [`LONGEST`] or nested deeper than [`DEEPEST`] is read.
//! - A regular expression takes time linear in what it looks at, whatever it is.
//! - What is absent equals nothing, contains nothing, matches nothing and is empty.

mod literal;
mod matcher;
mod parse;
mod quoted;
mod shape;

use serde_json::Value;

pub use parse::{DEEPEST, LONGEST};
pub use shape::Shape;

use matcher::Match;

/// An expression that has been understood.
#[derive(Debug)]
pub struct Filter(Expression);

/// Where an expression is not understood, and why: `1:12 (11): expected a value`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column} ({offset}): {why}")]
pub struct FilterError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In bytes, from 0.
    pub offset: usize,
    pub why: String,
}

#[derive(Debug)]
enum Expression {
    Or(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Match(Match),
}

impl Filter {
    /// Reads an expression about values of a shape.
    pub fn parse(text: &str, shape: &'static Shape) -> Result<Filter, FilterError> {
        parse::expression(text, shape).map(Filter)
    }

    /// Whether a value is chosen.
    pub fn takes(&self, value: &Value) -> bool {
        self.0.takes(value)
    }
}

impl Expression {
    fn takes(&self, value: &Value) -> bool {
        match self {
            Expression::Or(left, right) => left.takes(value) || right.takes(value),
            Expression::And(left, right) => left.takes(value) && right.takes(value),
            Expression::Not(inner) => !inner.takes(value),
            Expression::Match(found) => found.takes(value),
        }
    }
}

impl FilterError {
    fn at(text: &str, offset: usize, why: impl Into<String>) -> FilterError {
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&letter| letter != '\n').count() + 1;
        FilterError { line, column, offset, why: why.into() }
    }
}

#[cfg(test)]
mod tests;
