//! Who takes us for an HTTP server.

/// Whether the line is the first one of an HTTP request. No Redis command has this form: GET takes one argument.
pub(crate) fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"];
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let method = words.next().is_some_and(|word| METHODS.contains(&word));
    method && words.nth(1).is_some_and(|version| version.starts_with(b"HTTP/")) && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_of_http_is_known_and_the_command_get_is_not_mistaken() {
        assert!(is_http(b"GET / HTTP/1.1\r"));
        assert!(is_http(b"OPTIONS * HTTP/1.0"));
        assert!(!is_http(b"GET key\r"));
        assert!(!is_http(b"SET key HTTP/1.1"));
    }
}
