//! The settings of the gateway for a service, from labels: `adsum.gateway.SETTING`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use adsum_model::{Balance, HashKey, Idempotency, Policy, ProxyProtocol, Upstream, UpstreamTls};

use crate::bound;
use crate::label::field;
use crate::problem::Problems;

/// All there are.
pub(crate) const SETTINGS: [&str; 19] = [
    "upstream",
    "upstream.ca",
    "upstream.server-name",
    "balance",
    "sticky",
    "slow-start",
    "connect-timeout",
    "try-timeout",
    "timeout",
    "idle-timeout",
    "retries",
    "retry-budget",
    "retry-floor",
    "max-requests",
    "max-pending",
    "hold",
    "panic-threshold",
    "idempotency",
    "proxy-protocol",
];

const PLAIN_BALANCE: [(&str, Balance); 4] = [
    ("peak-ewma", Balance::PeakEwma),
    ("round-robin", Balance::RoundRobin),
    ("least-requests", Balance::LeastRequests),
    ("random", Balance::Random),
];

/// Reads what is there; what is not has its default.
pub(crate) fn policy(settings: &BTreeMap<&str, &str>, problems: &mut Problems) -> Policy {
    for (name, value) in settings.iter().filter(|(name, _)| !SETTINGS.contains(*name)) {
        let key = if name.is_empty() { "adsum.gateway".to_string() } else { format!("adsum.gateway.{name}") };
        let advice = format!("is no setting of the gateway: known are {}", SETTINGS.join(", "));
        problems.add(field(&key), value, advice);
    }
    let default = Policy::default();
    let mut of = Settings { settings, problems };
    Policy {
        upstream: of.upstream(),
        balance: of.balance(),
        sticky: of.name("sticky", "cookie"),
        slow_start: of.duration("slow-start", default.slow_start, &bound::SLOW_START),
        connect_timeout: of.duration("connect-timeout", default.connect_timeout, &bound::CONNECT_TIMEOUT),
        try_timeout: of.duration("try-timeout", default.try_timeout, &bound::TRY_TIMEOUT),
        timeout: of.duration("timeout", default.timeout, &bound::REQUEST_TIMEOUT),
        idle_timeout: of.duration("idle-timeout", default.idle_timeout, &bound::REQUEST_TIMEOUT),
        retries: of.figure("retries", default.retries, &bound::TRIES),
        retry_budget: of.figure("retry-budget", default.retry_budget, &bound::PERCENT),
        retry_floor: of.figure("retry-floor", default.retry_floor, &bound::PER_SECOND),
        max_requests: of.figure("max-requests", default.max_requests, &bound::REQUESTS),
        max_pending: of.figure("max-pending", default.max_pending, &bound::PENDING),
        hold: of.duration("hold", default.hold, &bound::HOLD),
        panic_threshold: of.percent("panic-threshold", default.panic_threshold),
        idempotency: of.word(
            "idempotency",
            default.idempotency,
            &[("off", Idempotency::Off), ("backend", Idempotency::Backend)],
        ),
        proxy_protocol: of.word(
            "proxy-protocol",
            default.proxy_protocol,
            &[("v1", Some(ProxyProtocol::V1)), ("v2", Some(ProxyProtocol::V2))],
        ),
    }
}

struct Settings<'a> {
    settings: &'a BTreeMap<&'a str, &'a str>,
    problems: &'a mut Problems,
}

impl<'a> Settings<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.settings.get(name).copied()
    }

    fn wrong(&mut self, name: &str, value: &str, message: &str) {
        self.problems.add(label(name), value, message);
    }

    fn duration(&mut self, name: &str, default: Duration, range: &RangeInclusive<Duration>) -> Duration {
        let text = self.get(name);
        self.problems.duration(&label(name), text, default, range)
    }

    fn figure(&mut self, name: &str, default: u32, range: &RangeInclusive<i64>) -> u32 {
        let text = self.get(name);
        self.problems.figure(&label(name), text, default, range)
    }

    fn percent(&mut self, name: &str, default: u8) -> u8 {
        u8::try_from(self.figure(name, default.into(), &bound::PERCENT)).unwrap_or(default)
    }

    fn word<T: Copy>(&mut self, name: &str, default: T, words: &[(&str, T)]) -> T {
        let text = self.get(name);
        self.problems.word(&label(name), text, default, words)
    }

    /// Of a header or a cookie: a token (RFC 9110 5.6.2).
    fn token(&mut self, setting: &str, text: &str, what: &str) -> Option<String> {
        let known = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
        if !text.is_empty() && text.len() <= bound::TAG && text.chars().all(known) {
            return Some(text.to_string());
        }
        let value = self.get(setting).unwrap_or_default();
        self.wrong(setting, value, &format!("is no name of a {what}: give letters, digits, '-' and '_'"));
        None
    }

    fn name(&mut self, setting: &str, what: &str) -> Option<String> {
        let text = self.get(setting)?;
        self.token(setting, text, what)
    }

    fn upstream(&mut self) -> Upstream {
        let tls = UpstreamTls {
            ca: self.file("upstream.ca"),
            server_name: self.name("upstream.server-name", "server"),
        };
        let words = [("http", 0), ("h2c", 1), ("https", 2)];
        let upstream = match self.word("upstream", 0, &words) {
            0 => Upstream::Http,
            1 => Upstream::H2c,
            _ => return Upstream::Https(tls),
        };
        for name in ["upstream.ca", "upstream.server-name"] {
            if let Some(value) = self.get(name) {
                self.wrong(name, value, "belongs to an https upstream: set adsum.gateway.upstream to https");
            }
        }
        upstream
    }

    fn file(&mut self, name: &str) -> Option<String> {
        let path = self.get(name)?;
        if !path.starts_with('/') || path.len() > bound::PATH {
            self.wrong(name, path, "is no absolute path: begin it with '/'");
        }
        Some(path.to_string())
    }

    fn balance(&mut self) -> Balance {
        let Some(text) = self.get("balance") else { return Balance::default() };
        if let Some((_, plain)) = PLAIN_BALANCE.iter().find(|(word, _)| *word == text) {
            return plain.clone();
        }
        let key = match text.strip_prefix("hash:").map(|key| key.split_once('=').unwrap_or((key, ""))) {
            Some(("path", "")) => Some(HashKey::Path),
            Some(("header", name)) => {
                self.token("balance", name, "header").map(|name| HashKey::Header(name.to_ascii_lowercase()))
            }
            Some(("cookie", name)) => self.token("balance", name, "cookie").map(HashKey::Cookie),
            Some(_) | None => {
                let plain: Vec<&str> = PLAIN_BALANCE.iter().map(|(word, _)| *word).collect();
                let advice = format!(
                    "is unknown: give one of {}, hash:header=NAME, hash:cookie=NAME, hash:path",
                    plain.join(", ")
                );
                self.wrong("balance", text, &advice);
                None
            }
        };
        key.map_or_else(Balance::default, Balance::Hash)
    }
}

fn label(name: &str) -> String {
    field(&format!("adsum.gateway.{name}"))
}
