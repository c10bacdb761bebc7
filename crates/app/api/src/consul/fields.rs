//! Bodies as Consul reads them: names of fields in any case, with or without `_`; durations as texts or in nanoseconds;
//! `null` for nothing; what is not known is passed over. What cannot be read is said in Go's words, which clients know.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum_model::parse_duration;
use axum::body::Body;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};

use super::answer::Refusal;
use crate::body::{self, BodyError};
use crate::limits;

/// An object, by the names of its fields in lower case and without `_`.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, Value>);

impl Fields {
    pub(crate) async fn read(body: Body) -> Result<Fields, Refusal> {
        let bytes = body::read(body, limits::BODY).await.map_err(refuse_body)?;
        Fields::parse(&bytes)
    }

    /// Of the first value; what follows it is not looked at.
    fn parse(bytes: &[u8]) -> Result<Fields, Refusal> {
        let mut deserializer = Deserializer::from_slice(bytes);
        let value = Value::deserialize(&mut deserializer);
        match value.map_err(|error| undecoded(&syntax(bytes, &error)))? {
            Value::Object(object) => Ok(Fields::of(object)),
            Value::Null => Ok(Fields::default()),
            other => Err(mistyped(&other, "", "map[string]interface {}")),
        }
    }

    pub(crate) fn of(object: Map<String, Value>) -> Fields {
        let plain = |name: String| name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
        let present = object.into_iter().filter(|(_, value)| !value.is_null());
        Fields(present.map(|(name, value)| (plain(name), value)).collect())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(&name.to_lowercase())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Empty when there is none.
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(mistyped(other, name, "string")),
        }
    }

    /// The first that is not empty, under the names that a field has.
    pub(crate) fn text_of(&self, names: &[&str]) -> Result<String, Refusal> {
        for name in names {
            let text = self.text(name)?;
            if !text.is_empty() {
                return Ok(text);
            }
        }
        Ok(String::new())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(mistyped(other, name, "bool")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| mistyped(value, name, "int")),
        }
    }

    /// 0 when there is none.
    pub(crate) fn index(&self, name: &str) -> Result<u64, Refusal> {
        match self.get(name) {
            None => Ok(0),
            Some(value) => value.as_u64().ok_or_else(|| mistyped(value, name, "uint64")),
        }
    }

    /// A text or nanoseconds. Nothing and less than nothing are zero.
    pub(crate) fn duration(&self, name: &str) -> Result<Duration, Refusal> {
        match self.get(name) {
            None => Ok(Duration::ZERO),
            Some(Value::String(text)) if text.is_empty() || text.starts_with('-') => Ok(Duration::ZERO),
            Some(Value::String(text)) => parse_duration(text).map_err(|_| {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let what = if is_number { "missing unit in duration" } else { "invalid duration" };
                undecoded(&format!("time: {what} \"{text}\""))
            }),
            Some(value) => {
                let nanoseconds = value.as_f64().ok_or_else(|| mistyped(value, name, "time.Duration"))?;
                Ok(Duration::from_nanos(nanoseconds.max(0.0) as u64))
            }
        }
    }

    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|value| text_in(value, name)).collect(),
            Some(other) => Err(mistyped(other, name, "[]string")),
        }
    }

    /// With its names as they are.
    pub(crate) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let each = |(key, value): (&String, &Value)| Ok((key.clone(), text_in(value, name)?));
        self.entries(name)?.into_iter().flatten().map(each).collect()
    }

    /// A map with several values to each name.
    pub(crate) fn lists(&self, name: &str) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
        let each = |(key, value): (&String, &Value)| match value {
            Value::Array(list) => {
                let list: Result<_, Refusal> = list.iter().map(|value| text_in(value, name)).collect();
                Ok((key.clone(), list?))
            }
            other => Err(mistyped(other, name, "[]string")),
        };
        self.entries(name)?.into_iter().flatten().map(each).collect()
    }

    /// Empty when there is none.
    pub(crate) fn object(&self, name: &str) -> Result<Fields, Refusal> {
        Ok(self.entries(name)?.map_or_else(Fields::default, |object| Fields::of(object.clone())))
    }

    /// An object as it is, in JSON. Empty when there is none.
    pub(crate) fn json(&self, name: &str) -> Result<String, Refusal> {
        let text = |object| serde_json::to_string(object).expect("what was read has a JSON form");
        Ok(self.entries(name)?.filter(|object| !object.is_empty()).map_or_else(String::new, text))
    }

    /// A map with an object to each name, which stays as it is.
    pub(crate) fn objects_by_name(&self, name: &str) -> Result<Vec<(String, Fields)>, Refusal> {
        let each = |(key, value): (&String, &Value)| Ok((key.clone(), object_in(value, name)?));
        self.entries(name)?.into_iter().flatten().map(each).collect()
    }

    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields>, Refusal> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|value| object_in(value, name)).collect(),
            Some(other) => Err(mistyped(other, name, "[]object")),
        }
    }

    fn entries(&self, name: &str) -> Result<Option<&Map<String, Value>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(mistyped(other, name, "map[string]string")),
        }
    }
}

