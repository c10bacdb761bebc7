//! How each gateway is configured: two threads or workers, connections to the backend kept and used by all requests,
//! no access log or one in a file. Nothing else is tuned.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use crate::gateway::backend;
use crate::server::Server;
use crate::spawned::{Spawned, answers, free_address};

/// What a configuration depends on.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) http1: SocketAddr,
    pub(super) h2c: SocketAddr,
    pub(super) backend: SocketAddr,
    pub(super) logs: bool,
}

impl Place {
    fn write(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn log(&self) -> String {
        self.folder.join("access.log").to_string_lossy().into_owned()
    }
}

pub(super) fn haproxy(place: &Place) -> anyhow::Result<Command> {
    let Place { http1, h2c, backend, .. } = place;
    // Its standard output is a file.
    let log = if place.logs { "log stdout format raw local0" } else { "" };
    let option = if place.logs { "log global\n  option httplog" } else { "" };
    let text = format!(
        "\
global
  nbthread 2
  maxconn 8000
  {log}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  {option}
frontend in
  bind {http1}
  bind {h2c} proto h2
  default_backend out
backend out
  server one {backend}
"
    );
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f", &place.write("haproxy.cfg", &text)?]);
    Ok(command)
}

pub(super) fn nginx(place: &Place) -> anyhow::Result<Command> {
    let Place { http1, h2c, backend, .. } = place;
    let folder = place.folder.display();
    let log = if place.logs { format!("{} combined", place.log()) } else { "off".to_string() };
    let text = format!(
        r#"user root;
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log {log};
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream out {{ server {backend}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen {http1} reuseport backlog=4096;
    listen {h2c} http2 reuseport backlog=4096;
    location / {{ proxy_pass http://out; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"#
    );
    let mut command = Command::new("nginx");
    command.args(["-c", &place.write("nginx.conf", &text)?]);
    Ok(command)
}

pub(super) fn traefik(place: &Place) -> anyhow::Result<Command> {
    let Place { http1, backend, .. } = place;
    let text = format!(
        "\
http:
  routers: {{ in: {{ rule: 'PathPrefix(`/`)', service: out, entryPoints: [in] }} }}
  services: {{ out: {{ loadBalancer: {{ servers: [{{ url: 'http://{backend}' }}] }} }} }}
"
    );
    let routes = place.write("routes.yml", &text)?;
    let mut command = Command::new("traefik");
    command
        .arg(format!("--entrypoints.in.address={http1}"))
        .arg(format!("--providers.file.filename={routes}"));
    command.args([
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=ERROR",
    ]);
    command.arg("--serverstransport.maxidleconnsperhost=512").env("GOMAXPROCS", "2");
    if place.logs {
        command.args(["--accesslog=true", &format!("--accesslog.filepath={}", place.log())]);
    }
    Ok(command)
}

pub(super) fn caddy(place: &Place) -> anyhow::Result<Command> {
    let Place { http1, backend, .. } = place;
    let log = if place.logs { format!("log {{\n output file {}\n }}", place.log()) } else { String::new() };
    let text = format!(
        "\
{{
  admin off
  auto_https off
  persist_config off
  log {{
    level ERROR
  }}
  servers {{
    protocols h1 h2c
  }}
}}
http://{http1} {{
  {log}
  reverse_proxy {backend} {{
    transport http {{
      keepalive_idle_conns_per_host 512
    }}
  }}
}}
"
    );
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", &place.write("Caddyfile", &text)?]);
    command.env("GOMAXPROCS", "2").env("HOME", &place.folder).env("XDG_DATA_HOME", &place.folder);
    Ok(command)
}

/// An agent that has started the backend as its instance.
pub(super) fn adsum(place: &Place, folder: TempDir) -> anyhow::Result<Spawned> {
    let program = Server::agent_program()?;
    let [resp, http, dns] = [free_address()?, free_address()?, free_address()?];
    let mut command = Command::new(&program);
    command.args(["agent", "--resp-addr", &resp.to_string(), "--http-addr", &http.to_string()]);
    command.args(["--dns-addr", &dns.to_string(), "--gateway-addr", &place.http1.to_string()]);
    command.args(["--port-range", "21400-21799"]);
    command.args(["--access-log", if place.logs { "combined" } else { "off" }]);
    command.arg("--data-dir").arg(folder.path().join("data"));
    let template = place.write("backend.conf", &backend::configured(&place.folder, "@PORT@", None)?)?;
    let mut spawned = Spawned::begin(command, folder)?;
    spawned.wait(|| answers(http, "/v1/status/leader"))?;
    let start = format!("sed s/@PORT@/$PORT/ {template} > own.conf; exec nginx -c $PWD/own.conf");
    let mut create = Command::new(&program);
    create.args([
        "service",
        "create",
        "--name",
        "bench",
        "--route",
        "PathPrefix(/)",
        "--health-http",
        "/small",
    ]);
    create.args(["--", "/bin/sh", "-c", &start]).env("ADSUM_HTTP_ADDR", http.to_string());
    let output = create.current_dir(spawned.path()).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let address = place.http1;
    spawned.wait(|| answers(address, "/small"))?;
    Ok(spawned)
}
