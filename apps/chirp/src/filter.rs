//! Which tweets the reader lets through: `--track '#rust,deploy'`.

use crate::tweet::Tweet;

/// Any of its terms matches; no term at all matches everything.
pub struct Filter(Vec<Term>);

/// In lower case.
enum Term {
    /// The tweet carries this hashtag, as Twitter says or in its text; `#rust` is not in `#rustlang`.
    Hashtag(String),
    /// The text has this anywhere in it, not only as a whole word: Japanese puts no spaces between words.
    Word(String),
}

impl Filter {
    /// Terms by comma.
    pub fn parse(track: &str) -> Filter {
        Filter(track.split(',').map(str::trim).filter(|term| !term.is_empty()).map(Term::parse).collect())
    }

    pub fn matches(&self, tweet: &Tweet) -> bool {
        let text = fold(&tweet.text);
        self.0.is_empty() || self.0.iter().any(|term| term.matches(tweet, &text))
    }
}

impl Term {
    fn parse(term: &str) -> Term {
        let term = fold(term);
        match term.strip_prefix('#') {
            Some(hashtag) => Term::Hashtag(hashtag.to_string()),
            None => Term::Word(term),
        }
    }

    fn matches(&self, tweet: &Tweet, text: &str) -> bool {
        match self {
            Term::Word(word) => text.contains(word),
            Term::Hashtag(hashtag) => {
                tweet.hashtags.iter().any(|its| fold(its) == *hashtag)
                    || hashtags_in(text).any(|its| its == hashtag)
            }
        }
    }
}

/// The runs of letters, digits and `_` that follow a `#`.
fn hashtags_in(text: &str) -> impl Iterator<Item = &str> {
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    text.split('#').skip(1).map(move |rest| &rest[..end(rest)])
}

/// Case does not matter, and Japanese keyboards type a wide `＃`.
fn fold(text: &str) -> String {
    text.to_lowercase().replace('＃', "#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(track: &str, text: &str, expect: bool) {
        let json = serde_json::json!({"id_str": "1", "text": text, "user": {"screen_name": "a"},
            "entities": {"hashtags": [{"text": "LEDカツカツ選手権"}]}});
        let tweet = Tweet::parse(&json.to_string()).unwrap();
        assert_eq!(Filter::parse(track).matches(&tweet), expect, "{track} in {text}");
    }

    #[test]
    fn an_empty_filter_lets_everything_through() {
        check("", "anything", true);
        check(" , ", "anything", true);
    }

    #[test]
    fn a_hashtag_matches_the_entities_in_any_case() {
        check("#ledカツカツ選手権", "nothing in the text", true);
        check("#選手権", "a part of a hashtag is not the hashtag", false);
    }

    #[test]
    fn a_hashtag_matches_the_text_as_a_whole() {
        check("#rust", "I write #RUST.", true);
        check("#Rust", "＃rust", true);
        check("#rust", "#rustlang", false);
        check("#rust", "rust", false);
        check("#écologie", "#ÉCOLOGIE!", true);
    }

    #[test]
    fn a_word_matches_anywhere_in_the_text() {
        check("deploy", "We DEPLOYED it", true);
        check("一生", "お前は一生もんのダチ💖", true);
        check("💖", "ダチ💖", true);
        check("scale", "We deployed it", false);
    }

    #[test]
    fn one_of_several_terms_is_enough() {
        check("scale, #rust", "all about #rust", true);
        check("scale,#rust", "nothing of it", false);
    }
}
