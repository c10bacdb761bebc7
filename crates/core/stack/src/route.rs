//! Routes as people write them: a rule, and behind `;` what else there is to say.
//!
//! ```text
//! Host(shop.local) && PathPrefix(/api); priority=10; strip-prefix=/api
//! PathPrefix(/user); redirect-to-instance=chirp-user-{1}
//! ```
//!
//! The options of a route are the same here and in labels (`adsum.route.NAME.priority`).

use adsum_model::{Name, Rewrite, Route, Rule, RuleError, Target};

use crate::bound;
use crate::problem::Problems;

/// What may stand behind a rule, and behind the name of a route in a label.
pub(crate) const OPTIONS: [&str; 5] =
    ["priority", "weight", "strip-prefix", "replace-prefix", "redirect-to-instance"];

/// What stands for the path segment in the pattern of a redirection.
const SEGMENT: &str = "{1}";

pub(crate) fn routes(service: &Name, texts: Option<&[String]>, problems: &mut Problems) -> Vec<Route> {
    let texts = texts.unwrap_or_default();
    let mut routes: Vec<Route> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let field = format!("routes[{at}]");
        match read(service, text) {
            Ok(route) if routes.contains(&route) => {
                problems.add(field, text, "is there twice: leave one out");
            }
            Ok(route) => routes.push(route),
            Err(wrong) => wrong.into_iter().for_each(|wrong| problems.add(&*field, text, wrong)),
        }
    }
    routes
}

/// Those that were not made of labels, each as it reads back.
pub(crate) fn written(routes: &[Route]) -> Vec<String> {
    routes.iter().filter(|route| route.name.is_none()).map(print).collect()
}

/// Whether what is to be taken away means this route: the same rule, and the same options where it has any.
pub fn names_route(wanted: &str, written: &str) -> bool {
    let (wanted_rule, wanted_options) = split(wanted);
    let (rule, options) = split(written);
    let same_rule = match (wanted_rule.parse::<Rule>(), rule.parse::<Rule>()) {
        (Ok(wanted), Ok(rule)) => wanted == rule,
        (Ok(_) | Err(_), _) => wanted_rule.trim() == rule.trim(),
    };
    let sorted = |options: &str| {
        let mut parts: Vec<String> = options.split(';').map(|part| part.trim().to_string()).collect();
        parts.sort_unstable();
        parts
    };
    same_rule && (wanted_options.trim().is_empty() || sorted(wanted_options) == sorted(options))
}

fn read(service: &Name, text: &str) -> Result<Route, Vec<String>> {
    let (rule, options) = split(text);
    let mut wrong = Vec::new();
    let rule =
        read_rule(rule).map_err(|error| wrong.push(format!("has no rule that can be read: {error}"))).ok();
    let mut draft = Options::default();
    for option in options.split(';').map(str::trim).filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        draft.take(service, key.trim_end(), value.trim_start()).unwrap_or_else(|error| wrong.push(error));
    }
    match rule {
        Some(rule) if wrong.is_empty() => Ok(draft.route(None, rule)),
        Some(_) | None => Err(wrong),
    }
}

/// A rule that reads back as it is stored: several arguments of one matcher are written out there, which may make it too
/// long or too deep.
pub(crate) fn read_rule(text: &str) -> Result<Rule, String> {
    let rule: Rule = text.parse().map_err(|error: RuleError| error.to_string())?;
    match rule.to_string().parse::<Rule>() {
        Ok(_) => Ok(rule),
        Err(error) => Err(format!("with each argument in a matcher of its own, {error}")),
    }
}

/// The rule, and what stands behind the first `;` outside of its arguments.
fn split(text: &str) -> (&str, &str) {
    let (mut quote, mut depth) = (None, 0_i32);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) => quote = (letter != open).then_some(open),
            (None, '`' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ';') if depth <= 0 => return (&text[..at], &text[at + 1..]),
            (None, _) => {}
        }
    }
    (text, "")
}

