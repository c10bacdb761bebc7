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
            // What browsers send unencoded in a path or query. A fragment has no business here: parsers drop it
            // silently, so that it would not be clear what the target is.
            Self::Target => byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>'),
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

pub(crate) fn all_token(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_token(*byte))
}

pub(crate) fn all_target(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| TARGET[usize::from(*byte)])
}

pub(crate) fn all_host_name(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| HOST_NAME[usize::from(*byte)])
}

pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether these bytes can be a field's value: no control character but the tabulator. Other bytes than ASCII are
/// let through; they mean nothing to us (RFC 9110, 5.5).
pub(crate) fn all_value(bytes: &[u8]) -> bool {
    // Without an early end, so that the compiler looks at many bytes at once.
    bytes.iter().fold(true, |good, byte| good & ((*byte >= b' ') & (*byte != 0x7f) | (*byte == b'\t')))
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

/// The first place of a byte.
pub(crate) fn position(byte: u8, bytes: &[u8]) -> Option<usize> {
    memchr::memchr(byte, bytes)
}
