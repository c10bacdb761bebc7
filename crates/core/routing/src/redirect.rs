//! Which service a redirect names, and what is left of the path.
//!
//! ```text
//! PathPrefix(/user), to chirp-user-{1}:   /user/Aym_0566/tweets -> chirp-user-aym-0566, /tweets
//! ```

use adsum_model::{Name, Rule};

const PLACE: &str = "{1}";

/// The service's name, of which nobody has said yet that it is one, and the rest of the path. Nothing when the path has
/// no segment to name it.
pub(crate) fn resolve<'a>(pattern: &str, rule: &Rule, path: &'a str) -> Option<(String, &'a str)> {
    let (prefix, below) = path.split_at(longest_prefix(rule, path)?);
    let below = if prefix.ends_with('/') { below } else { below.strip_prefix('/').unwrap_or(below) };
    let (segment, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
    let rest = if rest.is_empty() { "/" } else { rest };
    (!segment.is_empty()).then(|| (fill(pattern, segment), rest))
}

/// Whether the rule can have a prefix at all behind which the segment stands.
pub(crate) fn has_prefix(rule: &Rule) -> bool {
    match rule {
        Rule::All(rules) | Rule::Any(rules) => rules.iter().any(has_prefix),
        Rule::PathPrefix(_) => true,
        Rule::Not(_) | Rule::Host(_) | Rule::Path(_) | Rule::Header { .. } | Rule::Method(_) => false,
    }
}

/// Whether some segment makes a name of the pattern.
pub(crate) fn names_something(pattern: &str) -> bool {
    pattern.replace(PLACE, "a").parse::<Name>().is_ok()
}

fn fill(pattern: &str, segment: &str) -> String {
    pattern.replace(PLACE, &segment.to_ascii_lowercase().replace('_', "-"))
}

/// Letters of the longest prefix of the rule that the path is under.
fn longest_prefix(rule: &Rule, path: &str) -> Option<usize> {
    match rule {
        Rule::All(rules) | Rule::Any(rules) => {
            rules.iter().filter_map(|rule| longest_prefix(rule, path)).max()
        }
        Rule::PathPrefix(prefix) => crate::path::is_under(prefix, path).then_some(prefix.len()),
        Rule::Not(_) | Rule::Host(_) | Rule::Path(_) | Rule::Header { .. } | Rule::Method(_) => None,
    }
}
