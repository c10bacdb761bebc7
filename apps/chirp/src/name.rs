//! A user's name on Twitter, and the name of that user's service.
//!
//! ```text
//! Foo_Bar -> chirp-user-foo-bar        lower case, since Twitter's names ignore case;
//! foo_    -> chirp-user-foo-x          '-' for '_', which no DNS name has; and no DNS name ends in '-'
//! foo_x   -> chirp-user-foo-x          so these two users share a service
//! ```
//!
//! Names that differ only in that last way do collide. The two users then share one service (and one lock); the service
//! keeps both users' tweets, since tweet ids are unique over all users, and `GET /v1/tweet?user=foo_` tells them apart.

/// Every user's service is called so, which is how the proxy finds them.
pub const PREFIX: &str = "chirp-user-";

/// 15 is Twitter's limit today, older accounts have longer names. With the prefix it stays a DNS label.
const LONGEST: usize = 50;

/// Letters, digits and `_`, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenName(String);

impl ScreenName {
    pub fn parse(text: &str) -> Result<ScreenName, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(allowed) {
            let shown: String = text.chars().take(LONGEST).collect();
            return Err(format!("screen_name '{shown}' is not 1 to {LONGEST} letters, digits or '_'"));
        }
        Ok(ScreenName(text.to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user's part of the service name, also the name of the user's lock.
    pub fn slug(&self) -> String {
        slug(&self.0)
    }

    pub fn service(&self) -> String {
        format!("{PREFIX}{}", self.slug())
    }
}

/// Gives the same for `Foo_Bar`, `foo_bar` and `foo-bar`, so that all of them find the user.
pub fn slug(name: &str) -> String {
    let mut slug = name.to_ascii_lowercase().replace('_', "-");
    if slug.ends_with('-') {
        slug.push('x');
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, service: &str) {
        assert_eq!(ScreenName::parse(name).unwrap().service(), service);
    }

    #[test]
    fn a_screen_name_becomes_a_service_name() {
        check("aym0566x", "chirp-user-aym0566x");
        check("LDH_daisuki1", "chirp-user-ldh-daisuki1");
        check("_leading", "chirp-user--leading");
        check("trailing_", "chirp-user-trailing-x");
        check("__", "chirp-user---x");
        check("7", "chirp-user-7");
    }

    #[test]
    fn the_case_of_a_name_does_not_matter() {
        assert_eq!(slug("A_b"), slug("a_B"));
        assert_eq!(slug("Foo_Bar"), slug("foo-bar"));
    }

    #[test]
    fn a_slug_is_its_own_slug() {
        for name in ["foo_", "_foo", "Foo_x", "__"] {
            assert_eq!(slug(&slug(name)), slug(name));
        }
    }

    #[test]
    fn a_trailing_underscore_shares_the_service_of_its_x() {
        assert_eq!(slug("foo_"), slug("foo_x"));
    }

    #[test]
    fn the_longest_name_still_makes_a_dns_label() {
        let name = ScreenName::parse(&"_".repeat(LONGEST)).unwrap();
        assert!(name.service().len() <= 63);
    }

    #[test]
    fn what_twitter_does_not_allow_is_refused() {
        for name in ["", "a-b", "a b", "../etc", "日本", "a\n", &"a".repeat(51)] {
            assert!(ScreenName::parse(name).is_err(), "{name}");
        }
    }
}
