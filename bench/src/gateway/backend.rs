//! What all gateways stand in front of: an nginx that answers 64 bytes from memory, or a file of 100 KB.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::peer::Spawned;

/// Of the peers; ours starts one of the same configuration as an instance.
pub(super) struct Backend {
    spawned: Spawned,
    address: SocketAddr,
    h2c: SocketAddr,
}

impl Backend {
    pub(super) fn start() -> anyhow::Result<Backend> {
        let (address, h2c) = (super::peer::free_address()?, super::peer::free_address()?);
        let folder = super::peer::folder()?;
        let configuration = folder.path().join("nginx.conf");
        std::fs::write(&configuration, configured(folder.path(), &address.port().to_string(), Some(h2c))?)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&configuration);
        let spawned = Spawned::start(command, folder, address)?;
        Ok(Backend { spawned, address, h2c })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it speaks HTTP/2, for those who ask it without a gateway.
    pub(super) fn h2c(&self) -> SocketAddr {
        self.h2c
    }

    pub(super) fn spawned(&self) -> &Spawned {
        &self.spawned
    }
}

/// The configuration, with the large file beside it.
pub(super) fn configured(folder: &Path, port: &str, h2c: Option<SocketAddr>) -> anyhow::Result<String> {
    let h2c = h2c.map(|h2c| format!("listen {h2c} http2 reuseport backlog=4096;")).unwrap_or_default();
    std::fs::write(folder.join("large"), vec![b'x'; 100_000])?;
    let folder = folder.display();
    Ok(format!(
        r#"user root;
worker_processes 2;
daemon off;
pid {folder}/nginx-{port}.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    {h2c}
    root {folder};
    location = /small {{ default_type text/plain; return 200 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"; }}
    location = /large {{ open_file_cache max=10; }}
  }}
}}
"#
    ))
}
