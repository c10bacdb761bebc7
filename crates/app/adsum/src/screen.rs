//! What a person or a program reads: where it may have colours, and which letters it can show.

use std::io::{self, IsTerminal, Write};

/// What an output stream can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) colours: bool,
    pub(crate) unicode: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Busy,
    Bad,
    Faint,
}

impl Screen {
    pub(crate) fn stdout() -> Screen {
        Screen::of(io::stdout().is_terminal(), |name| std::env::var(name).ok())
    }

    /// `NO_COLOR` (no-color.org) counts when it is not empty; POSIX says which variable decides about letters.
    fn of(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Screen {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Screen {
            colours: terminal && !dumb && set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Busy => 33,
            Tone::Bad => 31,
            Tone::Faint => 2,
        };
        match self.colours {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PrintError {
    /// Whoever read our output has closed it: `adsum service ls | head -1`.
    #[error("nobody reads standard output any more")]
    Gone,
    #[error("cannot write to standard output")]
    Write(#[source] io::Error),
}

/// Writes to standard output at once.
pub(crate) fn print(text: &str) -> Result<(), PrintError> {
    print_bytes(text.as_bytes())
}

pub(crate) fn print_line(text: &str) -> Result<(), PrintError> {
    print_bytes(format!("{text}\n").as_bytes())
}

pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), PrintError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => PrintError::Gone,
        _ => PrintError::Write(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(terminal: bool, variables: &[(&str, &str)], colours: bool, unicode: bool) {
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        assert_eq!(Screen::of(terminal, find), Screen { colours, unicode });
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        check(true, &[("TERM", "xterm"), ("LANG", "en_US.UTF-8")], true, true);
        check(true, &[("TERM", "xterm"), ("NO_COLOR", "1")], false, false);
        check(true, &[("TERM", "xterm"), ("NO_COLOR", "")], true, false);
        check(true, &[("TERM", "dumb")], false, false);
        check(false, &[("TERM", "xterm")], false, false);
    }

    #[test]
    fn the_most_specific_locale_decides_about_letters() {
        check(false, &[("LANG", "de_DE.utf8")], false, true);
        check(false, &[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], false, false);
        check(false, &[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], false, true);
    }

    #[test]
    fn paint_leaves_text_alone_where_there_are_no_colours() {
        let plain = Screen { colours: false, unicode: false };
        assert_eq!(plain.paint(Tone::Bad, "x"), "x");
        assert_eq!(Screen { colours: true, ..plain }.paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
