//! Environment variables as arguments and as lines of a file.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseVariableError {
    #[error("'{0}' names no variable: write KEY=VALUE")]
    NoKey(String),
    #[error("'{0}' is not set here: write {0}=VALUE")]
    Unset(String),
}

impl FromStr for Variable {
    type Err = ParseVariableError;

    /// `KEY=VALUE`, or `KEY` for the value that it has here, as `docker` reads it.
    fn from_str(text: &str) -> Result<Variable, ParseVariableError> {
        Variable::read(text, |key| std::env::var(key).ok())
    }
}

impl Variable {
    fn read(text: &str, here: impl Fn(&str) -> Option<String>) -> Result<Variable, ParseVariableError> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        if key.is_empty() || key.contains('\0') {
            return Err(ParseVariableError::NoKey(text.to_string()));
        }
        let value = value.map(str::to_string).or_else(|| here(key));
        let value = value.ok_or_else(|| ParseVariableError::Unset(key.to_string()))?;
        Ok(Variable { key: key.to_string(), value })
    }
}

/// Every variable of a file, or everything that is wrong in it.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Vec<Variable>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).map_err(|errors| {
        let errors = errors.iter().map(|(line, error)| format!("{}:{line}: {error}", path.display()));
        anyhow::anyhow!(errors.collect::<Vec<_>>().join("\n"))
    })
}

/// Empty lines and those that begin with `#` say nothing. Errors come with their line.
fn parse(text: &str) -> Result<Vec<Variable>, Vec<(usize, ParseVariableError)>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut variables = Vec::new();
    let mut errors = Vec::new();
    for (number, line) in lines {
        match line.trim_start().parse() {
            Ok(variable) => variables.push(variable),
            Err(error) => errors.push((number, error)),
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(key: &str, value: &str) -> Variable {
        Variable { key: key.into(), value: value.into() }
    }

    #[test]
    fn a_variable_has_its_value_or_the_one_it_has_here() {
        let here = |key: &str| (key == "HERE").then(|| "x".to_string());
        assert_eq!(Variable::read("A=b=c", here), Ok(variable("A", "b=c")));
        assert_eq!(Variable::read("A=", here), Ok(variable("A", "")));
        assert_eq!(Variable::read("HERE", here), Ok(variable("HERE", "x")));
        assert_eq!(Variable::read("NOWHERE", here), Err(ParseVariableError::Unset("NOWHERE".into())));
        assert_eq!(Variable::read("=b", here), Err(ParseVariableError::NoKey("=b".into())));
    }

    #[test]
    fn a_file_gives_all_its_variables_or_all_its_mistakes() {
        assert_eq!(parse("# c\n\nA=1\n  B= 2\n"), Ok(vec![variable("A", "1"), variable("B", " 2")]));
        let errors = parse("=1\nA=1\n=2\n").unwrap_err();
        assert_eq!(errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
    }
}
