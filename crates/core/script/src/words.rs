//! Words of a line, as people type them: an inline request, what a script says of itself.

use std::ops::Range;

/// Splits a line into its arguments by Redis' rules and puts them without quotes into `out`. None when a quote is not
/// closed, or is followed by anything but a blank.
///
/// In double quotes `\n \r \t \b \a \xHH` stand for what they do in C and any other `\c` for c; in single quotes only
/// `\'` does.
pub fn split(line: &[u8], out: &mut Vec<u8>) -> Option<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().position(|byte| !is_blank(*byte));
        rest = &rest[blanks.unwrap_or(rest.len())..];
        if rest.is_empty() {
            return Some(ranges);
        }
        let start = out.len();
        rest = word(rest, out)?;
        ranges.push(start..out.len());
    }
}

/// One argument; what comes behind it.
fn word<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' | 0 => return Some(behind),
            b'"' => return closed(double_quoted(behind, out)?),
            b'\'' => return closed(single_quoted(behind, out)?),
            _ => out.push(byte),
        }
        rest = behind;
    }
    Some(rest)
}

/// Behind a closing quote there has to be a blank or nothing.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|byte| is_blank(*byte)).then_some(rest)
}

/// To C's `isspace`. Not all of them end a word.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', behind @ ..] => return Some(behind),
            [b'\\', b'x', high, low, behind @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                behind
            }
            [b'\\', escaped, behind @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                behind
            }
            [byte, behind @ ..] => {
                out.push(*byte);
                behind
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\'', behind @ ..] => return Some(behind),
            [b'\\', b'\'', behind @ ..] => {
                out.push(b'\'');
                behind
            }
            [byte, behind @ ..] => {
                out.push(*byte);
                behind
            }
        }
    }
}

fn nibble(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |nibble| nibble as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: Option<&[&[u8]]>) {
        let mut out = Vec::new();
        let ranges = split(line, &mut out);
        let words = ranges.map(|ranges| ranges.into_iter().map(|r| out[r].to_vec()).collect::<Vec<_>>());
        assert_eq!(words, expected.map(|words| words.iter().map(|w| w.to_vec()).collect()));
    }

    #[test]
    fn words_are_unquoted_by_redis_rules() {
        check(b"  set  a\tb ", Some(&[b"set", b"a", b"b"]));
        check(br#"set "a b" 'c d'"#, Some(&[b"set", b"a b", b"c d"]));
        check(br#""\x41\n\q\"" '\n\''"#, Some(&[b"A\nq\"", b"\\n'"]));
        check(br#"a"b c" d"#, Some(&[b"ab c", b"d"]));
        check(br#""""#, Some(&[b""]));
        check(b"\x0ba\x0bb \x0bc", Some(&[b"a\x0bb", b"c"]));
        check(br#"\x41"#, Some(&[br"\x41"]));
        check(b"", Some(&[]));
    }

    #[test]
    fn open_quotes_and_glued_words_are_refused() {
        for line in [br#"set "a"#.as_slice(), b"set 'a", br#""a"b"#, br#""a\"#, b"'a'b", br#""a\""#] {
            check(line, None);
        }
    }
}