/// What has been said of a route so far.
#[derive(Default)]
pub(crate) struct Options {
    priority: Option<i32>,
    weight: Option<u32>,
    rewrite: Option<Rewrite>,
    target: Option<Target>,
}

impl Options {
    /// Reads one option; says what is wrong with it.
    pub(crate) fn take(&mut self, service: &Name, key: &str, value: &str) -> Result<(), String> {
        let twice = match key {
            "priority" => self.priority.replace(number(key, value, &bound::PRIORITY)?).is_some(),
            "weight" => self.weight.replace(number(key, value, &bound::WEIGHT)?).is_some(),
            "strip-prefix" => self.rewrite.replace(Rewrite::StripPrefix(prefix(key, value)?)).is_some(),
            "replace-prefix" => self.rewrite.replace(replace_prefix(value)?).is_some(),
            "redirect-to-instance" => self.target.replace(redirect(service, value)?).is_some(),
            other => return Err(format!("has '{other}': known are {}", OPTIONS.join(", "))),
        };
        match (twice, key) {
            (false, _) => Ok(()),
            (true, "strip-prefix" | "replace-prefix") => {
                Err("rewrites the path twice: give strip-prefix or replace-prefix, once".to_string())
            }
            (true, _) => Err(format!("says {key} twice: leave one out")),
        }
    }

    pub(crate) fn route(self, name: Option<Name>, rule: Rule) -> Route {
        Route {
            name,
            rule,
            priority: self.priority.unwrap_or(0),
            weight: self.weight,
            rewrite: self.rewrite.unwrap_or_default(),
            target: self.target.unwrap_or_default(),
        }
    }
}

fn number<T: TryFrom<i64>>(
    key: &str,
    text: &str,
    range: &std::ops::RangeInclusive<i64>,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("has {key} '{text}': give {} to {}", range.start(), range.end()))
}

/// A path without a slash at its end.
fn prefix(key: &str, text: &str) -> Result<String, String> {
    let prefix = path(key, text)?.trim_end_matches('/');
    if prefix.is_empty() {
        return Err(format!("has {key} '{text}', which is every path: give more of it, such as /api"));
    }
    Ok(prefix.to_string())
}

fn path<'a>(key: &str, text: &'a str) -> Result<&'a str, String> {
    let odd = |letter: char| !letter.is_ascii_graphic() || "?#\\".contains(letter);
    let dots = text.split('/').any(|segment| matches!(segment, "." | ".."));
    if text.starts_with('/') && text.len() <= bound::PATH && !text.contains(odd) && !dots {
        return Ok(text);
    }
    Err(format!(
        "has {key} '{text}': write a path as a URL does, such as /api, without dots, '?', '#' and '\\'"
    ))
}

fn replace_prefix(text: &str) -> Result<Rewrite, String> {
    const KEY: &str = "replace-prefix";
    let Some((from, to)) = text.split_once(":/") else {
        return Err(format!("has {KEY} '{text}': write it like /old:/new"));
    };
    let to = format!("/{to}");
    let to = path(KEY, &to)?.trim_end_matches('/');
    let to = if to.is_empty() { "/" } else { to };
    Ok(Rewrite::ReplacePrefix { from: prefix(KEY, from)?, to: to.to_string() })
}

/// To an instance of the service itself, when no pattern is given.
fn redirect(service: &Name, text: &str) -> Result<Target, String> {
    let pattern = if text.is_empty() { service.as_str() } else { text };
    let name = pattern.replacen(SEGMENT, "x", 1);
    if name.parse::<Name>().is_ok() {
        return Ok(Target::RedirectToInstance { service: pattern.to_string() });
    }
    Err(format!(
        "has redirect-to-instance '{text}': give a service's name in which {SEGMENT} may stand once, such as chirp-user-{SEGMENT}"
    ))
}