fn text_in(value: &Value, name: &str) -> Result<String, Refusal> {
    value.as_str().map(str::to_string).ok_or_else(|| mistyped(value, name, "string"))
}

fn object_in(value: &Value, name: &str) -> Result<Fields, Refusal> {
    match value {
        Value::Object(object) => Ok(Fields::of(object.clone())),
        Value::Null => Ok(Fields::default()),
        other => Err(mistyped(other, name, "object")),
    }
}

pub(crate) fn undecoded(what: &str) -> Refusal {
    Refusal::bad(format!("Request decode failed: {what}"))
}

fn mistyped(found: &Value, name: &str, wanted: &str) -> Refusal {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let place = if name.is_empty() { String::new() } else { format!("Go struct field .{name} of type ") };
    let what = if name.is_empty() { "Go value of type " } else { "" };
    undecoded(&format!("json: cannot unmarshal {kind} into {place}{what}{wanted}"))
}

/// What is wrong with a text that is no JSON, and with which character.
fn syntax(bytes: &[u8], error: &serde_json::Error) -> String {
    if bytes.trim_ascii().is_empty() {
        return "EOF".to_string();
    }
    if error.is_eof() {
        return "unexpected EOF".to_string();
    }
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    let found = String::from_utf8_lossy(rest).chars().next().unwrap_or('\n');
    let message = error.to_string();
    let place = [
        ("key must be a string", "looking for beginning of object key string"),
        ("trailing comma", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
    ];
    let place = place.iter().find(|(ours, _)| message.starts_with(ours));
    let place = place.map_or("looking for beginning of value", |(_, place)| place);
    format!("invalid character '{found}' {place}")
}

fn refuse_body(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge(length) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request body({length} bytes) too large, max size: {} bytes.", limits::BODY),
        ),
        BodyError::TooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => Refusal::bad("the body broke off: send it whole"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check_refused<T: std::fmt::Debug>(result: Result<T, Refusal>, expect: &str) {
        assert_eq!(result.unwrap_err(), undecoded(expect));
    }

    #[test]
    fn a_field_is_found_in_any_case_and_the_names_within_a_map_stay() {
        let fields = fields(
            r#"{"name": "a", "Deregister_Critical_Service_After": "90s", "META": {"A_b": "c"}, "Tags": null}"#,
        );
        assert_eq!(fields.text("Name").unwrap(), "a");
        assert_eq!(fields.duration("DeregisterCriticalServiceAfter").unwrap(), Duration::from_secs(90));
        assert_eq!(fields.map("Meta").unwrap(), [("A_b".to_string(), "c".to_string())].into());
        assert_eq!(fields.list("Tags").unwrap(), [""; 0]);
    }

    #[test]
    fn a_duration_is_a_text_or_nanoseconds() {
        let fields = fields(r#"{"a": "1m30s", "b": 10000000000, "c": "abc", "d": "10", "e": "", "f": []}"#);
        assert_eq!(fields.duration("a").unwrap(), Duration::from_secs(90));
        assert_eq!(fields.duration("b").unwrap(), Duration::from_secs(10));
        assert_eq!(fields.duration("e").unwrap(), Duration::ZERO);
        check_refused(fields.duration("c"), "time: invalid duration \"abc\"");
        check_refused(fields.duration("d"), "time: missing unit in duration \"10\"");
        check_refused(
            fields.duration("f"),
            "json: cannot unmarshal array into Go struct field .f of type time.Duration",
        );
    }

    #[test]
    fn what_is_no_json_is_refused_with_the_character_that_does_not_belong_there() {
        let check = |text: &str, expect| check_refused(Fields::parse(text.as_bytes()), expect);
        check("", "EOF");
        check("{\"a\": ", "unexpected EOF");
        check("{not json", "invalid character 'n' looking for beginning of object key string");
        check("nope", "invalid character 'o' looking for beginning of value");
        check("{\"a\" 1}", "invalid character '1' after object key");
        check("{\"a\": 1 2}", "invalid character '2' after object key:value pair");
        check("[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_its_field() {
        let fields = fields(r#"{"Name": 1, "Port": "80", "Tags": "a", "Meta": {"a": 1}}"#);
        check_refused(
            fields.text("Name"),
            "json: cannot unmarshal number into Go struct field .Name of type string",
        );
        check_refused(
            fields.number("Port"),
            "json: cannot unmarshal string into Go struct field .Port of type int",
        );
        check_refused(
            fields.list("Tags"),
            "json: cannot unmarshal string into Go struct field .Tags of type []string",
        );
        check_refused(
            fields.map("Meta"),
            "json: cannot unmarshal number into Go struct field .Meta of type string",
        );
    }
}
