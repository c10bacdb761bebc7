//! Labels: what somebody wants to keep beside a service, and, where they begin with `adsum.`, settings of the gateway.
//!
//! ```text
//! adsum.route.api.rule=Host(shop.local) && PathPrefix(/api)
//! adsum.route.api.strip-prefix=/api
//! adsum.gateway.retries=1
//! com.example.owner=payments                                     nothing to us
//! ```

use std::collections::BTreeMap;

use adsum_model::{Name, Policy, Priority, Route};

use crate::problem::Problems;
use crate::route::Options;
use crate::{bound, policy, route};

const OURS: &str = "adsum.";

type Labels = BTreeMap<String, String>;

/// The routes and the policy that labels describe.
pub(crate) fn labels(
    service: &Name,
    labels: Option<&Labels>,
    problems: &mut Problems,
) -> (Vec<Route>, Policy) {
    let empty = Labels::new();
    let labels = labels.unwrap_or(&empty);
    if labels.len() > bound::LABELS {
        problems.add("labels", labels.len(), format!("is too many: give at most {}", bound::LABELS));
    }
    let mut named: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut settings = BTreeMap::new();
    for (key, value) in labels {
        well_formed(key, value, problems);
        let parts: Vec<&str> = key.splitn(4, '.').collect();
        match parts[..] {
            [Priority::KEY] => priority(key, value, problems),
            ["adsum", "route", name, option] => named.entry(name).or_default().push((option, value)),
            ["adsum", "gateway", ..] => {
                settings.insert(&key["adsum.gateway.".len().min(key.len())..], value.as_str());
            }
            _ if key.starts_with(OURS) => problems.add(
                field(key),
                value,
                format!("is no setting of Adsum: known are adsum.route.NAME.{{rule, {}}} and adsum.gateway.{{{}}}",
                    route::OPTIONS.join(", "), policy::SETTINGS.join(", ")),
            ),
            _ => {}
        }
    }
    let routes =
        named.into_iter().filter_map(|(name, options)| named_route(service, name, &options, problems));
    let routes = routes.collect();
    (routes, policy::policy(&settings, problems))
}

/// What DNS tells in SRV records.
fn priority(key: &str, value: &str, problems: &mut Problems) {
    if Priority::of(&[(key.to_string(), value.to_string())].into()).is_err() {
        problems.add(field(key), value, "is no priority of SRV records: give 0 to 65535");
    }
}

pub(crate) fn field(key: &str) -> String {
    format!("labels.{key}")
}

fn well_formed(key: &str, value: &str, problems: &mut Problems) {
    let odd = |letter: char| letter.is_control() || letter == '=' || letter == ' ';
    if key.is_empty() || key.len() > bound::TAG || key.contains(odd) {
        let advice = format!("is no name of a label: give 1 to {} bytes without '=' and blanks", bound::TAG);
        problems.add("labels", key, advice);
    }
    if value.len() > bound::LABEL || value.contains('\0') {
        problems.add(
            field(key),
            value,
            format!("does not do: give at most {} bytes without NUL", bound::LABEL),
        );
    }
}

