//! Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no duration: write it like 500ms, 30s, 5m or 1h30m")]
pub struct ParseDurationError(String);

/// Reads Go's notation with the units `ms`, `s`, `m`, `h`, as the tools of this field use it. A unit is required
/// except for a plain `0`.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let error = || ParseDurationError(text.to_string());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(error());
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let number: f64 = rest[..digits].parse().map_err(|_| error())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(error()),
        };
        rest = &rest[letters..];
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| error())?;
        total = total.checked_add(part).ok_or_else(error)?;
    }
    Ok(total)
}

/// Prints in the largest units that lose nothing: `1h30m`, `1500ms`.
pub fn print_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_string();
    }
    if !millis.is_multiple_of(1000) {
        return format!("{millis}ms");
    }
    let seconds = millis / 1000;
    let mut text = String::new();
    for (amount, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: u64) {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
    }

    #[test]
    fn durations_read_as_people_write_them() {
        check("500ms", 500);
        check("30s", 30_000);
        check("1.5s", 1_500);
        check("1h30m", 5_400_000);
        check("0", 0);
        for bad in ["", "5", "s", "-3s", "5 s", "1d", "1e400h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_printed_duration_reads_back() {
        for millis in [0, 1, 999, 1000, 61_000, 3_600_000, 5_400_000, 90_061_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
        }
    }
}
