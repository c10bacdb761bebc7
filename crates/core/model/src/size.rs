//! Amounts of memory as people write them: `256m`, `1.5g`.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no amount of memory: write it like 512k, 256m or 1.5g")]
pub struct ParseSizeError(String);

const UNITS: [(&str, u64); 4] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)];

/// Reads Docker's notation into bytes: a number and `b`, `k`, `m`, `g` or `t`, in either case and with or without a `b`
/// or `ib` behind. Units are powers of 1024; bytes when there is none.
pub fn parse_size(text: &str) -> Result<u64, ParseSizeError> {
    let error = || ParseSizeError(text.to_string());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let letter = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let factor = match letter {
        "" if unit != "ib" => 1,
        letter => UNITS.iter().find(|(unit, _)| *unit == letter).ok_or_else(error)?.1,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(error);
    }
    let bytes = number.parse::<f64>().map_err(|_| error())? * factor as f64;
    // Above that a float has gaps between whole numbers, and nobody has such a machine.
    if bytes < (1u64 << 53) as f64 { Ok(bytes as u64) } else { Err(error()) }
}

/// Prints in the largest unit that loses nothing: `256m`, `1536m`, `1000`.
pub fn print_size(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*factor);
    match UNITS.iter().rev().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// For sentences: `256 MiB`, `1.5 GiB`.
pub fn spell_size(bytes: u64) -> String {
    let reached = |(_, factor): &&(&str, u64)| bytes >= *factor;
    match UNITS.iter().rev().find(reached) {
        Some((unit, factor)) => {
            let tenths = (bytes as f64 / *factor as f64 * 10.0).round() / 10.0;
            format!("{tenths} {}iB", unit.to_ascii_uppercase())
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, bytes: u64) {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }

    #[test]
    fn sizes_read_as_docker_reads_them() {
        check("1024", 1024);
        check("7b", 7);
        check("512k", 512 << 10);
        for text in ["256m", "256M", "256mb", "256MiB", "256 MB"] {
            check(text, 256 << 20);
        }
        check("1.5g", 3 << 29);
        check("2T", 2 << 40);
        for bad in ["", "m", "-1m", "1.2.3m", "1x", "1ib", "1 k b", "20000000t", "1e3", "inf"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_printed_size_reads_back() {
        for bytes in [0, 1, 1000, 1024, 1536 << 20, 256 << 20, 3 << 30, 5 << 40, u64::MAX] {
            check(&print_size(bytes), bytes);
        }
        assert_eq!(print_size(256 << 20), "256m");
        assert_eq!((spell_size(256 << 20), spell_size(3 << 29)), ("256 MiB".into(), "1.5 GiB".into()));
        assert_eq!((spell_size(1023), spell_size(10 << 10)), ("1023 bytes".into(), "10 KiB".into()));
    }
}
