//! Rules parse, print and are refused with a way out.

use super::*;

#[track_caller]
fn check(text: &str, expect: &str) {
    let rule: Rule = text.parse().unwrap();
    assert_eq!(rule.to_string(), expect);
    assert_eq!(expect.parse::<Rule>().as_ref(), Ok(&rule), "it does not parse again");
}

#[track_caller]
fn refused(text: &str, expect: &str) {
    assert_eq!(text.parse::<Rule>().unwrap_err().to_string(), expect);
}

#[test]
fn a_rule_is_printed_as_it_is_parsed() {
    check("Host(Shop.Local) && PathPrefix(/api)", "Host(shop.local) && PathPrefix(/api)");
    check("Host(`a`,`b`) && Path(/x)", "(Host(a) || Host(b)) && Path(/x)");
    check("Host(a) || Host(b) && !Method(get, put)", "Host(a) || (Host(b) && !(Method(GET) || Method(PUT)))");
    check("Header(X-Beta, \"a `b` c\")", "Header(x-beta, \"a `b` c\")");
    check("Header(`x`, `a, (b)`)", "Header(x, `a, (b)`)");
    check("!!Host(*.a.b)", "!!Host(*.a.b)");
    check(" ( ( Host([::1]) ) ) ", "Host([::1])");
}

#[test]
fn a_wrong_rule_is_refused_with_the_place_and_the_way_out() {
    refused("  ", "the rule is empty: write for example Host(shop.local) && PathPrefix(/api)");
    refused(
        "Host(a) && Hst(b)",
        "unknown matcher 'Hst' at letter 12: use Host, Path, PathPrefix, Header or Method",
    );
    refused("Host(a", "expected ',' or ')' at letter 7, found the end");
    refused("Host(a) Host(b)", "expected '&&', '||' or the end at letter 9, found 'H'");
    refused("Host()", "expected an argument at letter 6, found ')'");
    refused("Host(`a)", "expected the closing quote at letter 9, found the end");
    refused(
        "Host(shop.local:8080)",
        "'shop.local:8080' is no argument of Host: write a name without port, such as shop.local or *.shop.local",
    );
    assert!(matches!("Path(api)".parse::<Rule>(), Err(RuleError::Argument { matcher: "Path", .. })));
    assert!(matches!("Header(x)".parse::<Rule>(), Err(RuleError::Expected { .. })));
    assert!(matches!("Header(x y, z)".parse::<Rule>(), Err(RuleError::Expected { .. })));
}

#[test]
fn a_rule_without_bounds_is_refused() {
    assert_eq!("!".repeat(5000).parse::<Rule>(), Err(RuleError::TooLong));
    assert!(matches!("(".repeat(4000).parse::<Rule>(), Err(RuleError::TooDeep { .. })));
    let nested = format!("{}Host(a){}", "(".repeat(31), ")".repeat(31));
    assert!(nested.parse::<Rule>().is_ok());
}

/// A rule is kept as it prints, and what is kept has to be read again: several arguments print as several matchers.
#[test]
fn a_rule_that_would_print_without_bounds_is_refused() {
    let hosts = |count: usize| format!("Host({})", vec!["a"; count].join(","));
    let kept: Rule = hosts(300).parse().unwrap();
    assert_eq!(kept.to_string().parse(), Ok(kept));
    assert!(hosts(2000).len() < LONGEST_RULE);
    assert!(matches!(hosts(2000).parse::<Rule>(), Err(RuleError::TooLong)));
    let nested = |depth: usize| format!("{}(Host(a,b) && Path(/))", "!".repeat(depth));
    let kept: Rule = nested(29).parse().unwrap();
    assert_eq!(kept.to_string().parse(), Ok(kept));
    assert!(matches!(nested(30).parse::<Rule>(), Err(RuleError::TooDeep { .. })));
}

#[test]
fn a_rule_is_kept_as_its_text() {
    let rule: Rule = "Host(a) && !Path(/b)".parse().unwrap();
    let kept = serde_json::to_string(&rule).unwrap();
    assert_eq!(kept, "\"Host(a) && !Path(/b)\"");
    assert_eq!(serde_json::from_str::<Rule>(&kept).unwrap(), rule);
    assert!(serde_json::from_str::<Rule>("\"Hst(a)\"").is_err());
}
