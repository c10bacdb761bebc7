//! A request's headers on their way to the service: what is for this hop goes, what the service should know of the hop
//! comes in.
//!
//! | header | from a trusted peer | from anybody else |
//! |---|---|---|
//! | `X-Forwarded-For`, `Forwarded` | the peer is added at the end | made anew |
//! | `X-Forwarded-Host`, `-Proto`, `-Port` | kept; made when missing | made anew |
//! | other `X-Forwarded-...`, `X-Real-Ip` | kept | taken out |
//! | `Via` | added to | added to |
//! | `X-Request-Id`, `X-Correlation-Id` | kept when valid | kept when valid |
//! | `traceparent` | trace kept, parent renewed | as from a trusted one |
//! | `tracestate`, B3 | kept | kept |
//! | `Cookie` in several lines, as HTTP/2 has it | one line | one line |

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header};

use crate::examine::{Found, Known, examine};
use crate::hop::{self, KEEP_ALIVE, PROXY_CONNECTION};
use crate::identity::{self, Seed};
use crate::told::{Field, Told};
use crate::{GatewayError, Host, HostError, Network};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// What a request may say of its way.
const WAY: [Known; 5] = [
    Known::ForwardedFor,
    Known::ForwardedHost,
    Known::ForwardedProto,
    Known::ForwardedPort,
    Known::Forwarded,
];
/// The gateway's name in `Via`.
const PSEUDONYM: &str = "adsum";
/// So often may a request have been here before.
const MOST_VISITS: usize = 10;

/// A listener as its callers' requests tell of it.
#[derive(Clone, Debug)]
pub struct Gate {
    tls: bool,
    port: HeaderValue,
    trusted: Vec<Network>,
}

/// The other end of a connection, with all that is the same for each of its requests.
#[derive(Clone, Debug)]
pub struct Caller {
    trusted: bool,
    address: HeaderValue,
    /// An element of `Forwarded` but for the host.
    forwarded: Box<str>,
    /// Most connections ask for one host only.
    last: RefCell<Option<Last>>,
    proto: HeaderValue,
    port: HeaderValue,
}

/// What was told of a request whose headers said nothing of its way.
#[derive(Clone, Debug)]
struct Last {
    host: Host,
    version: Version,
    way: Rc<[Field]>,
}

/// What comes with a request beside its headers.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    pub version: Version,
    pub host: &'a Host,
    pub seed: Seed,
}

/// What was learned on the way.
#[derive(Clone, Debug)]
pub struct Passed {
    pub request_id: HeaderValue,
    /// Goes on behind the headers.
    pub told: Told,
    /// The connection is to become one of this protocol; the headers that ask for it have been kept.
    pub upgrade: Option<HeaderValue>,
}

impl Gate {
    pub fn new(port: u16, tls: bool, trusted: Vec<Network>) -> Gate {
        Gate { tls, port: HeaderValue::from(port), trusted }
    }

    pub fn caller(&self, peer: IpAddr) -> Caller {
        let peer = peer.to_canonical();
        let proto = if self.tls { "https" } else { "http" };
        let forwarded = match peer {
            IpAddr::V4(peer) => format!("for={peer};proto={proto}"),
            IpAddr::V6(peer) => format!("for=\"[{peer}]\";proto={proto}"),
        };
        Caller {
            trusted: self.trusted.iter().any(|network| network.contains(peer)),
            address: HeaderValue::from_str(&peer.to_string()).expect("an address is ASCII"),
            forwarded: forwarded.into(),
            last: RefCell::default(),
            proto: HeaderValue::from_static(proto),
            port: self.port.clone(),
        }
    }
}

impl Caller {
    /// Which host a request is for; see [`Host::of`].
    pub fn host(&self, uri: &Uri, headers: &HeaderMap, version: Version) -> Result<Host, HostError> {
        let last = self.last.borrow();
        Host::of_known(uri, headers, version, last.as_ref().map(|last| &last.host))
    }

    /// Makes of the headers that came in those that go on.
    pub fn pass_on(&self, headers: &mut HeaderMap, inbound: &Inbound<'_>) -> Result<Passed, GatewayError> {
        let found = examine(headers);
        if found.has(Known::Via) && visits(headers) >= MOST_VISITS {
            return Err(GatewayError::Loop);
        }
        let upgrade = remove_hops(headers, &found, inbound.version);
        if !self.trusted {
            remove_claims(headers, &found);
        }
        remove_lookalikes(headers, &found);
        if inbound.version == Version::HTTP_2 && found.has(Known::Cookie) {
            gather_cookies(headers);
        }
        let way = self.way(headers, &found, inbound);
        let (request_id, names) = identity::give(headers, &found, inbound.seed);
        if !inbound.host.is_header() {
            headers.insert(header::HOST, inbound.host.value().clone());
        }
        Ok(Passed { request_id, told: Told { way, names }, upgrade })
    }

    /// What there was of it in the headers is in it, or gone.
    fn way(&self, headers: &mut HeaderMap, found: &Found, inbound: &Inbound<'_>) -> Rc<[Field]> {
        let Inbound { version, host, seed: _ } = *inbound;
        if WAY.iter().any(|known| found.has(*known)) {
            return self.make_way(headers, found, host, version).into();
        }
        let mut last = self.last.borrow_mut();
        let is_the_same = |last: &&Last| last.version == version && last.host.value() == host.value();
        if let Some(last) = last.as_ref().filter(is_the_same) {
            return last.way.clone();
        }
        let way: Rc<[Field]> = self.make_way(headers, found, host, version).into();
        *last = Some(Last { host: host.clone(), version, way: way.clone() });
        way
    }

