//! The path as the service gets it.

use std::borrow::Cow;

use adsum_model::Rewrite;
use http::{HeaderMap, HeaderName, HeaderValue};

/// What was taken off the path.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Takes the prefix of the (normalised) path off or puts another in its place, and says so to the service. A path that
/// does not begin with the prefix, by whole segments, stays as it is.
pub fn rewrite<'a>(rewrite: &Rewrite, path: &'a str, headers: &mut HeaderMap) -> Cow<'a, str> {
    let (from, to) = match rewrite {
        Rewrite::Keep => return Cow::Borrowed(path),
        Rewrite::StripPrefix(from) => (from.trim_end_matches('/'), ""),
        Rewrite::ReplacePrefix { from, to } => (from.trim_end_matches('/'), to.trim_end_matches('/')),
    };
    let Some(rest) = path.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Cow::Borrowed(path);
    };
    if let Some(prefix) = HeaderValue::from_str(from).ok().filter(|_| !from.is_empty()) {
        headers.insert(X_FORWARDED_PREFIX, prefix);
    }
    match (to, rest) {
        ("", "") => Cow::Borrowed("/"),
        ("", rest) => Cow::Borrowed(rest),
        (to, rest) => Cow::Owned(format!("{to}{rest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(how: Rewrite, path: &str, expect: &str, prefix: Option<&str>) {
        let mut headers = HeaderMap::new();
        assert_eq!(rewrite(&how, path, &mut headers), expect);
        assert_eq!(headers.get(X_FORWARDED_PREFIX).map(|value| value.to_str().unwrap()), prefix);
    }

    fn strip(prefix: &str) -> Rewrite {
        Rewrite::StripPrefix(prefix.to_string())
    }

    fn replace(from: &str, to: &str) -> Rewrite {
        Rewrite::ReplacePrefix { from: from.to_string(), to: to.to_string() }
    }

    #[test]
    fn a_prefix_is_taken_off_by_whole_segments() {
        check(strip("/api"), "/api/x", "/x", Some("/api"));
        check(strip("/api"), "/api", "/", Some("/api"));
        check(strip("/api/"), "/api/x", "/x", Some("/api"));
        check(strip("/api"), "/api/", "/", Some("/api"));
        check(strip("/api"), "/apix", "/apix", None);
        check(strip("/"), "/x", "/x", None);
        check(Rewrite::Keep, "/api/x", "/api/x", None);
    }

    #[test]
    fn a_prefix_is_replaced_by_another() {
        check(replace("/a", "/b"), "/a/x", "/b/x", Some("/a"));
        check(replace("/a", "/b/"), "/a", "/b", Some("/a"));
        check(replace("/a", "/"), "/a/x", "/x", Some("/a"));
        check(replace("/a", "/b"), "/ab", "/ab", None);
        check(replace("/", "/b"), "/x", "/b/x", None);
    }
}
