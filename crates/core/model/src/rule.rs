//! Which requests a route is for, as people write it.
//!
//! ```text
//! Host(shop.local) && (PathPrefix(/api) || Path(/health)) && !Method(DELETE) && Header(x-beta, yes)
//! ```
//!
//! Arguments may stand bare, in backticks (as Traefik's users write them) or in double quotes; several arguments of
//! `Host`, `Path`, `PathPrefix` and `Method` are alternatives. `&&` binds closer than `||`, `!` closest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod parse;

/// Letters of the longest rule that is read, also with a matcher for each of its arguments.
pub const LONGEST_RULE: usize = 4096;
/// How deep parentheses and `!` may stand in each other.
pub const DEEPEST_RULE: usize = 32;

/// A condition on a request. Parsing lower-cases hosts and header names and upper-cases methods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    /// Without port. `*.shop.local` stands for every name below `shop.local`, at any depth, and not for itself.
    Host(String),
    /// The whole path, byte by byte.
    Path(String),
    /// The path itself or one below it: `/api` is for `/api` and `/api/x`, not for `/apix`.
    PathPrefix(String),
    /// One of the values of the header is this.
    Header {
        name: String,
        value: String,
    },
    Method(String),
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("the rule is empty: write for example Host(shop.local) && PathPrefix(/api)")]
    Empty,
    #[error("the rule is longer than {LONGEST_RULE} letters: split it into several routes")]
    TooLong,
    #[error("parentheses stand in each other more than {DEEPEST_RULE} deep at letter {at}: write it flatter")]
    TooDeep { at: usize },
    #[error("unknown matcher '{name}' at letter {at}: use Host, Path, PathPrefix, Header or Method")]
    Matcher { name: String, at: usize },
    #[error("expected {expected} at letter {at}, found {found}")]
    Expected { expected: &'static str, found: String, at: usize },
    #[error("'{value}' is no argument of {matcher}: {advice}")]
    Argument { matcher: &'static str, value: String, advice: &'static str },
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        parse::rule(text)
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Rule, RuleError> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}

/// As it parses again, with as few parentheses as that takes.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::All(rules) => join(f, rules, " && "),
            Rule::Any(rules) => join(f, rules, " || "),
            Rule::Not(rule) if rule.is_compound() => write!(f, "!({rule})"),
            Rule::Not(rule) => write!(f, "!{rule}"),
            Rule::Host(host) => write!(f, "Host({})", Argument(host)),
            Rule::Path(path) => write!(f, "Path({})", Argument(path)),
            Rule::PathPrefix(path) => write!(f, "PathPrefix({})", Argument(path)),
            Rule::Header { name, value } => write!(f, "Header({}, {})", Argument(name), Argument(value)),
            Rule::Method(method) => write!(f, "Method({})", Argument(method)),
        }
    }
}

impl Rule {
    fn is_compound(&self) -> bool {
        matches!(self, Rule::All(_) | Rule::Any(_))
    }
}

fn join(f: &mut fmt::Formatter<'_>, rules: &[Rule], between: &str) -> fmt::Result {
    for (at, rule) in rules.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        if rule.is_compound() { write!(f, "({rule})")? } else { write!(f, "{rule}")? }
    }
    Ok(())
}

/// In backticks where it could be read as anything else.
struct Argument<'a>(&'a str);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = !self.0.is_empty() && self.0.chars().all(parse::stands_bare);
        match (bare, self.0.contains('`')) {
            (true, _) => f.write_str(self.0),
            (false, false) => write!(f, "`{}`", self.0),
            (false, true) => write!(f, "\"{}\"", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
