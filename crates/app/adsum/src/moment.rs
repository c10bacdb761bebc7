//! Spans of time as people read them. Moments are Unix milliseconds; `adsum_runtime::rfc3339` prints one.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `8 seconds ago`.
pub(crate) fn ago(now: u64, then: u64) -> String {
    format!("{} ago", span(now.saturating_sub(then) / 1000).to_lowercase())
}

/// Seconds in the words of the `docker` command line.
pub(crate) fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0 => "Less than a second".to_string(),
        1 => "1 second".to_string(),
        2..MINUTE => format!("{seconds} seconds"),
        MINUTE..120 => "About a minute".to_string(),
        120..HOUR => format!("{} minutes", seconds / MINUTE),
        HOUR..7200 => "About an hour".to_string(),
        7200..172_800 => format!("{} hours", seconds / HOUR),
        172_800..1_209_600 => format!("{} days", seconds / DAY),
        _ => format!("{} weeks", seconds / (7 * DAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_docker_writes_them() {
        let spans = [0, 1, 8, 60, 150, 3600, 86_400, 200_000, 3_000_000].map(span);
        assert_eq!(
            spans,
            [
                "Less than a second",
                "1 second",
                "8 seconds",
                "About a minute",
                "2 minutes",
                "About an hour",
                "24 hours",
                "2 days",
                "4 weeks"
            ]
        );
        assert_eq!(ago(10_000, 2_000), "8 seconds ago");
        assert_eq!(ago(1, 2), "less than a second ago");
    }
}
