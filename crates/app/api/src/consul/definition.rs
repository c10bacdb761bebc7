//! From bodies to what is registered: services and checks, and what Consul refuses of them.

use std::net::IpAddr;
use std::time::Duration;

use adsum_model::Priority;
use adsum_model::registered::{
    Check, Definition, Http, Kind, Place, Service, Status, Thresholds, Tls, Weights,
};

use super::answer::Refusal;
use super::fields::Fields;

pub(crate) mod bounds;

/// Of a probe, unless it is said.
const TIMEOUT: Duration = Duration::from_secs(10);
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Only so many are looked at at a time: none may keep its place for as long as it likes.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Nothing is looked at more often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// A service as its own agent registers it.
pub(crate) fn service(node: &str, fields: &Fields) -> Result<Service, Refusal> {
    let name = fields.text("Name")?;
    if name.is_empty() {
        return Err(Refusal::bad("Missing service name"));
    }
    refuse_mesh(fields)?;
    let id = fields.text("ID")?;
    let id = if id.is_empty() { name.clone() } else { id };
    let service = described(node, id, name, fields)?;
    let addresses = service.tagged_addresses.values().map(|place| &place.address);
    if addresses.chain([&service.address]).any(|address| is_unspecified(address)) {
        return Err(Refusal::bad("Invalid service address"));
    }
    Ok(service)
}

/// What is said of a service wherever one is registered.
pub(crate) fn described(node: &str, id: String, name: String, fields: &Fields) -> Result<Service, Refusal> {
    let places = fields.objects_by_name("TaggedAddresses")?.into_iter();
    let places = places.map(|(key, place)| {
        let (address, port) = (place.text("Address")?, port(&place)?);
        Ok((key, Place { address, port }))
    });
    let service = Service {
        node: node.to_string(),
        id,
        service: name,
        tags: fields.list("Tags")?,
        meta: fields.map("Meta")?,
        address: fields.text("Address")?,
        port: port(fields)?,
        tagged_addresses: places.collect::<Result<_, Refusal>>()?,
        weights: weights(&fields.object("Weights")?)?,
        enable_tag_override: fields.flag("EnableTagOverride")?.unwrap_or(false),
    };
    bounds::service(&service)?;
    let invalid = |error| Refusal::bad(format!("Invalid service metadata: {error}"));
    Priority::of(&service.meta).map_err(invalid)?;
    Ok(service)
}

fn port(fields: &Fields) -> Result<u16, Refusal> {
    let port = fields.number("Port")?.unwrap_or(0);
    u16::try_from(port).map_err(|_| Refusal::bad(format!("Invalid service port {port}: use 0 to 65535")))
}

fn weights(fields: &Fields) -> Result<Weights, Refusal> {
    if fields.is_empty() {
        return Ok(Weights::default());
    }
    let [passing, warning] = ["Passing", "Warning"].map(|name| fields.number(name));
    let (passing, warning) = (passing?.unwrap_or(1), warning?.unwrap_or(1));
    if passing < 1 {
        return Err(Refusal::bad("Invalid Weights: Passing must be greater than 0"));
    }
    let weight =
        |weight: i64| u16::try_from(weight).map_err(|_| Refusal::bad("Invalid Weights: use 0 to 65535"));
    Ok(Weights { passing: weight(passing)?, warning: weight(warning)? })
}

/// Nothing pretends to be a mesh.
fn refuse_mesh(fields: &Fields) -> Result<(), Refusal> {
    let connect = fields.object("Connect")?;
    let sidecar = !connect.object("SidecarService")?.is_empty();
    if sidecar || connect.flag("Native")? == Some(true) || !fields.text("Kind")?.is_empty() {
        return Err(Refusal::bad("Connect is not enabled here: leave Kind, Proxy and Connect out"));
    }
    Ok(())
}

fn is_unspecified(address: &str) -> bool {
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(|address: IpAddr| address.is_unspecified())
}

/// The checks that come with a service.
pub(crate) fn checks_with(service: &Service, fields: &Fields) -> Result<Vec<Check>, Refusal> {
    let single = fields.object("Check")?;
    let mut all = fields.objects("Checks")?;
    all.extend((!single.is_empty()).then_some(single));
    let count = all.len();
    bounds::checks(count)?;
    let check = |(number, fields): (usize, &Fields)| {
        let mut check = check(&service.node, fields)?;
        check.service.clone_from(&service.id);
        if check.id.is_empty() {
            let number = if count > 1 { format!(":{}", number + 1) } else { String::new() };
            check.id = format!("service:{}{number}", service.id);
        }
        if check.name.is_empty() {
            check.name = format!("Service '{}' check", service.service);
        }
        Ok(check)
    };
    all.iter().enumerate().map(check).collect()
}

/// A check of its own; of a service when it names one.
pub(crate) fn lone_check(node: &str, fields: &Fields) -> Result<Check, Refusal> {
    let mut check = check(node, fields)?;
    if check.name.is_empty() {
        return Err(Refusal::bad("Missing check name"));
    }
    check.service = fields.text("ServiceID")?;
    if check.id.is_empty() {
        check.id.clone_from(&check.name);
    }
    bounds::check(&check)?;
    Ok(check)
}

fn check(node: &str, fields: &Fields) -> Result<Check, Refusal> {
    let status = fields.text("Status")?;
    let initial = if status.is_empty() { Some(Status::Critical) } else { Status::of(&status) };
    let Some(status) = initial else {
        return Err(Refusal::bad("Status for checks must 'passing', 'warning', 'critical'"));
    };
    let definition = definition(fields)?;
    validate(&definition)?;
    let check = Check {
        node: node.to_string(),
        id: fields.text_of(&["CheckID", "ID"])?,
        name: fields.text("Name")?,
        notes: fields.text("Notes")?,
        status,
        definition,
        ..Check::default()
    };
    bounds::check(&check)?;
    Ok(check)
}

