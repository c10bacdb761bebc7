//! Numbers as Redis reads them.

use crate::refusal::Refusal;

/// A signed decimal number without blanks, plus sign or leading zeros; so that a number has one form only.
pub(crate) fn parse_integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut number: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative { 0i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

pub(crate) fn integer(bytes: &[u8]) -> Result<i64, Refusal> {
    parse_integer(bytes).ok_or(Refusal::NotInteger)
}

/// A finite or infinite number without blanks, as C's `strtod` reads it: in hexadecimal, too, and not when what is written
/// is too great or too small for a double.
pub(crate) fn parse_float(bytes: &[u8]) -> Option<f64> {
    let text = str::from_utf8(bytes).ok()?;
    if text.bytes().any(|byte| matches!(byte, b'x' | b'X')) {
        return parse_hexadecimal(text);
    }
    let number: f64 = text.parse().ok()?;
    let fits = match number {
        // Where it is meant, it is written in letters.
        number if number.is_infinite() => !text.bytes().any(|byte| byte.is_ascii_digit()),
        0.0 => !text
            .bytes()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9')),
        number => !number.is_nan(),
    };
    fits.then_some(number)
}

/// The same for the end of a range, where Redis takes what `strtod` makes of it: nothing is 0, and blanks may stand before
/// it.
pub(crate) fn parse_end(bytes: &[u8]) -> Option<f64> {
    if bytes.is_empty() {
        return Some(0.0);
    }
    let bytes = bytes.trim_ascii_start();
    let text = str::from_utf8(bytes).ok()?;
    parse_float(bytes).or_else(|| text.parse().ok()).filter(|number| !number.is_nan())
}

/// `[+-]0xHEX[.HEX][pEXPONENT]`
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let (digits, exponent) = match digits.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut number = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(-4)?.checked_add(exponent)?;
    let scaled = number * 2f64.powi(shift);
    (scaled.is_finite() && (scaled != 0.0 || number == 0.0)).then_some(sign * scaled)
}

/// The shortest form that reads back as the same number, with an exponent where Redis 7.2 has one.
pub(crate) fn print_float(number: f64) -> String {
    /// Greater ones are no integers to Redis.
    const INTEGER: f64 = (i64::MAX / 2) as f64;
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() <= INTEGER {
        return number.to_string();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("there is an exponent in this form");
    let exponent: i32 = exponent.parse().expect("it was printed as a number");
    let count = digits.bytes().filter(u8::is_ascii_digit).count() as i32;
    // Of the last digit.
    let least = exponent - count + 1;
    let is_plain = match least {
        0.. => exponent < count + 7,
        _ => least > -7 || exponent.abs() < 4,
    };
    match is_plain {
        true => number.to_string(),
        false if exponent < 0 => scientific,
        false => format!("{digits}e+{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_printed_as_short_as_it_can_be() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (1e17, "100000000000000000"),
            (-4e18, "-4000000000000000000"),
            (9_223_372_036_854_775_808.0, "9223372036854776000"),
            (1e20, "1e+20"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.000_012, "0.000012"),
            (1e-7, "1e-7"),
            (1.25e-10, "1.25e-10"),
            (0.001_234_567_891_23, "0.00123456789123"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(print_float(number), expected);
        }
    }

    #[test]
    fn a_float_is_read_as_c_does() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("+.5", Some(0.5)),
            ("1e-3", Some(0.001)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("-0X1.8p1", Some(-3.0)),
            ("0e5", Some(0.0)),
            ("", None),
            ("nan", None),
            (" 1", None),
            ("1 ", None),
            ("1e400", None),
            ("1e-400", None),
            ("0x", None),
            ("0xp1", None),
            ("0x1p9999", None),
            ("x", None),
        ] {
            assert_eq!(parse_float(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn the_end_of_a_range_may_be_nothing_and_too_great() {
        for (text, expected) in [
            ("", Some(0.0)),
            (" 1", Some(1.0)),
            ("1e400", Some(f64::INFINITY)),
            ("0x10", Some(16.0)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
        ] {
            assert_eq!(parse_end(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn an_integer_has_one_form_only() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("-0", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("", None),
            ("-", None),
            ("1.0", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_integer(text.as_bytes()), expected, "{text:?}");
        }
    }
}
