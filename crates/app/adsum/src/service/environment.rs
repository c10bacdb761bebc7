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
    #[error("'{0}' has a blank in its name: write KEY=VALUE without one before '='")]
    Blank(String),
    #[error("it is no UTF-8 text: save the file as such")]
    Encoding,
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
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&bytes).map_err(|errors| {
        let errors = errors.iter().map(|(line, error)| format!("{}:{line}: {error}", path.display()));
        anyhow::anyhow!(errors.collect::<Vec<_>>().join("\n"))
    })
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// As `docker --env-file` reads it: blanks before a name do not count, all behind `=` is the value as it stands, without
/// any quoting; empty lines and those that begin with `#` say nothing. Errors come with their line.
fn parse(bytes: &[u8]) -> Result<Vec<Variable>, Vec<(usize, ParseVariableError)>> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut variables = Vec::new();
    let mut errors = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        match read_line(line) {
            Ok(variable) => variables.extend(variable),
            Err(error) => errors.push((number, error)),
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

fn read_line(line: &[u8]) -> Result<Option<Variable>, ParseVariableError> {
    let line = str::from_utf8(line).map_err(|_| ParseVariableError::Encoding)?;
    let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let name = line.split('=').next().unwrap_or_default();
    if name.contains(char::is_whitespace) {
        return Err(ParseVariableError::Blank(name.to_string()));
    }
    line.parse().map(Some)
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
        let text = "\u{feff}# c\n\n  # indented\nA=1\n  B= 2 'x' # y \r\nC=\n";
        let expect = vec![variable("A", "1"), variable("B", " 2 'x' # y "), variable("C", "")];
        assert_eq!(parse(text.as_bytes()), Ok(expect));
        let errors = parse(b"=1\nA=1\nexport B=2\nC =3\nD=\xff\n").unwrap_err();
        assert_eq!(errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4, 5]);
        assert_eq!(errors[1].1, ParseVariableError::Blank("export B".into()));
        assert_eq!(errors[3].1, ParseVariableError::Encoding);
    }
}
