//! What an agent is to be: flag before environment before file before default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use adsum_model::Name;
use anyhow::{Context, bail};

use super::config::Config;
use super::dns::Naming;
use super::{Args, Durability, Given, faces, gateway, identity};

/// What an agent is to be.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) node: Name,
    pub(crate) datacenter: Name,
    pub(crate) data_dir: DataDir,
    /// The instances end with the agent.
    pub(crate) stops_instances: bool,
    pub(crate) durability: Durability,
    pub(crate) resp: SocketAddr,
    /// Redis clients are told of a cluster of this one node.
    pub(crate) resp_cluster: bool,
    pub(crate) http: SocketAddr,
    pub(crate) dns: SocketAddr,
    pub(crate) naming: Naming,
    pub(crate) gateway: adsum_gateway::Settings,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) script_checks: bool,
    pub(crate) session_ttl_multiplier: u32,
    insecure: bool,
}

/// Where an agent keeps everything.
#[derive(Debug)]
pub(crate) enum DataDir {
    Kept(PathBuf),
    /// Gone when the agent ends.
    Temporary(tempfile::TempDir),
}

impl DataDir {
    /// It is somebody else's from now on.
    pub(super) fn leave(self) {
        if let DataDir::Temporary(dir) = self {
            let _ = dir.keep();
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            DataDir::Kept(path) => path.clone(),
            DataDir::Temporary(dir) => dir.path().to_path_buf(),
        }
    }
}

impl Settings {
    /// `args` holds flags and environment already.
    pub(crate) fn resolve(args: Args) -> anyhow::Result<Settings> {
        let file = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let given = args.data_dir.or(file.data_dir);
        let range = match (args.faces.port_range, file.port_range) {
            (Some(range), _) => range,
            (None, Some(text)) => faces::port_range(&text)
                .map_err(|hint| anyhow::anyhow!("port_range '{text}' in the configuration file: {hint}"))?,
            (None, None) => 20000..=32000,
        };
        let data_dir = data_dir(given, args.dev)?;
        let dns = args.faces.dns_addr.or(file.dns_addr).unwrap_or(loopback(8600));
        let settings = Settings {
            node: identity::node(&data_dir.path(), args.node.or(file.node))?,
            gateway: gateway::settings(args.faces.gateway_addr, args.gateway, file.gateway)?,
            datacenter: args.datacenter.or(file.datacenter).map_or_else(|| "dc1".parse(), Ok)?,
            data_dir,
            stops_instances: args.dev,
            durability: args.durability.or(file.durability).unwrap_or(Durability::Always),
            resp: args.faces.resp_addr.or(file.resp_addr).unwrap_or(loopback(6379)),
            resp_cluster: args.resp_cluster || file.resp_cluster == Some(true),
            http: args.faces.http_addr.or(file.http_addr).unwrap_or(loopback(8500)),
            naming: Naming::resolve(dns, args.dns, file.dns)?,
            dns,
            ports: range,
            script_checks: args.enable_script_checks || file.enable_script_checks == Some(true),
            session_ttl_multiplier: multiplier(file.session_ttl_multiplier)?,
            insecure: args.insecure || file.insecure == Some(true),
        };
        settings.refuse_open_faces()?;
        Ok(settings)
    }

    /// Sockets that are given come before the addresses that were asked for: who gives them has chosen theirs.
    pub(super) fn adopt(&mut self, given: &Given) -> anyhow::Result<()> {
        adopt_one(&mut self.resp, given.resp.first(), "--resp-addr");
        adopt_one(&mut self.http, given.http.first(), "--http-addr");
        adopt_one(&mut self.dns, given.dns_tcp.first(), "--dns-addr");
        adopt_one(&mut self.gateway.addr, given.gateway.plain.first(), "--gateway-addr");
        if let Some(tls) = &mut self.gateway.tls {
            adopt_one(&mut tls.addr, given.gateway.tls.first(), "--gateway-tls-addr");
        }
        self.refuse_open_faces()
    }

