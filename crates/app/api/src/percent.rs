//! Percent-encoding (RFC 3986 2.1), undone once.

/// None when a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_is_undone_once_and_a_broken_one_is_none() {
        assert_eq!(decode("a%2Fb%252F%00%ff+"), Some(b"a/b%2F\x00\xff+".to_vec()));
        for broken in ["%", "%2", "%zz", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
