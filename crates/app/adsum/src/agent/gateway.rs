//! The gateway's settings: flags, and the section `[gateway]` of the configuration file.
//!
//! ```toml
//! [gateway]
//! addr = "127.0.0.1:8080"
//! tls_addr = "127.0.0.1:8443"          # with tls_cert and tls_key
//! tls_cert = "/etc/adsum/cert.pem"
//! tls_key = "/etc/adsum/key.pem"
//! access_log = "json"                  # off, json, combined
//! access_log_file = "/var/log/adsum/access.log"
//! request_id = true
//! served_by = true
//! attempts = true
//! trusted_proxies = ["10.0.0.0/8"]
//! workers = 2                          # one per core when it is left out
//! max_connections = 10000
//! head_timeout = "30s"
//! idle_timeout = "75s"
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adsum_gateway::{AccessLog, Headers, Limits, LogTarget, Network, Settings, TlsSettings};
use adsum_model::{parse_duration, print_duration};
use anyhow::{Context, bail, ensure};

use super::settings::loopback;

/// Client connections that may be asked for.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;
const WORKERS: std::ops::RangeInclusive<usize> = 1..=256;
/// File descriptors that are not for the gateway's connections.
const OTHERS: usize = 128;
const PATIENCE: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// Beside `--gateway-addr`, which stands with the other faces.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct GatewayFlags {
    /// A PEM file with the certificate and those that lead to its authority; it is read again when it changes
    #[arg(long, value_name = "FILE", env = "ADSUM_GATEWAY_TLS_CERT")]
    pub(crate) gateway_tls_cert: Option<PathBuf>,
    /// A PEM file with its private key
    #[arg(long, value_name = "FILE", env = "ADSUM_GATEWAY_TLS_KEY")]
    pub(crate) gateway_tls_key: Option<PathBuf>,
    /// Where HTTPS is served, when there is a certificate [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_GATEWAY_TLS_ADDR")]
    pub(crate) gateway_tls_addr: Option<SocketAddr>,
    /// Threads that serve the gateway's clients [default: one per core]
    #[arg(long, value_name = "N", env = "ADSUM_GATEWAY_WORKERS")]
    pub(crate) gateway_workers: Option<usize>,
    /// A line for each request through the gateway [default: off]
    #[arg(long, value_enum, value_name = "FORM", env = "ADSUM_ACCESS_LOG")]
    pub(crate) access_log: Option<LogForm>,
    /// Where those lines go [default: standard output]
    #[arg(long, value_name = "FILE", env = "ADSUM_ACCESS_LOG_FILE")]
    pub(crate) access_log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    Off,
    /// An object per line
    Json,
    /// As other web servers write them
    Combined,
}

/// What the file may say; each of it is optional, and nothing else may stand in it.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    addr: Option<SocketAddr>,
    tls_addr: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    access_log: Option<LogForm>,
    access_log_file: Option<PathBuf>,
    request_id: Option<bool>,
    served_by: Option<bool>,
    attempts: Option<bool>,
    trusted_proxies: Option<Vec<String>>,
    workers: Option<usize>,
    max_connections: Option<usize>,
    head_timeout: Option<String>,
    idle_timeout: Option<String>,
}

/// What the gateway is to be.
pub(super) fn settings(
    addr: Option<SocketAddr>,
    flags: GatewayFlags,
    file: Section,
) -> anyhow::Result<Settings> {
    let default = Settings::new(addr.or(file.addr).unwrap_or(loopback(8080)));
    let tls = tls(
        flags.gateway_tls_cert.or(file.tls_cert),
        flags.gateway_tls_key.or(file.tls_key),
        flags.gateway_tls_addr.or(file.tls_addr),
    )?;
    let trusted = file.trusted_proxies.unwrap_or_default();
    let trusted = trusted.iter().map(|text| text.parse::<Network>());
    Ok(Settings {
        tls,
        workers: workers(flags.gateway_workers.or(file.workers), default.workers)?,
        limits: limits(file.max_connections, file.head_timeout.as_deref(), file.idle_timeout.as_deref())?,
        access_log: access_log(
            flags.access_log.or(file.access_log),
            flags.access_log_file.or(file.access_log_file),
        )?,
        headers: Headers {
            request_id: file.request_id.unwrap_or(default.headers.request_id),
            served_by: file.served_by.unwrap_or(default.headers.served_by),
            attempts: file.attempts.unwrap_or(default.headers.attempts),
        },
        trusted: trusted.collect::<Result<_, _>>().context("trusted_proxies of the gateway")?,
        ..default
    })
}

fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    addr: Option<SocketAddr>,
) -> anyhow::Result<Option<TlsSettings>> {
    match (cert, key) {
        (Some(cert), Some(key)) => {
            let addr = addr.unwrap_or(loopback(8443));
            Ok(Some(TlsSettings { addr, cert: absolute(cert), key: absolute(key) }))
        }
        (None, None) => match addr {
            Some(addr) => bail!(
                "the gateway is to serve HTTPS on {addr} and has no certificate: pass --gateway-tls-cert and --gateway-tls-key"
            ),
            None => Ok(None),
        },
        (Some(_), None) => bail!("the gateway has a certificate and no key: pass --gateway-tls-key too"),
        (None, Some(_)) => bail!("the gateway has a key and no certificate: pass --gateway-tls-cert too"),
    }
}

fn access_log(form: Option<LogForm>, file: Option<PathBuf>) -> anyhow::Result<AccessLog> {
    if let (None, Some(file)) = (form, &file) {
        bail!("the access log has a file ({}) and no form: pass --access-log json too", file.display());
    }
    let target = file.map_or(LogTarget::Stdout, |file| LogTarget::File(absolute(file)));
    Ok(match form {
        None | Some(LogForm::Off) => AccessLog::Off,
        Some(LogForm::Json) => AccessLog::Json(target),
        Some(LogForm::Combined) => AccessLog::Combined(target),
    })
}

fn limits(connections: Option<usize>, head: Option<&str>, idle: Option<&str>) -> anyhow::Result<Limits> {
    let default = Limits::default();
    let connections = connections.unwrap_or(default.connections);
    ensure!(
        CONNECTIONS.contains(&connections),
        "max_connections {connections} of the gateway: give {} to {}",
        CONNECTIONS.start(),
        CONNECTIONS.end()
    );
    Ok(Limits {
        connections,
        head_timeout: patience("head_timeout", head, default.head_timeout)?,
        idle_timeout: patience("idle_timeout", idle, default.idle_timeout)?,
        ..default
    })
}

fn workers(given: Option<usize>, default: usize) -> anyhow::Result<usize> {
    let workers = given.unwrap_or(default);
    let (least, most) = (WORKERS.start(), WORKERS.end());
    ensure!(WORKERS.contains(&workers), "{workers} workers of the gateway: give {least} to {most}");
    Ok(workers)
}

/// Takes no more client connections than there are file descriptors for. Each may need one to an instance too, and the
/// other faces, the journal and the probes of health never go without: clients of the gateway would else have instances
/// fail that are well.
pub(super) fn afford(limits: &mut Limits, files: u64) {
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let affordable = (files.saturating_sub(OTHERS) / 2).max(1);
    if affordable < limits.connections / 2 {
        tracing::warn!(
            files,
            "the gateway takes {affordable} clients at a time: raise the limit of open files"
        );
    }
    limits.connections = limits.connections.min(affordable);
}

