//! A tweet in the JSON form of Twitter's API 1.1, of which four fields are looked at and all are kept as they came.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::name::ScreenName;

#[derive(Clone, Debug, PartialEq)]
pub struct Tweet {
    /// `id_str`, and not `id`: a JSON number of 64 bits does not survive every program on the way.
    pub id: u64,
    pub text: String,
    pub user: ScreenName,
    /// `entities.hashtags`, without the `#`.
    pub hashtags: Vec<String>,
    /// The whole tweet, byte by byte: never parsed and printed again, so nothing in it changes.
    pub json: String,
}

/// An object whose values are not looked into: a number may be as long as it likes.
type Fields<'a> = HashMap<String, &'a RawValue>;

impl Tweet {
    /// Says why, when it is none.
    pub fn parse(json: &str) -> Result<Tweet, String> {
        let fields: Fields =
            serde_json::from_str(json).map_err(|error| format!("not a JSON object: {error}"))?;
        let user = fields.get("user").ok_or("user is missing")?;
        let user: Fields = serde_json::from_str(user.get()).map_err(|_| "user is not a JSON object")?;
        Ok(Tweet {
            id: id(&string(&fields, "id_str")?)?,
            text: string(&fields, "text")?,
            user: ScreenName::parse(&string(&user, "screen_name")?)?,
            hashtags: hashtags(&fields),
            json: json.trim().to_string(),
        })
    }
}

/// A tweet id, which is also the cursor of a page: decimal digits of a `u64`, nothing else.
pub fn id(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("'{}' is not a tweet id", text.chars().take(40).collect::<String>()))
}

fn string(fields: &Fields, name: &str) -> Result<String, String> {
    let value = fields.get(name).ok_or_else(|| format!("{name} is missing"))?;
    serde_json::from_str(value.get()).map_err(|_| format!("{name} is not a string"))
}

/// Only the filter needs them, so a tweet with odd ones is still a tweet.
fn hashtags(fields: &Fields) -> Vec<String> {
    #[derive(Deserialize)]
    struct Entities {
        hashtags: Vec<Hashtag>,
    }
    #[derive(Deserialize)]
    struct Hashtag {
        text: String,
    }
    let entities =
        fields.get("entities").and_then(|value| serde_json::from_str::<Entities>(value.get()).ok());
    entities.into_iter().flat_map(|entities| entities.hashtags).map(|hashtag| hashtag.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"id_str": "505874924095815681", "id": 505874924095815681, "text": "一生もん 💖 \ud83d\ude0b",
        "user": {"screen_name": "Ayuu_0123", "followers_count": 1e999}, "extra": [1.10, {"deep": null}],
        "entities": {"hashtags": [{"text": "Rust", "indices": [0, 5]}, {"text": "選手権"}]}}"#;

    #[track_caller]
    fn refused(json: &str, reason: &str) {
        let error = Tweet::parse(json).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn four_fields_are_read_and_everything_is_kept() {
        let tweet = Tweet::parse(WHOLE).unwrap();
        assert_eq!(tweet.id, 505874924095815681);
        assert_eq!(tweet.text, "一生もん 💖 😋");
        assert_eq!(tweet.user.as_str(), "Ayuu_0123");
        assert_eq!(tweet.hashtags, ["Rust", "選手権"]);
        assert_eq!(tweet.json, WHOLE);
    }

    #[test]
    fn a_tweet_needs_an_id_a_text_and_a_user() {
        refused(r#"{"text": "a", "user": {"screen_name": "a"}}"#, "id_str is missing");
        refused(r#"{"id_str": "1", "user": {"screen_name": "a"}}"#, "text is missing");
        refused(r#"{"id_str": "1", "text": "a"}"#, "user is missing");
        refused(r#"{"id_str": "1", "text": "a", "user": {}}"#, "screen_name is missing");
        refused(r#"{"id_str": "1", "text": "a", "user": ["a"]}"#, "user is not a JSON object");
        refused(r#"{"id_str": "1", "text": null, "user": {"screen_name": "a"}}"#, "text is not a string");
        refused(r#"{"id_str": "1", "text": "\ud83d", "user": {"screen_name": "a"}}"#, "text is not a string");
        refused(r#"{"id_str": "1", "text": "a", "user": {"screen_name": "../a"}}"#, "screen_name '../a'");
    }

    #[test]
    fn what_is_no_json_object_is_no_tweet() {
        for json in ["", "garbage", "{", "null", "7", r#"["1", "a", ["b"]]"#, "{}{}", "\u{0}", "{\"a\":}"] {
            refused(json, if json == "{}" { "missing" } else { "not a JSON object" });
        }
        refused(&"[".repeat(100_000), "not a JSON object");
        refused(&format!("{{\"a\":{}", "[".repeat(100_000)), "not a JSON object");
    }

    #[test]
    fn an_id_is_a_number_of_64_bits_in_digits() {
        assert_eq!(id("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(id("0"), Ok(0));
        for text in
            ["", "18446744073709551616", "-1", "+1", "1e3", "0x1", " 1", "１", "99999999999999999999999"]
        {
            assert!(id(text).is_err(), "{text}");
        }
        refused(r#"{"id_str": 1, "text": "a", "user": {"screen_name": "a"}}"#, "id_str is not a string");
    }

    #[test]
    fn odd_entities_do_not_make_it_less_a_tweet() {
        for entities in ["null", "[]", "{}", r#"{"hashtags": null}"#, r#"{"hashtags": [1]}"#] {
            let json =
                format!(r#"{{"id_str":"1","text":"a","user":{{"screen_name":"a"}},"entities":{entities}}}"#);
            assert!(Tweet::parse(&json).unwrap().hashtags.is_empty());
        }
    }
}
