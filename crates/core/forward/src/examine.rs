//! One look through all headers of a message, so that only what is there has to be taken out.

use http::{HeaderMap, HeaderName};

/// What was found among the names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    bits: u32,
    /// Names that are taken out, and that no constant stands for.
    pub(crate) odd: Vec<HeaderName>,
}

/// A name that means something on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Known {
    Connection = 1,
    KeepAlive = 1 << 1,
    ProxyConnection = 1 << 2,
    Te = 1 << 3,
    TransferEncoding = 1 << 4,
    Upgrade = 1 << 5,
    Http2Settings = 1 << 6,
    Proxy = 1 << 7,
    ProxyAuthorization = 1 << 8,
    Forwarded = 1 << 9,
    ForwardedFor = 1 << 10,
    ForwardedHost = 1 << 11,
    ForwardedProto = 1 << 12,
    ForwardedPort = 1 << 13,
    ForwardedOther = 1 << 14,
    RealIp = 1 << 15,
    Via = 1 << 16,
    RequestId = 1 << 17,
    CorrelationId = 1 << 18,
    TraceParent = 1 << 19,
    TraceState = 1 << 20,
    B3 = 1 << 21,
    Attempts = 1 << 22,
    /// What is about the message itself: `Host`, `Content-Length`.
    Message = 1 << 23,
    ServedBy = 1 << 24,
    Cookie = 1 << 25,
}

impl Found {
    pub(crate) fn has(&self, known: Known) -> bool {
        self.bits & known as u32 != 0
    }

    /// Takes those out that are there.
    pub(crate) fn remove<const N: usize>(&self, headers: &mut HeaderMap, names: [(Known, HeaderName); N]) {
        for (known, name) in names {
            if self.has(known) {
                headers.remove(name);
            }
        }
    }
}

/// A name with `_` that would be one of the known ones with `-` is odd: some servers take the one for the other.
pub(crate) fn examine(headers: &HeaderMap) -> Found {
    let mut found = Found::default();
    for name in headers.keys() {
        let text = name.as_str();
        if let Some(known) = known(text) {
            found.bits |= known as u32;
            if known == Known::ForwardedOther {
                found.odd.push(name.clone());
            }
        } else if text.len() <= LONGEST && text.contains('_') && known(&hyphened(text)).is_some() {
            found.odd.push(name.clone());
        }
    }
    found
}

/// No known name is longer; of `x-forwarded-...` only what is this short is looked at with `_`.
const LONGEST: usize = 64;

fn hyphened(name: &str) -> String {
    name.replace('_', "-")
}

/// Names come in lower case.
fn known(name: &str) -> Option<Known> {
    Some(match name {
        "connection" => Known::Connection,
        "keep-alive" => Known::KeepAlive,
        "proxy-connection" => Known::ProxyConnection,
        "te" => Known::Te,
        "transfer-encoding" => Known::TransferEncoding,
        "upgrade" => Known::Upgrade,
        "http2-settings" => Known::Http2Settings,
        "proxy" => Known::Proxy,
        "proxy-authorization" => Known::ProxyAuthorization,
        "forwarded" => Known::Forwarded,
        "x-forwarded-for" => Known::ForwardedFor,
        "x-forwarded-host" => Known::ForwardedHost,
        "x-forwarded-proto" => Known::ForwardedProto,
        "x-forwarded-port" => Known::ForwardedPort,
        "x-real-ip" => Known::RealIp,
        "via" => Known::Via,
        "x-request-id" => Known::RequestId,
        "x-correlation-id" => Known::CorrelationId,
        "traceparent" => Known::TraceParent,
        "tracestate" => Known::TraceState,
        "b3" | "x-b3-traceid" => Known::B3,
        "x-attempts" => Known::Attempts,
        "x-served-by" => Known::ServedBy,
        "cookie" => Known::Cookie,
        "host" | "content-length" => Known::Message,
        other if other.starts_with("x-forwarded-") => Known::ForwardedOther,
        _ => return None,
    })
}

/// Whether a name means something to the gateway, so that a client cannot have it taken out by naming it in
/// `Connection`. Cookies are looked at, and are the client's own.
pub(crate) fn is_ours(name: &str) -> bool {
    !matches!(known(name), None | Some(Known::Cookie))
}
