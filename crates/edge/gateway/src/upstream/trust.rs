//! How a worker makes sure that it speaks TLS with the right instance.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adsum_model::{Name, UpstreamTls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where systems keep the authorities that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

#[derive(Clone)]
pub(crate) struct Trust {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Trust {
    /// Reads the authorities. The service's own name is expected in the certificate, if no other is wished.
    pub(crate) fn read(service: &Name, wish: &UpstreamTls) -> io::Result<Trust> {
        let name = wish.server_name.clone().unwrap_or_else(|| service.to_string());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let roots = match &wish.ca {
            Some(path) => read_roots(Path::new(path))?,
            None => system_roots()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Trust { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(crate) async fn greet(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), tcp).await
    }
}

fn system_roots() -> io::Result<RootCertStore> {
    let bundle = BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    let bundle = bundle
        .ok_or_else(|| io::Error::other("the system has no bundle of authorities: name one with `ca`"))?;
    read_roots(&bundle)
}

fn read_roots(path: &Path) -> io::Result<RootCertStore> {
    let context = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| context(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| context(&error))?;
        // Bundles of systems have authorities that this library does not take; the others count.
        if let Err(error) = roots.add(certificate) {
            tracing::debug!(%error, path = %path.display(), "an authority is not understood");
        }
    }
    if roots.is_empty() {
        return Err(context(&"no authority is in it"));
    }
    Ok(roots)
}
