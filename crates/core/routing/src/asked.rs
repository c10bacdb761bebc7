//! What the table is asked: a request, as far as it decides where to go.

use std::borrow::Cow;

/// A request's head. What is matched here has to be what is forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// In lower case and without port, as [`host_of`] makes it; empty when the request names none.
    pub host: &'a str,
    /// As [`path::normalise`](crate::path::normalise) makes it, without the query.
    pub path: &'a str,
    pub method: &'a http::Method,
    pub headers: &'a http::HeaderMap,
}

impl<'a> Asked<'a> {
    /// Without one trailing dot: `shop.local.` is the same name (RFC 1034 3.1).
    pub(crate) fn host(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }
}

/// Through which door a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The gateway's own addresses: routes decide.
    Gateway,
    /// A published port: all requests are for the service that published it.
    Port(u16),
}

/// The host of an authority (`Host` header or `:authority`): without port and without one trailing dot, in lower case.
///
/// ```text
/// Shop.Local:8080 -> shop.local      shop.local. -> shop.local      [::1]:80 -> [::1]
/// ```
pub fn host_of(authority: &str) -> Cow<'_, str> {
    let host = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, expect: &str) {
        assert_eq!(host_of(authority), expect);
    }

    #[test]
    fn a_host_is_lower_case_and_has_neither_port_nor_trailing_dot() {
        check("shop.local", "shop.local");
        check("Shop.LOCAL:8080", "shop.local");
        check("shop.local.", "shop.local");
        check("shop.local.:80", "shop.local");
        check("shop.local..", "shop.local.");
        check("[::1]", "[::1]");
        check("[FE80::1]:8443", "[fe80::1]");
        check("127.0.0.1:80", "127.0.0.1");
        check("", "");
        check(":80", "");
    }

    #[test]
    fn a_host_that_is_as_it_should_be_is_not_copied() {
        assert!(matches!(host_of("shop.local:80"), Cow::Borrowed("shop.local")));
    }
}
