//! Moments and spans as people read them. Moments are Unix milliseconds.

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

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn utc(moment: u64) -> String {
    let (year, month, day) = date(moment / 86_400_000);
    let millis = moment % 86_400_000;
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", millis % 1000)
}

/// The civil date of a day since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms"): years begin
/// in March, so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
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

    #[test]
    fn moments_are_civil_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(utc(4_102_444_799_999), "2099-12-31T23:59:59.999Z");
    }
}
