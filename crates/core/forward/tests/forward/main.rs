//! What `adsum-forward` promises, from outside: which headers arrive on the other side, and where streams can be ended.
#![allow(clippy::unwrap_used)]

mod answers;
mod errors;
mod host;
mod identity;
mod requests;
mod streams;
mod tricks;

use std::net::IpAddr;

use adsum_forward::{Caller, Gate, GatewayError, Host, Inbound, Passed, Seed};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};

const SEED: Seed = Seed { request: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, span: 0x00f0_67aa_0ba9_02b7 };

/// The peer that the tests trust.
const TRUSTED: &str = "10.0.0.1";
/// One that nobody trusts.
const STRANGER: &str = "203.0.113.7";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers
            .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// All values of a header, one after the other.
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_string()).collect()
}

fn gate() -> Gate {
    Gate::new(8080, false, vec!["10.0.0.0/8".parse().unwrap()])
}

/// Has all that goes on in the headers.
fn whole(caller: &Caller, headers: &mut HeaderMap, inbound: &Inbound<'_>) -> Result<Passed, GatewayError> {
    let passed = caller.pass_on(headers, inbound)?;
    passed.told.put(headers);
    Ok(passed)
}

fn pass(gate: &Gate, peer: &str, version: Version, headers: &mut HeaderMap) -> Result<Passed, GatewayError> {
    let host = Host::of(&Uri::from_static("/"), headers, version).unwrap();
    let caller = gate.caller(peer.parse::<IpAddr>().unwrap());
    whole(&caller, headers, &Inbound { version, host: &host, seed: SEED })
}

/// The headers that go on when these came in over HTTP/1.1, with `Host: shop.local`.
fn passed(peer: &str, pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = headers(&[&[("host", "shop.local")], pairs].concat());
    pass(&gate(), peer, Version::HTTP_11, &mut headers).unwrap();
    headers
}
