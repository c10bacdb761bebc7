//! Which protocol a client speaks, by its first bytes.

/// What a connection that speaks HTTP/2 from the beginning begins with (RFC 9113, 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preface {
    /// It is HTTP/2, which this crate does not read.
    Http2,
    /// It cannot be HTTP/2.
    Http1,
    /// More bytes are needed to tell.
    Undecided,
}

/// Tells from the first bytes of a connection whether it is HTTP/2 by prior knowledge.
pub fn preface(bytes: &[u8]) -> Preface {
    let length = bytes.len().min(HTTP2.len());
    match bytes[..length] == HTTP2[..length] {
        false => Preface::Http1,
        true if length == HTTP2.len() => Preface::Http2,
        true => Preface::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_decided_by_the_first_byte_that_differs() {
        assert_eq!(preface(b""), Preface::Undecided);
        assert_eq!(preface(b"PRI * HTT"), Preface::Undecided);
        assert_eq!(preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"), Preface::Http2);
        assert_eq!(preface(b"PRI * HTTP/2.0\r\n\r\nSX"), Preface::Http1);
        assert_eq!(preface(b"G"), Preface::Http1);
    }
}
