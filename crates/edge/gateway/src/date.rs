//! Moments as dates of the calendar: in logs, and in the `Date` of answers.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The first of January 1970 was the first of these.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment of the proleptic Gregorian calendar, in UTC.
pub(crate) struct Date {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    /// Since midnight.
    pub(crate) seconds: u64,
}

impl Date {
    /// Of Unix milliseconds. Counts days from the first of March of the year 0, so that leap days are at the end of
    /// their years.
    pub(crate) fn of(wall: u64) -> Date {
        let seconds = wall / 1000;
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Date {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            seconds: seconds % 86_400,
        }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7), written anew once a second.
#[derive(Debug)]
pub(crate) struct HttpDate(Cell<(u64, [u8; LENGTH])>);

const LENGTH: usize = 29;

impl Default for HttpDate {
    fn default() -> Self {
        Self(Cell::new((0, at(0))))
    }
}

impl HttpDate {
    /// The present moment.
    pub(crate) fn now(&self) -> [u8; LENGTH] {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.0.get().0 != second {
            self.0.set((second, at(second)));
        }
        self.0.get().1
    }
}

fn at(second: u64) -> [u8; LENGTH] {
    let Date { year, month, day, seconds } = Date::of(second * 1000);
    let (hour, minute, second_of_minute) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let week_day = DAYS[(second / 86_400 % 7) as usize];
    let month = MONTHS[month as usize - 1];
    let text =
        format!("{week_day}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second_of_minute:02} GMT");
    text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_http_wants_them() {
        let text = |second| String::from_utf8(at(second).to_vec()).unwrap();
        assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(1_709_209_445), "Thu, 29 Feb 2024 12:24:05 GMT");
    }

    #[test]
    fn present_date_is_that_of_the_clock() {
        let (date, before) = (HttpDate::default(), SystemTime::now());
        let now = date.now();
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((seconds(before)..=seconds(SystemTime::now())).any(|second| at(second) == now));
    }
}
