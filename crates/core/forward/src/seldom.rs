//! Headers that hardly any message has.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The first value of a header that is mostly not there. A map finds a name that is not one of the standard by its hash, and
/// to make that costs more than a look at the names of a usual head.
pub fn seldom<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    headers.iter().find_map(|(known, value)| (known == name).then_some(value))
}
