//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET understand them.
//!
//! `*` any bytes, `?` one byte, `[a-c]` `[^a]` one byte of a class, `\c` the byte c.
//! <https://redis.io/docs/latest/commands/keys/>

/// Whether all of `text` is matched by `pattern`. Takes at most the product of their lengths: only the last `*` is
/// ever tried again, which is enough since an earlier one could not do better.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    walk(pattern, text, false)
}

/// The same for ASCII letters of either case.
pub(crate) fn matches_any_case(pattern: &[u8], text: &[u8]) -> bool {
    walk(pattern, text, true)
}

fn walk(pattern: &[u8], text: &[u8], any_case: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        if let Some(length) = one(&pattern[p..], text[t], any_case) {
            p += length;
            t += 1;
            continue;
        }
        let Some((behind, tried)) = &mut star else { return false };
        *tried += 1;
        (p, t) = (*behind, *tried);
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of the pattern's first element, which is no `*`, if it matches `byte`.
fn one(pattern: &[u8], byte: u8, any_case: bool) -> Option<usize> {
    let fold = |byte: u8| if any_case { byte.to_ascii_lowercase() } else { byte };
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => class_matches(class, fold(byte), fold).map(|length| length + 1),
        [b'\\', literal, ..] => (fold(*literal) == fold(byte)).then_some(2),
        [literal, ..] => (fold(*literal) == fold(byte)).then_some(1),
    }
}

/// The length of a class behind its `[`, if it has `byte`. A class without an end goes on to the end of the pattern.
fn class_matches(class: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= fold(*literal) == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                let (low, high) = (fold(*from).min(fold(*to)), fold(*from).max(fold(*to)));
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= fold(*literal) == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

/// What a pattern says about the beginning of what it matches.
pub(crate) struct Prefix {
    pub(crate) bytes: Vec<u8>,
    /// Whether it is all that there is: only these very bytes match.
    pub(crate) whole: bool,
}

/// The literal bytes before the first wildcard.
pub(crate) fn prefix(pattern: &[u8]) -> Prefix {
    let mut bytes = Vec::new();
    let mut rest = pattern;
    loop {
        rest = match rest {
            [] => return Prefix { bytes, whole: true },
            [b'*' | b'?' | b'[', ..] => return Prefix { bytes, whole: false },
            [b'\\', literal, behind @ ..] => {
                bytes.push(*literal);
                behind
            }
            [literal, behind @ ..] => {
                bytes.push(*literal);
                behind
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} matches {text}");
        }
        for text in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} does not match {text}");
        }
    }

    #[test]
    fn patterns_match_as_in_redis() {
        check("*", &["", "a", "/path/to"], &[]);
        check("/path/*", &["/path/", "/path/a/b"], &["/pat", "/other"]);
        check("h?llo", &["hello", "hallo"], &["hllo", "heello"]);
        check("h[ae]llo", &["hello", "hallo"], &["hillo"]);
        check("h[^e]llo", &["hallo", "hbllo"], &["hello"]);
        check("h[a-b]llo", &["hallo", "hbllo"], &["hcllo"]);
        check("h[b-a]llo", &["hallo", "hbllo"], &["hcllo"]);
        check(r"h\*llo", &["h*llo"], &["hello"]);
        check(r"[\]]", &["]"], &["\\", ""]);
        check("[ab", &["a", "b"], &["[ab"]);
        check("a*b*c", &["abc", "aXbYc", "abcbc"], &["abcd", "acb"]);
        check("**a", &["a", "ba"], &["", "ab"]);
        check("", &[""], &["a"]);
        check("a\\", &["a\\"], &["a"]);
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = [b"a*".repeat(5_000), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &b"a".repeat(20_000)));
    }

    #[test]
    fn the_prefix_ends_at_the_first_wildcard() {
        for (pattern, bytes, whole) in
            [("/path/*", "/path/", false), (r"a\*b?", "a*b", false), ("abc", "abc", true), ("[a]", "", false)]
        {
            let prefix = prefix(pattern.as_bytes());
            assert_eq!((prefix.bytes.as_slice(), prefix.whole), (bytes.as_bytes(), whole));
        }
    }
}
