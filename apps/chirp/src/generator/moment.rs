//! When something was tweeted: Twitter's dates and the time inside a tweet's id.

use std::fmt;

use super::random::Random;

/// Milliseconds since 1970 in UTC.
#[derive(Clone, Copy)]
pub struct Moment(u64);

/// Where the time in a tweet's id begins: 4 November 2010.
const SNOWFLAKE_EPOCH: u64 = 1_288_834_974_657;
const DAY: u64 = 86_400_000;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Moment {
    /// Every made-up stream begins on Thursday, 16 March 2017 at 9:00.
    pub const START: Moment = Moment(1_489_654_800_000);

    pub fn pass(&mut self, milliseconds: u64) {
        self.0 += milliseconds;
    }

    pub fn days_before(self, days: u64) -> Moment {
        Moment(self.0 - days * DAY)
    }

    /// A tweet's id: 41 bits of time, then 22 bits that tell the tweets of one millisecond apart.
    pub fn snowflake(self, random: &mut Random) -> u64 {
        (self.0 - SNOWFLAKE_EPOCH) << 22 | random.below(1 << 22)
    }

    /// Year, month (0 to 11) and day of the month.
    fn date(self) -> (u64, usize, u64) {
        let (mut year, mut day) = (1970, self.0 / DAY);
        while day >= days_in(year) {
            day -= days_in(year);
            year += 1;
        }
        let mut month = 0;
        while day >= days_of(month, year) {
            day -= days_of(month, year);
            month += 1;
        }
        (year, month, day + 1)
    }
}

/// As Twitter writes it: `Thu Mar 16 09:00:00 +0000 2017`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (year, month, day) = self.date();
        let (weekday, month) = (WEEKDAYS[(self.0 / DAY % 7) as usize], MONTHS[month]);
        let second = self.0 / 1000 % 86_400;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} +0000 {year}")
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of(month: usize, year: u64) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_twitter_writes_them() {
        assert_eq!(Moment::START.to_string(), "Thu Mar 16 09:00:00 +0000 2017");
        assert_eq!(Moment(0).to_string(), "Thu Jan 01 00:00:00 +0000 1970");
        assert_eq!(Moment(951_827_696_000).to_string(), "Tue Feb 29 12:34:56 +0000 2000");
        assert_eq!(Moment(1_409_444_955_000).to_string(), "Sun Aug 31 00:29:15 +0000 2014");
        assert_eq!(Moment(1_483_228_799_999).to_string(), "Sat Dec 31 23:59:59 +0000 2016");
    }
}
