//! Templates: `${name.full}`, `${name.prefix}`, `${name.suffix}` and `${match(N)}` in the texts of a query.

use adsum_model::{PreparedQuery, ServiceQuery};
use regex_lite::Regex;

use crate::{Invalid, LONGEST_REGEXP};

/// A text that cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("${{ has no }} behind it")]
    Open,
    #[error("'{0}' is none of name.full, name.prefix, name.suffix, match(N), agent.segment")]
    Unknown(String),
}

/// What a pattern is filled in with.
struct Parts<'a> {
    full: &'a str,
    prefix: &'a str,
    /// The whole match and its groups; nothing without a match.
    groups: Vec<String>,
}

pub(crate) fn check(service: &ServiceQuery, regexp: &str) -> Result<(), Invalid> {
    let bad = |why: &str| Invalid::Regexp(regexp.chars().take(80).collect(), why.to_string());
    if regexp.len() > LONGEST_REGEXP {
        return Err(bad("it is too long"));
    }
    Regex::new(regexp).map_err(|error| bad(&error.to_string()))?;
    let parts = Parts { full: "", prefix: "", groups: Vec::new() };
    let mut copy = service.clone();
    for text in texts(&mut copy) {
        parts.fill_in(text).map_err(|error| Invalid::Pattern { text: text.clone(), error })?;
    }
    Ok(())
}

pub(crate) fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// The query that a template makes of a name, which begins with that of the template.
pub(crate) fn fill_in(query: &PreparedQuery, name: &str) -> PreparedQuery {
    let mut query = query.clone();
    let Some(template) = query.template.clone() else { return query };
    let parts = Parts { full: name, prefix: &query.name, groups: groups(&template.regexp, name) };
    for text in texts(&mut query.service) {
        if let Ok(filled) = parts.fill_in(text) {
            *text = filled;
        }
    }
    if template.remove_empty_tags {
        query.service.tags.retain(|tag| !tag.is_empty());
    }
    query
}

fn groups(regexp: &str, name: &str) -> Vec<String> {
    if regexp.is_empty() {
        return Vec::new();
    }
    let captures = Regex::new(regexp).ok().and_then(|regexp| {
        let captures = regexp.captures(name)?;
        let group =
            |group: Option<regex_lite::Match<'_>>| group.map_or("", |found| found.as_str()).to_string();
        Some(captures.iter().map(group).collect())
    });
    captures.unwrap_or_default()
}

/// All that can be a pattern.
fn texts(service: &mut ServiceQuery) -> impl Iterator<Item = &mut String> {
    let ServiceQuery { service, near, tags, datacenters, node_meta, service_meta, .. } = service;
    let lists = tags.iter_mut().chain(datacenters);
    let maps = node_meta.values_mut().chain(service_meta.values_mut());
    [service, near].into_iter().chain(lists).chain(maps)
}

impl Parts<'_> {
    fn fill_in(&self, text: &str) -> Result<String, PatternError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            filled += &rest[..at];
            let (name, behind) = rest[at + 2..].split_once('}').ok_or(PatternError::Open)?;
            filled += self.value(name.trim()).ok_or_else(|| PatternError::Unknown(name.to_string()))?;
            rest = behind;
        }
        Ok(filled + rest)
    }

    /// A group that there is not is empty.
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "name.full" => Some(self.full),
            "name.prefix" => Some(self.prefix),
            "name.suffix" => Some(self.full.get(self.prefix.len()..).unwrap_or_default()),
            "agent.segment" => Some(""),
            _ => {
                let number: usize = name.strip_prefix("match(")?.strip_suffix(')')?.trim().parse().ok()?;
                Some(self.groups.get(number).map_or("", String::as_str))
            }
        }
    }
}