fn patience(name: &str, text: Option<&str>, default: Duration) -> anyhow::Result<Duration> {
    let Some(text) = text else { return Ok(default) };
    let duration = parse_duration(text).with_context(|| format!("{name} of the gateway"))?;
    let (least, most) = (print_duration(*PATIENCE.start()), print_duration(*PATIENCE.end()));
    ensure!(PATIENCE.contains(&duration), "{name} '{text}' of the gateway: give {least} to {most}");
    Ok(duration)
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: GatewayFlags, toml: &str) -> anyhow::Result<Settings> {
        let section: Section = toml::from_str(toml)?;
        settings(None, flags, section)
    }

    #[test]
    fn what_nobody_says_has_its_default() {
        let settings = resolve(GatewayFlags::default(), "").unwrap();
        assert_eq!((settings.addr, settings.tls.is_none()), (loopback(8080), true));
        assert!(matches!(settings.access_log, AccessLog::Off));
        assert!(settings.headers.served_by && settings.trusted.is_empty());
    }

    #[test]
    fn every_setting_of_the_section_has_its_effect_and_flags_count_before_it() {
        let toml = r#"
            addr = "127.0.0.1:1080"
            tls_cert = "/c.pem"
            tls_key = "/k.pem"
            access_log = "combined"
            access_log_file = "/log"
            request_id = false
            served_by = false
            attempts = false
            trusted_proxies = ["10.0.0.0/8", "::1"]
            workers = 3
            max_connections = 50
            head_timeout = "5s"
            idle_timeout = "10s"
        "#;
        let flags = GatewayFlags { access_log: Some(LogForm::Json), ..GatewayFlags::default() };
        let settings = resolve(flags, toml).unwrap();
        let tls = settings.tls.unwrap();
        assert_eq!((settings.addr, tls.addr), (loopback(1080), loopback(8443)));
        assert_eq!((tls.cert, tls.key), ("/c.pem".into(), "/k.pem".into()));
        let AccessLog::Json(LogTarget::File(file)) = settings.access_log else { panic!() };
        assert_eq!(file, PathBuf::from("/log"));
        let Headers { request_id, served_by, attempts } = settings.headers;
        assert!(!request_id && !served_by && !attempts);
        assert_eq!((settings.trusted.len(), settings.limits.connections), (2, 50));
        assert_eq!(settings.workers, 3);
        assert_eq!(settings.limits.head_timeout, Duration::from_secs(5));
        assert_eq!(settings.limits.idle_timeout, Duration::from_secs(10));
    }

    #[test]
    fn a_log_that_is_off_may_have_a_file() {
        let settings = resolve(GatewayFlags::default(), "access_log = 'off'\naccess_log_file = '/log'");
        assert!(matches!(settings.unwrap().access_log, AccessLog::Off));
    }

    #[test]
    fn no_more_connections_are_taken_than_there_are_descriptors_for() {
        #[track_caller]
        fn check(files: u64, expect: usize) {
            let mut limits = Limits::default();
            afford(&mut limits, files);
            assert_eq!(limits.connections, expect);
        }
        check(65_536, 10_000);
        check(1024, 448);
        check(256, 64);
        check(64, 1);
    }

    #[test]
    fn what_cannot_be_is_told_with_its_value() {
        #[track_caller]
        fn wrong(toml: &str, expect: &str) {
            let error = format!("{:#}", resolve(GatewayFlags::default(), toml).unwrap_err());
            assert!(error.contains(expect), "{toml}: {error}");
        }
        wrong("tls_cert = '/c.pem'", "no key: pass --gateway-tls-key");
        wrong("tls_key = '/k.pem'", "no certificate");
        wrong(
            "tls_addr = '127.0.0.1:8443'",
            "127.0.0.1:8443 and has no certificate: pass --gateway-tls-cert",
        );
        wrong("access_log_file = '/log'", "(/log) and no form: pass --access-log json");
        wrong("max_connections = 0", "max_connections 0");
        wrong("workers = 0", "0 workers");
        wrong("head_timeout = '5'", "'5' is no duration");
        wrong("idle_timeout = '2h'", "give 100ms to 1h");
        wrong("trusted_proxies = ['x']", "'x' is no network");
        wrong("adr = 'x'", "adr");
    }
}
