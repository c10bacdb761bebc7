//! Whom a request is for: the request target and the host.

use crate::letters::{all_host_name, decimal, is_target};
use crate::offence::Offence;

/// Checks a request target in the form that its method asks for (RFC 9112, 3.2), and returns the authority in it.
pub(crate) fn target<'a>(method: &[u8], target: &'a [u8]) -> Result<Option<&'a [u8]>, Offence> {
    if !has_good_letters(target) {
        return Err(Offence::InvalidTarget);
    }
    if method == b"CONNECT" {
        let with_port = target.contains(&b':');
        return host(target).ok().filter(|_| with_port).map(|_| Some(target)).ok_or(Offence::InvalidTarget);
    }
    match target {
        [b'/', ..] => Ok(None),
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => url(target).map(Some),
    }
}

/// An accent grave is encoded by browsers in paths, but not in queries.
fn has_good_letters(target: &[u8]) -> bool {
    let Some(bad) = target.iter().position(|byte| !is_target(*byte)) else { return true };
    let (good, rest) = target.split_at(bad);
    good.contains(&b'?') && rest.iter().all(|byte| is_target(*byte) || *byte == b'`')
}

/// Returns the authority of an `http` or `https` URL.
fn url(target: &[u8]) -> Result<&[u8], Offence> {
    let after = |scheme: &str| {
        let (head, rest) = target.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    };
    let rest = after("http://").or_else(|| after("https://")).ok_or(Offence::InvalidTarget)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let authority = &rest[..end];
    host(authority).map(|()| authority).map_err(|_| Offence::InvalidTarget)
}

/// Checks a name or address with an optional port.
pub(crate) fn host(host: &[u8]) -> Result<(), Offence> {
    let (name, port) = split(host);
    let good_name = match name {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        }
        _ => !name.is_empty() && name.len() <= 255 && all_host_name(name),
    };
    match good_name && port.is_none_or(is_port) {
        true => Ok(()),
        false => Err(Offence::InvalidHost),
    }
}

/// Whether both name the same host. Ports are not compared: some clients leave out the usual one in one of the two.
pub(crate) fn same_host(one: &[u8], other: &[u8]) -> bool {
    split(one).0.eq_ignore_ascii_case(split(other).0)
}

/// Parts the name from what follows the first colon outside of brackets.
fn split(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    let name = match host {
        [b'[', ..] => host.iter().position(|byte| *byte == b']').map_or(0, |bracket| bracket + 1),
        _ => 0,
    };
    match host[name..].iter().position(|byte| *byte == b':') {
        Some(colon) => (&host[..name + colon], Some(&host[name + colon + 1..])),
        None => (host, None),
    }
}

fn is_port(digits: &[u8]) -> bool {
    digits.len() <= 5 && decimal(digits).is_some_and(|port| (1..=65535).contains(&port))
}
