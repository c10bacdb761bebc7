//! What is wrong with a draft, and the list in which it gathers.

use std::fmt;
use std::ops::RangeInclusive;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is: `replicas`, `check.interval`, `tags[2]`.
    pub field: String,
    /// What was written there.
    pub value: String,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

/// How much of a value a problem repeats, in characters.
const SHOWN: usize = 80;

impl Problem {
    pub fn new(field: impl Into<String>, value: impl fmt::Display, message: impl Into<String>) -> Problem {
        Problem { field: field.into(), value: shorten(value.to_string()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: '{}' {}", self.field, self.value, self.message)
    }
}

/// Control characters would change what a terminal shows.
fn shorten(value: String) -> String {
    let mut text: String = value.chars().take(SHOWN).flat_map(printable).collect();
    if value.chars().nth(SHOWN).is_some() {
        text.push_str("...");
    }
    text
}

fn printable(letter: char) -> Vec<char> {
    if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
}

/// Gathers what is wrong; the reading goes on with a default.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        value: impl fmt::Display,
        message: impl Into<String>,
    ) {
        self.0.push(Problem::new(field, value, message));
    }

    /// A number within its range.
    pub(crate) fn count(
        &mut self,
        field: &str,
        number: Option<i64>,
        default: u32,
        range: &RangeInclusive<i64>,
    ) -> u32 {
        let Some(number) = number else { return default };
        if range.contains(&number)
            && let Ok(number) = u32::try_from(number)
        {
            return number;
        }
        self.add(field, number, format!("is out of range: give {} to {}", range.start(), range.end()));
        default
    }

    /// A number within its range, written as text.
    pub(crate) fn figure(
        &mut self,
        field: &str,
        text: Option<&str>,
        default: u32,
        range: &RangeInclusive<i64>,
    ) -> u32 {
        match text.map(str::parse) {
            None => default,
            Some(Ok(number)) => self.count(field, Some(number), default, range),
            Some(Err(_)) => {
                let (least, most) = (range.start(), range.end());
                self.add(
                    field,
                    text.unwrap_or_default(),
                    format!("is no whole number: give {least} to {most}"),
                );
                default
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        field: &str,
        text: Option<&str>,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(text) = text else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.add(field, text, format!("is unknown: give one of {}", known.join(", ")));
        default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_field_the_value_and_the_way_out() {
        let mut problems = Problems::default();
        problems.count("replicas", Some(-3), 1, &(0..=10_000));
        assert_eq!(problems.0[0].to_string(), "replicas: '-3' is out of range: give 0 to 10000");
    }

    #[test]
    fn a_hostile_value_is_shown_short_and_without_control_characters() {
        let problem = Problem::new("name", "\x1b[2J".repeat(1000), "is odd");
        assert!(problem.value.starts_with("\\u{1b}[2J"), "{}", problem.value);
        assert!(problem.value.len() < 400 && problem.value.ends_with("..."));
    }
}