fn definition(fields: &Fields) -> Result<Definition, Refusal> {
    let kind = kind(fields)?;
    let timeout = fields.duration("Timeout")?.min(LONGEST_TIMEOUT);
    let usual =
        if matches!(kind, Kind::Script { .. } | Kind::Docker { .. }) { SCRIPT_TIMEOUT } else { TIMEOUT };
    let count = |name: &str| {
        Ok::<u32, Refusal>(fields.number(name)?.unwrap_or(0).clamp(0, i64::from(u32::MAX)) as u32)
    };
    let interval = fields.duration("Interval")?;
    let deregister_after = fields.duration("DeregisterCriticalServiceAfter")?;
    Ok(Definition {
        timeout: if kind.is_probed() && timeout.is_zero() { usual } else { timeout },
        kind,
        interval: if interval.is_zero() { interval } else { interval.max(SHORTEST_INTERVAL) },
        thresholds: Thresholds {
            passing: count("SuccessBeforePassing")?,
            warning: count("FailuresBeforeWarning")?,
            critical: count("FailuresBeforeCritical")?,
        },
        deregister_after: Some(deregister_after).filter(|after| !after.is_zero()),
    })
}

/// What is looked at follows from which fields are there.
fn kind(fields: &Fields) -> Result<Kind, Refusal> {
    let text = |name: &str| fields.text(name);
    let arguments = match fields.list("ScriptArgs")? {
        arguments if arguments.is_empty() => fields.list("Args")?,
        arguments => arguments,
    };
    let container = text("DockerContainerID")?;
    if !container.is_empty() {
        return Ok(Kind::Docker { container, shell: text("Shell")?, arguments });
    }
    if !arguments.is_empty() {
        return Ok(Kind::Script { arguments });
    }
    if let Some(kind) = network(fields)? {
        return Ok(kind);
    }
    let (node, service) = (text("AliasNode")?, text("AliasService")?);
    if !node.is_empty() || !service.is_empty() {
        return Ok(Kind::Alias { node, service });
    }
    if !text("OSService")?.is_empty() {
        return Err(invalid("OSService checks are not there: use HTTP, TCP, UDP, GRPC, H2PING or TTL"));
    }
    Ok(Kind::Ttl(fields.duration("TTL")?))
}

fn network(fields: &Fields) -> Result<Option<Kind>, Refusal> {
    let [http, tcp, udp, grpc, ping] = [
        fields.text("HTTP")?,
        fields.text("TCP")?,
        fields.text("UDP")?,
        fields.text("GRPC")?,
        fields.text("H2PING")?,
    ];
    let tls = |name: &str, usual: bool| {
        let wanted = fields.flag(name)?.unwrap_or(usual);
        let skip_verify = fields.flag("TLSSkipVerify")?.unwrap_or(false);
        Ok::<Tls, Refusal>(Tls { wanted, server_name: fields.text("TLSServerName")?, skip_verify })
    };
    Ok(if !http.is_empty() {
        let tls = Tls { wanted: http.starts_with("https:"), ..tls("", false)? };
        Some(Kind::Http(self::http(http, tls, fields)?))
    } else if !tcp.is_empty() {
        Some(Kind::Tcp { address: tcp, tls: tls("TCPUseTLS", false)? })
    } else if !udp.is_empty() {
        Some(Kind::Udp { address: udp })
    } else if !grpc.is_empty() {
        let (address, service) = grpc.split_once('/').unwrap_or((&grpc, ""));
        Some(Kind::Grpc { address: address.into(), service: service.into(), tls: tls("GRPCUseTLS", false)? })
    } else if !ping.is_empty() {
        Some(Kind::H2Ping { address: ping, tls: tls("H2PingUseTLS", true)? })
    } else {
        None
    })
}

fn http(url: String, tls: Tls, fields: &Fields) -> Result<Http, Refusal> {
    let method = fields.text("Method")?;
    Ok(Http {
        url,
        method: if method.is_empty() { "GET".to_string() } else { method },
        headers: fields.lists("Header")?,
        body: fields.text("Body")?,
        tls,
        follow_redirects: !fields.flag("DisableRedirects")?.unwrap_or(false),
    })
}

fn validate(definition: &Definition) -> Result<(), Refusal> {
    if definition.kind == Kind::Ttl(Duration::ZERO) {
        return Err(invalid("TTL must be > 0 for TTL checks"));
    }
    if definition.kind.is_probed() && definition.interval.is_zero() {
        return Err(invalid("Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"));
    }
    let thresholds = definition.thresholds;
    if thresholds.warning > thresholds.critical {
        return Err(invalid("FailuresBeforeWarning can't be higher than FailuresBeforeCritical"));
    }
    Ok(())
}

fn invalid(what: &str) -> Refusal {
    Refusal::bad(format!("Invalid check: {what}"))
}

/// Programs are started for nobody from outside, unless the agent was told so.
pub(crate) fn refuse_scripts(checks: &[Check], enabled: bool) -> Result<(), Refusal> {
    let is_script =
        |check: &Check| matches!(check.definition.kind, Kind::Script { .. } | Kind::Docker { .. });
    if !enabled && checks.iter().any(is_script) {
        let text = "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' \
                    to true";
        return Err(Refusal::failed(text));
    }
    Ok(())
}
