//! Sums of decimal numbers, for INCRBYFLOAT.
//!
//! Redis adds with 64 bits of mantissa and prints 17 decimals, so that 0.1 + 0.2 is 0.3. Here numbers of up to 17
//! decimals are added exactly and rounded where that mantissa ends before the point, and what does not fit that is added
//! as doubles.

use std::cmp::Ordering;

use crate::number::parse_float;

const PLACES: u32 = 17;
const UNIT: i128 = 10i128.pow(PLACES);

/// The sum as Redis prints it: no exponent, no zeros at the end. None when one of both is no number, or the sum is
/// not finite.
pub(crate) fn add(left: &[u8], right: &[u8]) -> Result<String, Error> {
    let (left_float, right_float) =
        (parse_float(left).ok_or(Error::NotFloat)?, parse_float(right).ok_or(Error::NotFloat)?);
    if let (Some(left), Some(right)) = (parse(left), parse(right))
        && let Some(sum) = left.checked_add(right)
    {
        return Ok(print(rounded(sum)));
    }
    let sum = left_float + right_float;
    if sum.is_finite() { Ok(sum.to_string()) } else { Err(Error::NotFinite) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    NotFloat,
    NotFinite,
}

/// In units of 10^-17. None when it has more digits than fit.
fn parse(bytes: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() > 20 || fraction.len() > PLACES as usize || whole.len() + fraction.len() == 0 {
        return None;
    }
    let number = |digits: &str| -> Option<i128> {
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Some(0) } else { digits.parse().ok().filter(|_| all_digits) }
    };
    let scale = 10i128.pow(PLACES - fraction.len() as u32);
    let units = number(whole)? * UNIT + number(fraction)? * scale;
    let shift = 10i128.checked_pow(exponent.unsigned_abs())?;
    let units = match exponent {
        0.. => units.checked_mul(shift)?,
        _ if units % shift == 0 => units / shift,
        _ => return None,
    };
    Some(if negative { -units } else { units })
}

/// What is left of a number in 64 bits of mantissa, where those do not reach behind the point.
fn rounded(units: i128) -> i128 {
    let whole = units.unsigned_abs() / UNIT as u128;
    let Some(shift) = (u128::BITS - whole.leading_zeros()).checked_sub(64) else { return units };
    let step = UNIT << shift;
    let (steps, rest) = (units / step, (units % step).abs());
    let up = match (2 * rest).cmp(&step) {
        Ordering::Less => false,
        Ordering::Equal => steps % 2 != 0,
        Ordering::Greater => true,
    };
    (steps + if up { units.signum() } else { 0 }) * step
}

fn print(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) = (units.unsigned_abs() / UNIT as u128, units.unsigned_abs() % UNIT as u128);
    let text = format!("{sign}{whole}.{fraction:017}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_decimal_numbers() {
        for (left, right, sum) in [
            ("10.50", "0.1", Ok("10.6")),
            ("0.1", "0.2", Ok("0.3")),
            ("10.6", "-5", Ok("5.6")),
            ("5.0e3", "2.0e2", Ok("5200")),
            ("0", "0", Ok("0")),
            ("-0.5", "0.25", Ok("-0.25")),
            ("1", "-1", Ok("0")),
            ("3", "1.000000000000000005", Ok("4")),
            ("10", "1e17", Ok("100000000000000010")),
            ("18446744073709551615", "3.5", Ok("18446744073709551618")),
            ("-1e20", "-1.5", Ok("-100000000000000000000")),
            ("1e-3", "1.5E2", Ok("150.001")),
            ("99999999999999999999", "1", Ok("100000000000000000000")),
            ("x", "1", Err(Error::NotFloat)),
            ("1", " 1", Err(Error::NotFloat)),
            ("1", "", Err(Error::NotFloat)),
            ("1", "nan", Err(Error::NotFloat)),
            ("1", "inf", Err(Error::NotFinite)),
            ("1e308", "1e308", Err(Error::NotFinite)),
        ] {
            assert_eq!(add(left.as_bytes(), right.as_bytes()), sum.map(str::to_owned), "{left} + {right}");
        }
    }
}
