//! Whether a request fits a rule, said as plainly as possible. The table finds routes by its index and by [`Literal`]s;
//! the tests hold both against this.
//!
//! [`Literal`]: crate::literal::Literal

use adsum_model::Rule;

use crate::asked::Asked;
use crate::path;

/// Letters of the longest host that a name can be (RFC 1035 2.3.4); a longer one is below no other.
pub(crate) const LONGEST_HOST: usize = 253;

/// Whether the rule is for the request. The rule's paths are taken byte by byte: a table normalises them first.
pub fn matches(rule: &Rule, request: &Asked<'_>) -> bool {
    match rule {
        Rule::All(rules) => rules.iter().all(|rule| matches(rule, request)),
        Rule::Any(rules) => rules.iter().any(|rule| matches(rule, request)),
        Rule::Not(rule) => !matches(rule, request),
        Rule::Host(host) => match host.strip_prefix('*') {
            Some(suffix) => is_below(request.host(), suffix),
            None => host == request.host(),
        },
        Rule::Path(path) => path == request.path,
        Rule::PathPrefix(prefix) => path::is_under(prefix, request.path),
        Rule::Header { name, value } => has_header(request, name, value),
        Rule::Method(method) => request.method == method.as_str(),
    }
}

/// Whether the host ends with `.shop.local` and has something before it.
pub(crate) fn is_below(host: &str, suffix: &str) -> bool {
    (suffix.len() + 1..=LONGEST_HOST).contains(&host.len()) && host.ends_with(suffix)
}

pub(crate) fn has_header(request: &Asked<'_>, name: &str, value: &str) -> bool {
    request.headers.get_all(name).iter().any(|found| found.as_bytes() == value.as_bytes())
}
