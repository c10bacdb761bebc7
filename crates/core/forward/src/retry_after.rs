//! When a service wants to be asked again (RFC 9110 section 10.2.3).

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, header};

/// `Retry-After` of an answer, from now (`wall`, Unix milliseconds) on. A date that has passed is no time at all; what
/// cannot be read is as if it were not there.
pub fn retry_after(headers: &HeaderMap, wall: u64) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_millis(wall)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(value: &str, expect: Option<u64>) {
        let headers = [(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())].into_iter().collect();
        // 06 Nov 1994 08:49:37 is second 784111777.
        let seconds = retry_after(&headers, 784_111_770_000).map(|wait| wait.as_secs());
        assert_eq!(seconds, expect, "{value}");
    }

    #[test]
    fn seconds_and_all_three_forms_of_dates_are_read() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(7));
        check("Sun Nov  6 08:49:37 1994", Some(7));
        check("Sun, 06 Nov 1994 08:49:27 GMT", Some(0));
    }

    #[test]
    fn nonsense_is_as_if_it_were_not_there() {
        check("soon", None);
        check("-5", None);
        check("1.5", None);
        check("99999999999999999999999", None);
    }
}
