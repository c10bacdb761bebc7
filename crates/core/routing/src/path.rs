//! The one normalisation of a request's path: what is matched is what is forwarded.
//!
//! Dot segments are resolved (RFC 3986 5.2.4), also those that are written with `%2e`; percent-encoded letters that
//! need none stand for themselves, all others have upper-case digits (6.2.2). `//` stays, and is matched as it is. What
//! servers read in different ways (an encoded slash, a backslash) is refused rather than repaired.

use std::borrow::Cow;

/// Why a path is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path does not begin with '/'")]
    Relative,
    #[error("the path has '%' without two hexadecimal digits at byte {at}")]
    Percent { at: usize },
    #[error(
        "the path has an encoded delimiter (%{code:02X}) at byte {at}: servers do not agree on what it means"
    )]
    Delimiter { code: u8, at: usize },
    #[error("the path has the byte 0x{byte:02x} at byte {at}: it has to be percent-encoded")]
    Byte { byte: u8, at: usize },
    #[error("the path has a dot segment with a parameter ('..;'): servers do not agree on what it means")]
    DotParameter,
}

/// The path as it is matched and forwarded. It never grows, and doing it twice changes nothing more.
pub fn normalise(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::Relative);
    }
    let decoded = decode(raw)?;
    if !decoded.contains("/.") {
        return Ok(decoded);
    }
    if has_dot_parameter(&decoded) {
        return Err(PathError::DotParameter);
    }
    if !decoded.split('/').any(is_dot_segment) {
        return Ok(decoded);
    }
    Ok(Cow::Owned(resolve(&decoded)))
}

/// Whether some request has this path once it is normalised.
pub(crate) fn is_normal(path: &str) -> bool {
    normalise(path).is_ok_and(|normal| normal == path)
}

/// With percent-encoding only where it is needed, and in one way.
fn decode(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if let Some((at, byte)) = raw.bytes().enumerate().find(|(_, byte)| !is_allowed(*byte)) {
        return Err(PathError::Byte { byte, at });
    }
    let Some(first) = raw.find('%') else { return Ok(Cow::Borrowed(raw)) };
    let mut decoded = String::with_capacity(raw.len());
    decoded.push_str(&raw[..first]);
    let mut at = first;
    while let Some(letter) = raw.as_bytes().get(at) {
        if *letter != b'%' {
            decoded.push(char::from(*letter));
            at += 1;
            continue;
        }
        push_code(&mut decoded, code(raw, at)?, at)?;
        at += 3;
    }
    Ok(Cow::Owned(decoded))
}

/// What a request line may carry, and no server reads as an end or a separator of something else.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'?' | b'#')
}

fn code(raw: &str, at: usize) -> Result<u8, PathError> {
    let digit = |at: usize| raw.as_bytes().get(at).and_then(|digit| char::from(*digit).to_digit(16));
    match (digit(at + 1), digit(at + 2)) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(PathError::Percent { at }),
    }
}

fn push_code(decoded: &mut String, code: u8, at: usize) -> Result<(), PathError> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    match code {
        b'/' | b'\\' | 0 | b';' | b'?' | b'#' => return Err(PathError::Delimiter { code, at }),
        b'-' | b'.' | b'_' | b'~' => decoded.push(char::from(code)),
        _ if code.is_ascii_alphanumeric() => decoded.push(char::from(code)),
        _ => {
            let digits = [DIGITS[usize::from(code >> 4)], DIGITS[usize::from(code & 15)]];
            decoded.push('%');
            decoded.extend(digits.map(char::from));
        }
    }
    Ok(())
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// `..;x` is a dot segment to some servers, and an ordinary name to others.
fn has_dot_parameter(path: &str) -> bool {
    path.contains(';')
        && path
            .split('/')
            .any(|segment| segment.split_once(';').is_some_and(|(name, _)| is_dot_segment(name)))
}

/// Without dot segments; one that leads above the root stays at the root.
fn resolve(path: &str) -> String {
    let mut resolved = String::with_capacity(path.len());
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => resolved.truncate(resolved.rfind('/').unwrap_or(0)),
            _ => {
                resolved.push('/');
                resolved.push_str(segment);
                continue;
            }
        }
        if is_last {
            resolved.push('/');
        }
    }
    resolved
}

/// Whether the path is the prefix itself or one below it.
///
/// ```text
/// /api is for /api, /api/ and /api/x, not for /apix      /api/ is for /api/ and /api/x, not for /api
/// ```
pub fn is_under(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'),
        None => false,
    }
}