fn print(route: &Route) -> String {
    let mut text = route.rule.to_string();
    let mut add = |key: &str, value: &str| text.push_str(&format!("; {key}={value}"));
    if route.priority != 0 {
        add("priority", &route.priority.to_string());
    }
    if let Some(weight) = route.weight {
        add("weight", &weight.to_string());
    }
    match &route.rewrite {
        Rewrite::Keep => {}
        Rewrite::StripPrefix(prefix) => add("strip-prefix", prefix),
        Rewrite::ReplacePrefix { from, to } => add("replace-prefix", &format!("{from}:{to}")),
    }
    match &route.target {
        Target::Service => {}
        Target::RedirectToInstance { service } => add("redirect-to-instance", service),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Name {
        "web".parse().unwrap()
    }

    /// Reads, and prints as the same again.
    #[track_caller]
    fn check(text: &str) -> Route {
        let route = read(&web(), text).unwrap();
        assert_eq!(print(&route), text);
        assert_eq!(read(&web(), &print(&route)), Ok(route.clone()));
        route
    }

    #[track_caller]
    fn wrong(text: &str, expect: &str) {
        let wrong = read(&web(), text).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.contains(expect)), "{text}: {wrong:?}");
    }

    #[test]
    fn a_route_is_a_rule_with_options() {
        let route = check("Host(shop.local) && PathPrefix(/api); priority=-10; weight=50; strip-prefix=/api");
        assert_eq!((route.priority, route.weight), (-10, Some(50)));
        assert_eq!(route.rewrite, Rewrite::StripPrefix("/api".into()));
        let route = check("PathPrefix(/a); replace-prefix=/a:/b:/c");
        assert_eq!(route.rewrite, Rewrite::ReplacePrefix { from: "/a".into(), to: "/b:/c".into() });
        let route = check("PathPrefix(/user); redirect-to-instance=chirp-user-{1}");
        assert_eq!(route.target, Target::RedirectToInstance { service: "chirp-user-{1}".into() });
    }

    #[test]
    fn a_semicolon_within_an_argument_belongs_to_the_rule() {
        assert_eq!(check("Path(/a;b=1)").priority, 0);
        assert_eq!(check("Header(x, `a) ; b`); priority=2").priority, 2);
    }

    #[test]
    fn a_redirection_without_a_pattern_goes_to_the_service_itself() {
        let route = read(&web(), "PathPrefix(/); redirect-to-instance").unwrap();
        assert_eq!(route.target, Target::RedirectToInstance { service: "web".into() });
    }

    #[test]
    fn each_mistake_of_a_route_is_named() {
        wrong("Hots(a)", "unknown matcher 'Hots'");
        wrong("Path(/); prio=1", "has 'prio': known are priority");
        wrong("Path(/); priority=high", "has priority 'high': give -1000000 to 1000000");
        wrong("Path(/); weight=10001", "give 0 to 10000");
        wrong("Path(/); strip-prefix=api", "has strip-prefix 'api'");
        wrong("Path(/); strip-prefix=/a/../b", "without dots");
        wrong("Path(/); strip-prefix=/", "which is every path");
        wrong("Path(/); replace-prefix=/a", "write it like /old:/new");
        wrong("Path(/); strip-prefix=/a; replace-prefix=/a:/b", "rewrites the path twice");
        wrong("Path(/); weight=1; weight=1", "says weight twice");
        wrong("Path(/); redirect-to-instance=User_{1}", "such as chirp-user-{1}");
        let both = read(&web(), "Nope; x=1").unwrap_err();
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn a_rule_that_is_too_long_once_it_is_written_out_is_refused() {
        let paths: Vec<String> = (0..500).map(|at| format!("/{at}")).collect();
        wrong(&format!("Path({})", paths.join(",")), "longer than 4096");
        let deep = format!("{}Path(/a,/b){}", "!(".repeat(15), ")".repeat(15));
        assert!(read(&web(), &deep).is_ok());
    }

    #[test]
    fn a_route_is_named_by_its_rule_or_by_all_of_it() {
        let there = "Host(a) && Path(/); priority=2; weight=1";
        assert!(names_route("Host(`a`)  && Path(/)", there));
        assert!(names_route("Host(a) && Path(/); weight=1; priority=2", there));
        assert!(!names_route("Host(a) && Path(/); weight=2; priority=2", there));
        assert!(!names_route("Host(a)", there));
    }
}
