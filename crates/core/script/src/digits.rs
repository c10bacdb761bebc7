//! Numbers as C prints them with `%.14g` and `%.17g`, which scripts see.

/// `%.{precision}g`.
pub(crate) fn general(number: f64, precision: usize) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = format!("{number:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("the form has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs());
    }
    let behind = (precision as i32 - 1 - exponent) as usize;
    without_zeros(&format!("{number:.behind$}")).to_owned()
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_does() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (1e15, "1e+15"),
            (1e14, "1e+14"),
            (1e13, "10000000000000"),
            (0.1, "0.1"),
            (1e-10, "1e-10"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345_678.0, "1.2345678901235e+17"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(general(number, 14), expected);
        }
        assert_eq!(general(0.1, 17), "0.10000000000000001");
        assert_eq!(general(3.0, 17), "3");
        assert_eq!(general(1e30, 17), "1e+30");
    }
}
