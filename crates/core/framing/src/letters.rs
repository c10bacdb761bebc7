//! Which bytes may stand where.

#[derive(Clone, Copy)]
enum Letters {
    Token,
    Target,
    HostName,
}

impl Letters {
    const fn has(self, byte: u8) -> bool {
        match self {
            // RFC 9110, 5.6.2.
            Self::Token => {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
                    || matches!(byte, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
            }
            // What browsers send unencoded in a path. A fragment has no business here: parsers drop it silently, so
            // that it would not be clear what the target is.
            Self::Target => byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`'),
            // Less than RFC 3986 allows in a registered name: what names of hosts are made of.
            Self::HostName => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'),
        }
    }

    /// All answers, made when the program is compiled.
    const fn table(self) -> [bool; 256] {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = self.has(byte as u8);
            byte += 1;
        }
        table
    }
}

static TOKEN: [bool; 256] = Letters::Token.table();
static TARGET: [bool; 256] = Letters::Target.table();
static HOST_NAME: [bool; 256] = Letters::HostName.table();

pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

pub(crate) fn is_target(byte: u8) -> bool {
    TARGET[usize::from(byte)]
}

pub(crate) fn all_host_name(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| HOST_NAME[usize::from(*byte)])
}

pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Without the blanks around it.
pub(crate) fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The decimal number that these bytes are, digits and nothing else. `None`: they are not, or it does not fit.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}

/// Where, from `begin` on, the first control character is that is no tabulator. The length, if there is none. Other
/// bytes than ASCII are let through; they mean nothing to us (RFC 9110, 5.5).
pub(crate) fn first_control(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        at += match first_in_word(u64::from_le_bytes(*word)) {
            found @ 0..8 if word[found] == b'\t' => found + 1,
            found @ 0..8 => return at + found,
            none => none,
        };
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    bytes[at..].iter().position(is_control).map_or(bytes.len(), |found| at + found)
}

/// Looks at eight bytes at once. Returns the place of the first control character, or 8.
fn first_in_word(word: u64) -> usize {
    let all = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // The highest bit of a byte is set when it is smaller. What is borrowed can set it wrongly in later bytes only, and
    // the first is what is asked for.
    let below = |word: u64, limit: u8| word.wrapping_sub(all(limit)) & !word & all(0x80);
    let controls = below(word, b' ') | below(word ^ all(0x7f), 1);
    controls.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for (byte, at) in (0..=255_u8).flat_map(|byte| (0..20).map(move |at| (byte, at))) {
            let mut bytes = *b"plain\ttext \xff\x80 and more";
            bytes[at] = byte;
            let expected = if byte.is_ascii_control() && byte != b'\t' { at } else { bytes.len() };
            assert_eq!(first_control(&bytes, 0), expected, "{byte} at {at}");
            assert_eq!(first_control(&bytes, at), expected, "{byte} at {at}");
        }
    }
}