    /// Without tokens and TLS everybody who reaches a face may do everything.
    fn refuse_open_faces(&self) -> anyhow::Result<()> {
        if self.insecure {
            return Ok(());
        }
        let faces = [
            ("--resp-addr", self.resp),
            ("--http-addr", self.http),
            ("--dns-addr", self.dns),
            ("--gateway-addr", self.gateway.addr),
        ];
        match faces.iter().find(|(_, address)| !address.ip().is_loopback()) {
            Some((flag, address)) => bail!(
                "{flag} {address} is reachable from other machines, and there is neither TLS nor a token yet: \
                 use a loopback address, or pass --insecure if the network is trusted"
            ),
            None => Ok(()),
        }
    }
}

fn multiplier(given: Option<u32>) -> anyhow::Result<u32> {
    match given.unwrap_or(1) {
        multiplier @ 1..=10 => Ok(multiplier),
        odd => bail!("session_ttl_multiplier {odd} in the configuration file: give 1 to 10"),
    }
}

fn adopt_one(address: &mut SocketAddr, given: Option<&TcpListener>, flag: &str) {
    let Some(given) = given.and_then(|given| given.local_addr().ok()) else { return };
    if *address != given {
        tracing::info!(%given, "the socket that was given counts, not {flag} {address}");
        *address = given;
    }
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn data_dir(given: Option<PathBuf>, dev: bool) -> anyhow::Result<DataDir> {
    match given {
        Some(dir) => Ok(DataDir::Kept(std::path::absolute(&dir).unwrap_or(dir))),
        None if dev => {
            let dir = tempfile::Builder::new().prefix("adsum-").tempdir();
            dir.map(DataDir::Temporary).context("cannot make a temporary directory")
        }
        None => Ok(DataDir::Kept(default_dir()?)),
    }
}

/// As for other daemons: the system's place for root, the person's own for others.
fn default_dir() -> anyhow::Result<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Ok("/var/lib/adsum".into());
    }
    if let Some(state) = std::env::var_os("XDG_STATE_HOME") {
        return Ok(PathBuf::from(state).join("adsum"));
    }
    let home =
        std::env::var_os("HOME").context("no place for the data: pass --data-dir, or --dev for a try")?;
    Ok(PathBuf::from(home).join(".local/state/adsum"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Faces;

    fn args() -> Args {
        Args { dev: true, node: Some("n1".parse().unwrap()), ..Args::default() }
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("adsum.toml");
        std::fs::write(&file, "resp_addr = '127.0.0.1:1'\nhttp_addr = '127.0.0.1:2'\nport_range = '5-9'\n")
            .unwrap();
        let faces = Faces { resp_addr: Some(loopback(7)), ..Faces::default() };
        let settings = Settings::resolve(Args { config: Some(file), faces, ..args() }).unwrap();
        assert_eq!((settings.resp, settings.http, settings.dns), (loopback(7), loopback(2), loopback(8600)));
        assert_eq!(settings.ports, 5..=9);
    }

    #[test]
    fn a_file_with_a_word_nobody_knows_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("adsum.toml");
        std::fs::write(&file, "resp_adr = '127.0.0.1:1'\n").unwrap();
        let error = Settings::resolve(Args { config: Some(file), ..args() }).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("adsum.toml") && text.contains("resp_adr"), "{text}");
    }

    #[test]
    fn a_data_directory_stays_with_its_node() {
        let dir = tempfile::tempdir().unwrap();
        let on = |node: Option<&str>| {
            let node = node.map(|node| node.parse().unwrap());
            let resolved =
                Settings::resolve(Args { data_dir: Some(dir.path().into()), node, ..Args::default() });
            resolved.inspect(|settings| identity::keep(&settings.data_dir.path(), &settings.node).unwrap())
        };
        assert_eq!(on(Some("one")).unwrap().node.as_str(), "one");
        assert_eq!(on(None).unwrap().node.as_str(), "one");
        let error = on(Some("two")).unwrap_err().to_string();
        assert!(error.contains("'one'") && error.contains("'two'"), "{error}");
    }

    #[test]
    fn a_face_for_everybody_has_to_be_asked_for() {
        let open: SocketAddr = "0.0.0.0:6379".parse().unwrap();
        let faces = Faces { resp_addr: Some(open), ..Faces::default() };
        let error = Settings::resolve(Args { faces: faces.clone(), ..args() }).unwrap_err().to_string();
        assert!(error.contains("--resp-addr 0.0.0.0:6379") && error.contains("--insecure"), "{error}");
        assert!(Settings::resolve(Args { faces, insecure: true, ..args() }).is_ok());
    }
}
