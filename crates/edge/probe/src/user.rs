//! The user in a URL, `http://USER:PASSWORD@HOST/`: it goes into a header, and not to where the host is named
//! (RFC 9110 4.2.4, RFC 7617 2).

use adsum_keyspace::json::base64;

/// The user, where there is one, and the host with its port.
pub(crate) fn split(authority: &str) -> (Option<&str>, &str) {
    authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host))
}

/// What `Authorization` says of a user. Without a password it is empty.
pub(crate) fn basic(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let plain = [&*decoded(name), b":", &*decoded(password)].concat();
    format!("Basic {}", base64(&plain))
}

/// `%40` is `@`; what is no such triple stays as it is.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let triple = byte(others).filter(|_| *first == b'%');
        bytes.push(triple.unwrap_or(*first));
        rest = if triple.is_some() { &others[2..] } else { others };
    }
    bytes
}

/// The byte that two hexadecimal digits stand for.
fn byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    Some((digit(0)? << 4 | digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_stands_before_the_last_at_sign() {
        assert_eq!(split("host:80"), (None, "host:80"));
        assert_eq!(split("[::1]:80"), (None, "[::1]:80"));
        assert_eq!(split("ada:secret@host"), (Some("ada:secret"), "host"));
        assert_eq!(split("a@b@host:80"), (Some("a@b"), "host:80"));
    }

    #[test]
    fn name_and_password_are_told_as_rfc_7617_has_it() {
        // The example of RFC 7617 2.
        assert_eq!(basic("Aladdin:open%20sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic("ada"), format!("Basic {}", base64(b"ada:")));
        assert_eq!(basic("a%3Ab:c:%4"), format!("Basic {}", base64(b"a:b:c:%4")));
    }
}
