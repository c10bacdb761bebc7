//! Which host a request is for, and that there is no doubt about it.
//!
//! HTTP/1.1 wants exactly one `Host` (RFC 9112 section 3.2); the authority of an absolute-form target goes before it
//! (3.2.2). HTTP/2 has `:authority`, and a `Host` beside it must say the same (RFC 9113 section 8.3.1).

use std::rc::Rc;

use http::{HeaderMap, HeaderValue, Uri, Version, header};

/// The longest name of DNS, and a port.
const LONGEST: usize = 253 + 6;

/// The host, checked.
#[derive(Clone, Debug)]
pub struct Host {
    value: HeaderValue,
    /// In lower case, without port.
    name: Rc<str>,
    /// It is the `Host` that came, so that nothing has to be changed.
    is_header: bool,
}

/// Why a request's host is not accepted: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("the request has no Host")]
    Missing,
    #[error("the request has more than one Host")]
    Several,
    #[error("Host and :authority differ")]
    Different,
    #[error("the Host is no host name with an optional port")]
    Invalid,
}

impl Host {
    pub fn of(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<Host, HostError> {
        Host::of_known(uri, headers, version, None)
    }

    /// The same, where one is known that it mostly is: what was checked is not checked again.
    pub(crate) fn of_known(
        uri: &Uri,
        headers: &HeaderMap,
        version: Version,
        known: Option<&Host>,
    ) -> Result<Host, HostError> {
        let is_known = |text: &[u8]| known.filter(|known| !text.is_empty() && known.value.as_bytes() == text);
        let mut given = headers.get_all(header::HOST).iter();
        let header = given.next();
        if given.next().is_some() {
            return Err(HostError::Several);
        }
        let Some(authority) = uri.authority() else {
            return match header {
                Some(value) => match is_known(value.as_bytes()) {
                    Some(known) => Ok(Host { is_header: true, ..known.clone() }),
                    None => Host::check(value.clone(), true),
                },
                None if version == Version::HTTP_10 => Ok(Host::none()),
                None => Err(HostError::Missing),
            };
        };
        match header {
            None if version == Version::HTTP_11 => return Err(HostError::Missing),
            Some(value) if version >= Version::HTTP_2 && !same(value, authority.as_str()) => {
                return Err(HostError::Different);
            }
            Some(_) | None => {}
        }
        if let Some(known) = is_known(authority.as_str().as_bytes()) {
            return Ok(Host { is_header: false, ..known.clone() });
        }
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| HostError::Invalid)?;
        Host::check(value, false)
    }

    /// In lower case, without port; an IPv6 address in its brackets. Empty for HTTP/1.0 without `Host`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `Host` is on the other side: as the client wrote it.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }

    pub fn as_str(&self) -> &str {
        self.value.to_str().expect("only ASCII letters pass the check")
    }

    pub(crate) fn is_header(&self) -> bool {
        self.is_header
    }

    fn none() -> Host {
        Host { value: HeaderValue::from_static(""), name: Rc::default(), is_header: false }
    }

    fn check(value: HeaderValue, is_header: bool) -> Result<Host, HostError> {
        let bytes = value.as_bytes();
        if bytes.is_empty() || bytes.len() > LONGEST {
            return Err(HostError::Invalid);
        }
        let end =
            if bytes[0] == b'[' { literal_end(bytes) } else { name_end(bytes) }.ok_or(HostError::Invalid)?;
        if !is_port(&bytes[end..]) {
            return Err(HostError::Invalid);
        }
        let name = std::str::from_utf8(&bytes[..end]).map_err(|_| HostError::Invalid)?;
        let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => name.to_ascii_lowercase().into(),
            false => name.into(),
        };
        Ok(Host { name, value, is_header })
    }
}

/// After the last letter of a name or IPv4 address.
fn name_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (end > 0 && bytes[..end].iter().all(letter)).then_some(end)
}

/// After the bracket that closes an IPv6 address.
fn literal_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b']')?;
    let address = std::str::from_utf8(&bytes[1..end]).ok()?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    Some(end + 1)
}

/// Nothing, or `:` and up to five digits; RFC 3986 allows none after the `:`.
fn is_port(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn same(value: &HeaderValue, authority: &str) -> bool {
    value.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
}