/// A route of labels, in which all options of one name have come together.
fn named_route(
    service: &Name,
    name: &str,
    options: &[(&str, &str)],
    problems: &mut Problems,
) -> Option<Route> {
    let known = problems.0.len();
    let of = |option: &str| field(&format!("adsum.route.{name}.{option}"));
    let read_name = name.parse::<Name>();
    if let Err(error) = &read_name {
        problems.add(format!("labels.adsum.route.{name}"), name, format!("is no name of a route: {error}"));
    }
    let mut draft = Options::default();
    let mut rule = None;
    for (option, value) in options {
        match *option {
            "rule" => match route::read_rule(value) {
                Ok(read) => rule = Some(read),
                Err(error) => problems.add(of(option), value, format!("is no rule: {error}")),
            },
            option if route::OPTIONS.contains(&option) => {
                if let Err(wrong) = draft.take(service, option, value) {
                    problems.add(of(option), value, wrong);
                }
            }
            other => problems.add(
                of(other),
                value,
                format!("is no setting of a route: known are rule, {}", route::OPTIONS.join(", ")),
            ),
        }
    }
    if rule.is_none() && !options.iter().any(|(option, _)| *option == "rule") {
        problems.add(of("rule"), "", "is missing: say which requests the route is for");
    }
    if problems.0.len() > known {
        return None;
    }
    Some(draft.route(read_name.ok(), rule?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use adsum_model::{Balance, HashKey, Idempotency, ProxyProtocol, Rewrite, Upstream};

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Vec<Route>, Policy, Vec<String>) {
        let pairs = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut problems = Problems::default();
        let (routes, policy) = labels(&"web".parse().unwrap(), Some(&pairs), &mut problems);
        (routes, policy, problems.0.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn wrong(key: &str, value: &str, expect: &str) {
        let (.., problems) = read(&[(key, value)]);
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{key}={value}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.starts_with("labels")), "{problems:?}");
    }

    #[test]
    fn the_options_of_one_name_are_one_route() {
        let (routes, policy, problems) = read(&[
            ("adsum.route.api.rule", "PathPrefix(/api)"),
            ("adsum.route.api.strip-prefix", "/api"),
            ("adsum.route.www.rule", "Host(www.shop.local)"),
            ("adsum.route.www.weight", "30"),
            ("owner", "payments, and others"),
        ]);
        assert_eq!((problems, policy), (vec![], Policy::default()));
        let names: Vec<&str> =
            routes.iter().filter_map(|route| Some(route.name.as_ref()?.as_str())).collect();
        assert_eq!(names, ["api", "www"]);
        assert_eq!(routes[0].rewrite, Rewrite::StripPrefix("/api".into()));
        assert_eq!(routes[1].weight, Some(30));
    }

    #[test]
    fn a_priority_of_srv_records_is_a_number_of_16_bits() {
        assert!(read(&[("srv-priority", "10")]).2.is_empty());
        wrong("srv-priority", "first", "is no priority of SRV records");
    }

    #[test]
    fn every_setting_of_the_gateway_has_its_label() {
        let (_, policy, problems) = read(&[
            ("adsum.gateway.upstream", "https"),
            ("adsum.gateway.upstream.ca", "/etc/ca.pem"),
            ("adsum.gateway.upstream.server-name", "web.internal"),
            ("adsum.gateway.balance", "hash:cookie=cart"),
            ("adsum.gateway.sticky", "where"),
            ("adsum.gateway.slow-start", "10s"),
            ("adsum.gateway.connect-timeout", "500ms"),
            ("adsum.gateway.try-timeout", "1s"),
            ("adsum.gateway.timeout", "3s"),
            ("adsum.gateway.idle-timeout", "0"),
            ("adsum.gateway.retries", "1"),
            ("adsum.gateway.retry-budget", "50"),
            ("adsum.gateway.retry-floor", "5"),
            ("adsum.gateway.max-requests", "100"),
            ("adsum.gateway.max-pending", "7"),
            ("adsum.gateway.hold", "2s"),
            ("adsum.gateway.panic-threshold", "40"),
            ("adsum.gateway.idempotency", "backend"),
            ("adsum.gateway.proxy-protocol", "v2"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let Upstream::Https(tls) = &policy.upstream else { panic!("{:?}", policy.upstream) };
        assert_eq!(
            (tls.ca.as_deref(), tls.server_name.as_deref()),
            (Some("/etc/ca.pem"), Some("web.internal"))
        );
        assert_eq!(policy.balance, Balance::Hash(HashKey::Cookie("cart".into())));
        assert_eq!(policy.sticky.as_deref(), Some("where"));
        assert_eq!((policy.timeout, policy.idle_timeout), (Duration::from_secs(3), Duration::ZERO));
        assert_eq!((policy.retries, policy.retry_budget, policy.retry_floor), (1, 50, 5));
        assert_eq!((policy.max_requests, policy.max_pending, policy.panic_threshold), (100, 7, 40));
        assert_eq!(
            (policy.idempotency, policy.proxy_protocol),
            (Idempotency::Backend, Some(ProxyProtocol::V2))
        );
    }

    #[test]
    fn each_mistake_in_a_label_is_named_with_what_is_known() {
        wrong("adsum.rout.api.rule", "Path(/)", "is no setting of Adsum: known are adsum.route.NAME.{rule,");
        wrong("adsum.route.api", "Path(/)", "is no setting of Adsum");
        wrong("adsum.route.api.rule", "Path(x)", "is no rule");
        wrong("adsum.route.api.strip-prefix", "/a", "adsum.route.api.rule: '' is missing");
        wrong("adsum.route.api.prio", "1", "is no setting of a route: known are rule, priority");
        wrong("adsum.route.Api.rule", "Path(/)", "is no name of a route");
        wrong("adsum.gateway.retry", "1", "is no setting of the gateway: known are upstream, upstream.ca");
        wrong("adsum.gateway", "1", "is no setting of the gateway");
        wrong("adsum.gateway.retries", "many", "is no whole number: give 0 to 10");
        wrong("adsum.gateway.retries", "11", "is out of range: give 0 to 10");
        wrong("adsum.gateway.timeout", "5", "is no duration");
        wrong("adsum.gateway.connect-timeout", "0", "give 1ms to 1m");
        wrong("adsum.gateway.balance", "fair", "give one of peak-ewma, round-robin");
        wrong("adsum.gateway.balance", "hash:header=a b", "is no name of a header");
        wrong("adsum.gateway.upstream", "ftp", "give one of http, h2c, https");
        wrong("adsum.gateway.upstream.ca", "/x", "belongs to an https upstream");
        wrong("adsum.gateway.upstream.ca", "x", "belongs to an https upstream");
        wrong("adsum.gateway.sticky", "a;b", "is no name of a cookie");
        wrong("a=b", "x", "is no name of a label");
    }

    #[test]
    fn the_number_of_labels_has_its_bound() {
        let many: Labels = (0..=bound::LABELS).map(|at| (format!("l{at}"), String::new())).collect();
        let mut problems = Problems::default();
        labels(&"web".parse().unwrap(), Some(&many), &mut problems);
        assert_eq!(problems.0[0].to_string(), "labels: '101' is too many: give at most 100");
    }
}
