//! Replies as bytes, in the protocol that the client speaks.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use crate::number::print_float;

/// The version that a client asked for with HELLO; RESP2 before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Appends replies to a buffer. What RESP2 does not know is written in the form that Redis gives it there.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Writer<'a> {
        Writer { out, protocol }
    }

    /// The same buffer, for a while.
    pub(crate) fn reborrow(&mut self) -> Writer<'_> {
        Writer { out: self.out, protocol: self.protocol }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// How many bytes there are: a mark for [`Writer::truncate`].
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was written after the mark.
    pub fn truncate(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// `text` begins with the code. Line ends in it become spaces, so that it cannot break the protocol.
    pub fn error(&mut self, text: &str) {
        self.out.push(b'-');
        let bytes = text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
        self.out.extend(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    pub fn integer(&mut self, number: i64) {
        self.out.push(b':');
        self.digits(number);
    }

    pub fn count(&mut self, number: usize) {
        self.integer(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub fn boolean(&mut self, value: bool) {
        self.integer(i64::from(value));
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A number with a fraction.
    pub fn double(&mut self, number: f64) {
        let text = print_float(number);
        match self.protocol {
            Protocol::Resp2 => self.text(&text),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// Text that a person reads, such as INFO.
    pub fn verbatim(&mut self, text: &str) {
        match self.protocol {
            Protocol::Resp2 => self.text(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(b"txt:");
                self.out.extend_from_slice(text.as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The same of another format, of three bytes.
    pub(crate) fn verbatim_of(&mut self, format: &[u8], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() + 4);
                let mut format = format.iter().chain(b"   ").take(3);
                self.out.extend(format.by_ref());
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A boolean where RESP3 has one; in RESP2 1 or 0.
    pub(crate) fn truth(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.boolean(value),
            Protocol::Resp3 => self.line(b'#', if value { b"t" } else { b"f" }),
        }
    }

    pub(crate) fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.text(digits),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A value that is not there.
    pub fn null(&mut self) {
        let bytes: &[u8] = match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        };
        self.out.extend_from_slice(bytes);
    }

    /// An array that is not there.
    pub fn null_array(&mut self) {
        let bytes: &[u8] = match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        };
        self.out.extend_from_slice(bytes);
    }

    /// The bytes, or null.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// `length` elements follow.
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length);
    }

    /// An array whose length is known only when it has been written: see [`Writer::end_array`].
    pub fn begin_array(&mut self) -> usize {
        self.mark()
    }

    /// Puts the head of an array of `length` elements before what was written since `mark`.
    pub fn end_array(&mut self, mark: usize, length: usize) {
        let head = format!("*{length}\r\n");
        self.out.splice(mark..mark, head.into_bytes());
    }

    /// `pairs` keys with their values follow.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(pairs * 2),
            Protocol::Resp3 => self.header(b'%', pairs),
        }
    }

    /// `length` different elements follow.
    pub fn set(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.header(b'~', length),
        }
    }

    /// `length` elements follow that no request asked for.
    pub fn push(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.header(b'>', length),
        }
    }

    fn line(&mut self, kind: u8, bytes: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, kind: u8, length: usize) {
        self.out.push(kind);
        self.digits(length as i64);
    }

    fn digits(&mut self, number: i64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: Protocol, write: impl Fn(&mut Writer), expected: &str) {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, protocol));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn every_form_has_its_bytes_in_both_protocols() {
        for (write, two, three) in [
            (
                (|w| w.integer(i64::MIN)) as fn(&mut Writer),
                ":-9223372036854775808\r\n",
                ":-9223372036854775808\r\n",
            ),
            (|w| w.integer(0), ":0\r\n", ":0\r\n"),
            (|w| w.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
            (|w| w.null(), "$-1\r\n", "_\r\n"),
            (|w| w.null_array(), "*-1\r\n", "_\r\n"),
            (|w| w.map(2), "*4\r\n", "%2\r\n"),
            (|w| w.set(2), "*2\r\n", "~2\r\n"),
            (|w| w.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (|w| w.push(2), "*2\r\n", ">2\r\n"),
            (|w| w.verbatim("hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        ] {
            check(Protocol::Resp2, write, two);
            check(Protocol::Resp3, write, three);
        }
    }

    #[test]
    fn an_error_cannot_break_the_protocol() {
        check(Protocol::Resp2, |w| w.error("ERR no\r\n+OK"), "-ERR no  +OK\r\n");
    }
}
