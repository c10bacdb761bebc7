//! Headers that are for the next hop only (RFC 9110 section 7.6.1).

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::examine::is_ours;

pub(crate) const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
pub(crate) const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What `Connection` said, beside the names of headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) upgrade: bool,
}

/// Takes `Connection` out, and what it names: but nothing that the gateway itself reads or adds.
pub(crate) fn remove_connection(headers: &mut HeaderMap) -> Options {
    let mut options = Options::default();
    let mut named = Vec::new();
    let Entry::Occupied(values) = headers.entry(header::CONNECTION) else { return options };
    for value in values.iter() {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"upgrade") {
                options.upgrade = true;
            } else if !is_common(option) {
                named.extend(HeaderName::from_bytes(option).ok().filter(|name| !is_ours(name.as_str())));
            }
        }
    }
    values.remove();
    for name in named {
        headers.remove(name);
    }
    options
}

/// Options that name no header, or one that goes anyway.
fn is_common(option: &[u8]) -> bool {
    option.is_empty()
        || [&b"close"[..], b"keep-alive", b"te"].iter().any(|common| option.eq_ignore_ascii_case(common))
}

/// Whether `trailers` is among what the sender of `TE` takes; everything else in it is for the next hop only.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut values =
        headers.get_all(header::TE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    values.any(|value| value.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The protocol of an upgrade that may pass. HTTP/2 over it may not: behind it, requests would come past the gateway.
pub(crate) fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(header::UPGRADE).iter();
    let value = values.next()?;
    let mut names = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let harmless = names.all(|name| {
        let name = name.split(|byte| *byte == b'/').next().unwrap_or_default();
        !name.is_empty()
            && ![&b"h2c"[..], b"h2", b"http", b"tls"].iter().any(|own| name.eq_ignore_ascii_case(own))
    });
    (harmless && values.next().is_none()).then(|| value.clone())
}
