//! Cookies: one is read, and the one that keeps a client with its instance is written (RFC 6265).

use http::{HeaderMap, HeaderValue, header};

/// The value of the first cookie with this name, without the quotes it may have.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| found.trim() == name)?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// For `Set-Cookie`: lasts as long as the browser's session, is not for scripts, goes over TLS only when it came so.
/// None when the name is none of a cookie.
pub fn sticky_cookie(name: &str, instance: &str, tls: bool) -> Option<HeaderValue> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return None;
    }
    let secure = if tls { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={instance}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cookies: &[&str], expect: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(cookie(&headers, "id"), expect);
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        check(&["a=1; id=x; b=2"], Some("x"));
        check(&["id=x=y"], Some("x=y"));
        check(&["a=1", "id=\"x\""], Some("x"));
        check(&["myid=x; id2=y; Id=z"], None);
        check(&["id"], None);
        check(&[], None);
    }

    #[test]
    fn the_sticky_cookie_is_not_for_scripts_nor_for_other_sites() {
        let written = |tls| sticky_cookie("id", "abcdefghijkl", tls).unwrap();
        assert_eq!(written(false), "id=abcdefghijkl; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(written(true), "id=abcdefghijkl; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(sticky_cookie("a;b", "x", false), None);
        assert_eq!(sticky_cookie("", "x", false), None);
    }
}
