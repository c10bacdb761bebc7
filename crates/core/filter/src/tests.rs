//! What is taken and left, and what is refused where.

use proptest::prelude::*;
use serde_json::json;

use super::*;

static CHECK: Shape = Shape::Object(&[("Status", Shape::Text), ("Name", Shape::Text)]);
static SHAPE: Shape = Shape::Object(&[
    (
        "Service",
        Shape::Object(&[
            ("ID", Shape::Text),
            ("Port", Shape::Whole),
            ("Tags", Shape::List(&Shape::Text)),
            ("Meta", Shape::Map(&Shape::Text)),
            ("EnableTagOverride", Shape::Flag),
            ("Load", Shape::Number),
        ]),
    ),
    ("Checks", Shape::List(&CHECK)),
]);

fn entry() -> Value {
    json!({
        "Service": {
            "ID": "web-1", "Port": 8080, "Tags": ["v1", "primary"], "Meta": {"version": "1", "a b": "x"},
            "EnableTagOverride": false, "Load": 0.5,
        },
        "Checks": [{"Status": "passing", "Name": "a"}, {"Status": "warning", "Name": "b"}],
    })
}

fn takes(text: &str) -> bool {
    Filter::parse(text, &SHAPE).unwrap_or_else(|error| panic!("{text}: {error}")).takes(&entry())
}

fn refusal(text: &str) -> String {
    Filter::parse(text, &SHAPE).map(|_| ()).expect_err(text).to_string()
}

#[test]
fn each_operator_takes_what_it_says() {
    let taken = [
        r#"Service.ID == "web-1""#,
        "Service.ID != web",
        "Service.ID==`web-1`",
        "Service.Port == 8080",
        "Service.Port == \"0x1f90\"",
        "Service.Load == 0.5",
        "Service.EnableTagOverride == false",
        "Service.EnableTagOverride != \"T\"",
        r#""v1" in Service.Tags"#,
        "v1 in Service.Tags",
        "Service.Tags contains primary",
        "Service.Tags not contains v2",
        r#""v2" not in Service.Tags"#,
        r#""eb" in Service.ID"#,
        "version in Service.Meta",
        "Service.Meta is not empty",
        "Service.Meta.version == 1",
        r#"Service.Meta["a b"] == x"#,
        r#"Service.Meta[ `a b` ] matches "^[xy]$""#,
        "Service.ID not matches `^db-`",
        r#""/Service/Meta/version" == 1"#,
        "Checks is not empty",
        "Checks.Status == warning",
        "Checks.Status != passing",
    ];
    for text in taken {
        assert!(takes(text), "{text}");
        assert!(!takes(&format!("not ({text})")), "{text}");
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let (yes, no) = ("Service.Port == 8080", "Service.Port == 1");
    for (text, taken) in [
        (format!("{yes} or {no} and {no}"), true),
        (format!("({yes} or {no}) and {no}"), false),
        (format!("not {no} and {yes}"), true),
        (format!("not {yes} or {yes}"), true),
        (format!("not not {yes}"), true),
        (format!("not({yes})or({yes})"), true),
        (format!(" ( ( {yes} ) )\t\n"), true),
    ] {
        assert_eq!(takes(&text), taken, "{text}");
    }
}

#[test]
fn what_is_absent_equals_nothing_and_is_empty() {
    let text = ["Service.Meta.no == 1", "no in Service.Meta", "Service.Meta.no matches `.*`"];
    for text in text {
        assert!(!takes(text), "{text}");
    }
    for text in ["Service.Meta.no != 1", "Service.Meta.no is empty", "Service.Meta.no not matches `.*`"] {
        assert!(takes(text), "{text}");
    }
    let null = json!({"Service": {"Tags": null, "Meta": null}, "Checks": null});
    let of_null = |text: &str| Filter::parse(text, &SHAPE).unwrap().takes(&null);
    assert!(of_null("Service.Tags is empty and Service.Meta is empty and Checks is empty"));
    assert!(!of_null("v1 in Service.Tags"));
    assert!(of_null("Service.Meta.version != 1"));
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let cases = [
        ("nonsense ===", "1:12 (11): no match found, expected a value; found '='"),
        ("", "1:1 (0): no match found, expected a selector or a value; the filter ends here"),
        ("Service.ID ==", "1:14 (13): no match found, expected a value; the filter ends here"),
        ("Service.ID == a b", "1:17 (16): no match found, expected and, or, or the end; found 'b'"),
        ("(Service.ID == a", "1:17 (16): no match found, expected and, or, or ')'; the filter ends here"),
        ("Service.ID\n== \"a", "2:4 (14): a string without its closing quote"),
        (r#"Service.ID == "\q""#, "1:15 (14): a string with an escape that is none"),
        (
            "Service.ID == 1a",
            "1:16 (15): no match found, expected the end of the number (a value that begins with a digit needs quotes); found 'a'",
        ),
        ("Service.ID is full", "1:15 (14): no match found, expected empty; found 'f'"),
        ("Service[x] == 1", "1:9 (8): no match found, expected a string in quotes; found 'x'"),
        ("1 == 1", "1:1 (0): \"1\" is no selector"),
        (
            "Service.Id == 1",
            "1:1 (0): selector \"Service.Id\" is not valid: \"Id\" is none of ID, Port, Tags, Meta, EnableTagOverride, \
             Load in Service",
        ),
        (
            "Service.ID.x == 1",
            "1:1 (0): selector \"Service.ID.x\" is not valid: there is nothing in Service.ID",
        ),
        ("Service.Port == many", "1:1 (0): Service.Port: \"many\" is no value of an integer"),
        ("Service.Port matches 1", "1:1 (0): Service.Port: matches cannot be asked of an integer"),
        ("Service.Tags == a", "1:1 (0): Service.Tags: == and != cannot be asked of a list"),
        (
            "a in Service",
            "1:6 (5): Service: in and contains cannot be asked of an object: name one of its fields",
        ),
        ("a in Checks", "1:6 (5): Checks: in and contains cannot be asked of a list"),
    ];
    for (text, why) in cases {
        assert_eq!(refusal(text), why, "{text}");
    }
    assert!(refusal("Service.ID matches `(`").contains("is no regular expression"));
}

#[test]
fn too_long_and_too_deep_are_refused() {
    let yes = "Service.Port == 8080";
    let nested = |depth| format!("{}{yes}{}", "(".repeat(depth), ")".repeat(depth));
    assert!(takes(&nested(DEEPEST)));
    assert!(refusal(&nested(DEEPEST + 1)).ends_with("nested deeper than 64"));
    assert!(refusal(&format!("{}{yes}", "not ".repeat(DEEPEST + 1))).ends_with("nested deeper than 64"));
    let long = format!("{yes}{}", " ".repeat(LONGEST));
    assert!(refusal(&long).contains("at most 8192 bytes"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-z.\\[\\]\"`()=! \\n0-9é/-]{0,60}") {
        if let Err(error) = Filter::parse(&text, &SHAPE) {
            prop_assert!(text.is_char_boundary(error.offset), "{error}");
        }
    }

    #[test]
    fn any_text_can_be_asked_for_in_quotes(text in "[^`]*") {
        let filter = Filter::parse(&format!("Service.ID == `{text}`"), &SHAPE);
        if text.len() < LONGEST / 2 {
            let value = json!({"Service": {"ID": text}});
            prop_assert!(filter.unwrap().takes(&value));
        }
    }
}
