//! The sockets of an agent's faces, before they are served: opened by this process, by systemd, or by the agent that is
//! taken over from. Doubles of them are kept while they are served, so that a socket never closes with clients in its
//! queue while somebody may go on with it.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use adsum_listen::systemd::{self, Socket};
use adsum_listen::{dns, resp};
use adsum_takeover::SocketName;
use anyhow::{Context, anyhow, bail};

use super::Settings;

/// Sockets that were opened elsewhere. What is not among them is opened here.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(super) resp: Vec<TcpListener>,
    pub(super) http: Vec<TcpListener>,
    pub(super) dns_udp: Vec<UdpSocket>,
    pub(super) dns_tcp: Vec<TcpListener>,
    pub(super) gateway: adsum_gateway::Sockets,
}

/// The sockets of the faces behind the gateway.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) resp: Vec<TcpListener>,
    pub(super) http: TcpListener,
    pub(super) dns: dns::Bound,
}

impl Given {
    /// What systemd has opened, by the names in the socket's unit.
    pub(crate) fn of_systemd() -> anyhow::Result<Given> {
        let mut given = Given::default();
        for (name, socket) in systemd::given()? {
            match (name.as_str(), socket) {
                ("resp", Socket::Tcp(socket)) => given.resp.push(socket),
                ("http", Socket::Tcp(socket)) => given.http.push(socket),
                ("dns", Socket::Tcp(socket)) => given.dns_tcp.push(socket),
                ("dns", Socket::Udp(socket)) => given.dns_udp.push(socket),
                ("gateway", Socket::Tcp(socket)) => given.gateway.plain.push(socket),
                ("gateway-tls", Socket::Tcp(socket)) => given.gateway.tls.push(socket),
                (name, _) => bail!(
                    "systemd has given a socket '{name}' that no face is served on: its FileDescriptorName= is one of \
                     resp, http, dns, gateway, gateway-tls, over TCP (dns over UDP too)"
                ),
            }
        }
        Ok(given)
    }

    pub(super) fn take_in(&mut self, name: &SocketName, socket: OwnedFd) {
        match name {
            SocketName::Resp => self.resp.push(socket.into()),
            SocketName::Http => self.http.push(socket.into()),
            SocketName::DnsUdp => self.dns_udp.push(socket.into()),
            SocketName::DnsTcp => self.dns_tcp.push(socket.into()),
            SocketName::Gateway => self.gateway.plain.push(socket.into()),
            SocketName::GatewayTls => self.gateway.tls.push(socket.into()),
            SocketName::Published(port) => {
                self.gateway.published.entry(*port).or_default().push(socket.into());
            }
            // It is no socket of a face.
            SocketName::Predecessor { .. } => {}
        }
    }
}

impl Sockets {
    /// Takes what is given, and binds the rest.
    pub(super) fn open(settings: &Settings, given: Given) -> anyhow::Result<Sockets> {
        let Given { resp, http, dns_udp, dns_tcp, gateway: _ } = given;
        let http = match http.into_iter().next() {
            Some(given) => given,
            None => TcpListener::bind(settings.http)
                .map_err(|error| taken(settings.http, "--http-addr", "Consul or another agent", error))?,
        };
        http.set_nonblocking(true)?;
        let dns = open_dns(settings.dns, dns_udp.into_iter().next(), dns_tcp.into_iter().next())?;
        let resp = if resp.is_empty() {
            let bound = resp::bind(settings.resp, resp_threads());
            bound.map_err(|error| taken(settings.resp, "--resp-addr", "Redis", error))?
        } else {
            resp
        };
        resp.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        Ok(Sockets { resp, http, dns })
    }

    pub(super) fn try_clone(&self) -> io::Result<Sockets> {
        Ok(Sockets {
            resp: self.resp.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?,
            http: self.http.try_clone()?,
            dns: self.dns.try_clone()?,
        })
    }

    /// As somebody who begins anew gets them.
    pub(super) fn into_given(self) -> Given {
        let (udp, tcp) = self.dns.into_sockets();
        Given {
            resp: self.resp,
            http: vec![self.http],
            dns_udp: vec![udp],
            dns_tcp: vec![tcp],
            gateway: adsum_gateway::Sockets::default(),
        }
    }
}

/// Each with its name, to be handed over.
pub(super) fn named(given: Given) -> Vec<(SocketName, OwnedFd)> {
    let all = |name: SocketName, listeners: Vec<TcpListener>| {
        listeners.into_iter().map(move |listener| (name.clone(), OwnedFd::from(listener)))
    };
    let udp = given.dns_udp.into_iter().map(|socket| (SocketName::DnsUdp, OwnedFd::from(socket)));
    let published = given.gateway.published.into_iter();
    all(SocketName::Resp, given.resp)
        .chain(all(SocketName::Http, given.http))
        .chain(udp)
        .chain(all(SocketName::DnsTcp, given.dns_tcp))
        .chain(all(SocketName::Gateway, given.gateway.plain))
        .chain(all(SocketName::GatewayTls, given.gateway.tls))
        .chain(published.flat_map(|(port, of_port)| all(SocketName::Published(port), of_port)))
        .collect()
}

fn open_dns(
    address: SocketAddr,
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
) -> anyhow::Result<dns::Bound> {
    match (udp, tcp) {
        (Some(udp), Some(tcp)) => dns::Bound::of(udp, tcp).context("the sockets that were given for DNS"),
        (None, None) => {
            dns::bind(address).map_err(|error| taken(address, "--dns-addr", "another agent", error.source))
        }
        (Some(_), None) | (None, Some(_)) => {
            bail!("one socket was given for DNS: give both, ListenStream= and ListenDatagram=")
        }
    }
}

/// Threads of the RESP face: they take turns at one lock, so that more of them than this are slower
/// (`docs/decisions/0010-one-resp-thread.md`).
pub(super) fn resp_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 4).max(1)
}

/// `port 6379 is taken (is Redis running?): pass --resp-addr`.
pub(super) fn taken(address: SocketAddr, flag: &str, who: &str, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!("port {} is taken (is {who} running?): pass {flag}", address.port())
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!(
                "port {} needs more rights than this user has: pass {flag} with one above 1023",
                address.port()
            )
        }
        _ => anyhow!(error).context(format!("cannot listen on {address}: pass another {flag}")),
    }
}
