//! The settings of the DNS face: flags, and the section `[dns]` of the configuration file.
//!
//! ```toml
//! [dns]
//! domains = ["svc.example.com"]        # besides adsum. and consul.
//! forward = ["192.0.2.53:53"]          # resolvers for all other names; none: such names are refused
//! ttl = "0s"
//! negative_ttl = "1s"
//! rate_limit = 0                       # answers per second for a network of clients over UDP; 0: no limit
//! ```

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use adsum_dns::{Config, Zone};
use adsum_listen::dns::Limits;
use adsum_model::{Name, parse_duration};
use anyhow::{Context, ensure};

/// Domains and resolvers that may be given.
const MOST: usize = 100;
/// A week (RFC 8767, section 4).
const LONGEST_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// Beside `--dns-addr`, which stands with the other faces.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DnsFlags {
    /// A domain that services are found in as well: NAME.DOMAIN, _NAME._tcp.DOMAIN; may be repeated
    #[arg(long, value_name = "DOMAIN", env = "ADSUM_DNS_DOMAIN", value_delimiter = ',')]
    pub(crate) dns_domain: Vec<String>,
    /// A resolver that is asked for all other names, which are refused without one; may be repeated
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_DNS_FORWARD", value_delimiter = ',')]
    pub(crate) dns_forward: Vec<SocketAddr>,
}

/// What the file may say; each of it is optional, and nothing else may stand in it.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    domains: Option<Vec<String>>,
    forward: Option<Vec<SocketAddr>>,
    ttl: Option<String>,
    negative_ttl: Option<String>,
    rate_limit: Option<u32>,
}

/// How names are answered.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    domains: Vec<Zone>,
    ttl: Option<u32>,
    negative_ttl: Option<u32>,
    pub(super) limits: Limits,
}

impl Naming {
    /// `own` is where this face itself answers.
    pub(super) fn resolve(own: SocketAddr, flags: DnsFlags, file: Section) -> anyhow::Result<Naming> {
        let domains = first(flags.dns_domain, file.domains);
        let forward = first(flags.dns_forward, file.forward);
        ensure!(
            domains.len() <= MOST && forward.len() <= MOST,
            "at most {MOST} DNS domains, and as many resolvers"
        );
        ensure!(
            !forward.iter().any(|resolver| is_own(*resolver, own)),
            "--dns-forward names {own}, where this agent itself answers: name another resolver"
        );
        let domains = domains.iter().map(|text| text.parse::<Zone>().map(Zone::flat));
        let limits = Limits { rate: file.rate_limit.and_then(NonZeroU32::new), forward, ..Limits::default() };
        Ok(Naming {
            domains: domains.collect::<Result<_, _>>().context("--dns-domain")?,
            ttl: file.ttl.map(|text| ttl("ttl", &text)).transpose()?,
            negative_ttl: file.negative_ttl.map(|text| ttl("negative_ttl", &text)).transpose()?,
            limits,
        })
    }

    pub(super) fn config(&self, datacenter: Name, node: Name) -> Config {
        let mut config = Config::new(datacenter, node);
        config.zones.extend(self.domains.iter().cloned());
        config.ttl = self.ttl.unwrap_or(config.ttl);
        config.negative_ttl = self.negative_ttl.unwrap_or(config.negative_ttl);
        config
    }
}

/// Whether a resolver is this face. Of one that answers everywhere, only what is certainly this machine is known.
fn is_own(resolver: SocketAddr, own: SocketAddr) -> bool {
    let local = resolver.ip().is_loopback() || resolver.ip().is_unspecified();
    resolver.port() == own.port() && (resolver.ip() == own.ip() || own.ip().is_unspecified() && local)
}

/// What the flags say, else what the file says.
fn first<T>(flags: Vec<T>, file: Option<Vec<T>>) -> Vec<T> {
    if flags.is_empty() { file.unwrap_or_default() } else { flags }
}

fn ttl(name: &str, text: &str) -> anyhow::Result<u32> {
    let time = parse_duration(text).with_context(|| format!("{name} '{text}' of [dns]"))?;
    ensure!(time <= LONGEST_TTL, "{name} '{text}' of [dns] is longer than a week");
    Ok(time.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::settings::loopback;

    fn resolve(flags: DnsFlags, toml: &str) -> anyhow::Result<Naming> {
        Naming::resolve(loopback(8600), flags, toml::from_str(toml)?)
    }

    fn config(naming: &Naming) -> Config {
        naming.config("dc1".parse().unwrap(), "n1".parse().unwrap())
    }

    #[test]
    fn nothing_is_forwarded_and_no_domain_is_served_unless_it_is_said() {
        let naming = resolve(DnsFlags::default(), "").unwrap();
        assert_eq!(naming.limits, Limits::default());
        assert_eq!(config(&naming), Config::new("dc1".parse().unwrap(), "n1".parse().unwrap()));
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let flags = DnsFlags { dns_domain: vec!["a.example".to_string()], ..DnsFlags::default() };
        let file =
            "domains = ['b.example', 'c.example']\nforward = ['127.0.0.1:53']\nttl = '5s'\nrate_limit = 7";
        let naming = resolve(flags, file).unwrap();
        let expected = config(&naming);
        assert_eq!(expected.zones[2..], ["a.example".parse::<Zone>().unwrap().flat()]);
        assert_eq!((expected.ttl, expected.negative_ttl), (5, 1));
        assert_eq!(
            (naming.limits.forward.clone(), naming.limits.rate),
            (vec![loopback(53)], NonZeroU32::new(7))
        );
    }

    #[test]
    fn a_face_that_answers_everywhere_is_not_its_own_resolver() {
        let everywhere: SocketAddr = "0.0.0.0:53".parse().unwrap();
        for (resolver, own) in [("127.0.0.1:53", true), ("127.0.0.1:54", false), ("192.0.2.1:53", false)] {
            assert_eq!(is_own(resolver.parse().unwrap(), everywhere), own, "{resolver}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (toml, says) in [
            ("domains = ['a..b']", "a..b"),
            ("domains = ['.']", "root"),
            ("forward = ['127.0.0.1:8600']", "127.0.0.1:8600, where this agent itself answers"),
            ("ttl = 'long'", "'long'"),
            ("ttl = '800h'", "longer than a week"),
            ("rate_limit = -1", "rate_limit"),
            ("recursion = true", "recursion"),
        ] {
            let error = format!("{:#}", resolve(DnsFlags::default(), toml).unwrap_err());
            assert!(error.contains(says), "{toml}: {error}");
        }
    }
}