    fn make_way(&self, headers: &mut HeaderMap, found: &Found, host: &Host, version: Version) -> Vec<Field> {
        let known = |known| self.trusted && found.has(known);
        let mut way = Vec::with_capacity(6);
        let before = known(Known::ForwardedFor);
        way.push(added(headers, X_FORWARDED_FOR, self.address.clone(), before));
        let host_value = (!host.as_str().is_empty()).then(|| host.value());
        let kept = [
            (Known::ForwardedHost, X_FORWARDED_HOST, host_value),
            (Known::ForwardedProto, X_FORWARDED_PROTO, Some(&self.proto)),
            (Known::ForwardedPort, X_FORWARDED_PORT, Some(&self.port)),
        ];
        for (claim, name, value) in kept {
            if !known(claim) {
                headers.remove(&name);
                way.extend(value.map(|value| (name, value.clone())));
            }
        }
        let element = self.make_element(host.as_str());
        way.push(added(headers, header::FORWARDED, element, known(Known::Forwarded)));
        way.push((header::VIA, via(version)));
        way
    }

    /// RFC 7239. A host with a port or brackets is no token, and is quoted.
    fn make_element(&self, host: &str) -> HeaderValue {
        let start = &self.forwarded;
        let element = if host.is_empty() {
            start.to_string()
        } else if host.contains([':', '[']) {
            format!("{start};host=\"{host}\"")
        } else {
            format!("{start};host={host}")
        };
        HeaderValue::try_from(element).expect("addresses and checked hosts are ASCII")
    }
}

fn remove_hops(headers: &mut HeaderMap, found: &Found, version: Version) -> Option<HeaderValue> {
    let trailers = found.has(Known::Te) && hop::takes_trailers(headers);
    let mut upgrade = None;
    if found.has(Known::Connection) {
        let options = hop::remove_connection(headers);
        let allowed = options.upgrade && version == Version::HTTP_11 && found.has(Known::Upgrade);
        upgrade = allowed.then(|| hop::protocol(headers)).flatten();
    }
    let gone = [
        (Known::KeepAlive, KEEP_ALIVE),
        (Known::ProxyConnection, PROXY_CONNECTION),
        (Known::Te, header::TE),
        (Known::TransferEncoding, header::TRANSFER_ENCODING),
        (Known::Upgrade, header::UPGRADE),
        (Known::Http2Settings, HTTP2_SETTINGS),
        (Known::Proxy, PROXY),
        (Known::ProxyAuthorization, header::PROXY_AUTHORIZATION),
    ];
    found.remove(headers, gone);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = &upgrade {
        headers.insert(header::UPGRADE, protocol.clone());
    }
    match (&upgrade, trailers) {
        (Some(_), true) => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade, te"))),
        (Some(_), false) => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"))),
        (None, true) => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("te"))),
        (None, false) => {}
    }
    upgrade
}

/// What a peer that is not trusted says about who it is. What is made anew is replaced later.
fn remove_claims(headers: &mut HeaderMap, found: &Found) {
    found.remove(headers, [(Known::RealIp, X_REAL_IP)]);
    for name in found.odd.iter().filter(|name| !name.as_str().contains('_')) {
        headers.remove(name);
    }
}

/// `X_Forwarded_For` and the like: whoever sends them, some services would take them for the gateway's own.
fn remove_lookalikes(headers: &mut HeaderMap, found: &Found) {
    for name in found.odd.iter().filter(|name| name.as_str().contains('_')) {
        headers.remove(name);
    }
}

/// HTTP/2 cuts `Cookie` into lines of one crumb each; whoever speaks HTTP/1 reads the first line alone (RFC 9113 section
/// 8.2.3).
fn gather_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let Some((first, second)) = crumbs.next().zip(crumbs.next()) else { return };
    let mut whole = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb.as_bytes());
    }
    headers.insert(
        header::COOKIE,
        HeaderValue::try_from(whole).expect("header values and ASCII make a header value"),
    );
}

/// How often our own name is in `Via`.
fn visits(headers: &HeaderMap) -> usize {
    let values = headers.get_all(header::VIA);
    let hops = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    hops.filter(|hop| {
        let mut words = hop.trim_ascii().split(|byte| *byte == b' ');
        words.nth(1) == Some(PSEUDONYM.as_bytes())
    })
    .count()
}

fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0 adsum",
        Version::HTTP_2 => "2.0 adsum",
        Version::HTTP_3 => "3.0 adsum",
        _ => "1.1 adsum",
    })
}

/// A field that takes the place of those of its name; behind what they have said, if that is believed.
fn added(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue, behind: bool) -> Field {
    let value = if behind { joined(headers, &name, value.as_bytes()) } else { value };
    headers.remove(&name);
    (name, value)
}

/// All values of a header as one list, with one more element.
fn joined(headers: &HeaderMap, name: &HeaderName, last: &[u8]) -> HeaderValue {
    let mut list = Vec::new();
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last);
    HeaderValue::try_from(list).expect("header values and ASCII make a header value")
}
