//! The signals of Linux by name.

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `SIGTERM` for `SIGTERM`, `TERM`, `term` and `15`.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let by_number = text.parse::<usize>().ok().and_then(|number| NAMES.get(number.checked_sub(1)?));
    let by_name = NAMES.iter().find(|known| **known == name);
    by_number.or(by_name).map(|name| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_name_short_name_and_number() {
        for text in ["SIGTERM", "TERM", "term", "15"] {
            assert_eq!(canonical(text).as_deref(), Some("SIGTERM"), "{text}");
        }
        assert_eq!(canonical("31").as_deref(), Some("SIGSYS"));
        for text in ["", "SIG", "0", "32", "-9", "KILLER"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
