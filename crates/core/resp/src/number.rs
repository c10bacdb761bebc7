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

/// A finite or infinite number without blanks.
pub(crate) fn parse_float(bytes: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// The shortest form that reads back as the same number, with an exponent where C's `%.17g` has one.
pub(crate) fn print_float(number: f64) -> String {
    const WHOLE: f64 = 1e17;
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("there is an exponent in this form");
    match exponent.parse() {
        Ok(-4..=-1) => number.to_string(),
        Ok(0..) if number.abs() < WHOLE => number.to_string(),
        Ok(exponent @ 0i32..) => format!("{digits}e+{exponent:02}"),
        Ok(exponent) => format!("{digits}e-{:02}", exponent.unsigned_abs()),
        Err(_) => scientific.clone(),
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
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.000_012, "1.2e-05"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(print_float(number), expected);
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
