//! How a worker makes sure that it speaks TLS with the right instance.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use adsum_model::{Name, UpstreamTls};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
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

/// Whom to trust, and by which name the instance is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    bundle: Arc<Bundle>,
    name: ServerName<'static>,
}

/// The files of authorities that are in use, read once for all workers.
#[derive(Debug, Default)]
pub(crate) struct Authorities(Mutex<HashMap<Option<String>, Arc<Bundle>>>);

/// One file of authorities; the system's own when no path is named.
#[derive(Debug)]
struct Bundle {
    path: Option<PathBuf>,
    /// None when it could not be read yet.
    config: ArcSwapOption<ClientConfig>,
    seen: Mutex<Option<(SystemTime, u64)>>,
}

impl Authorities {
    /// The service's own name is expected in the certificate, if no other is wished.
    pub(crate) fn trust(&self, service: &Name, wish: &UpstreamTls) -> io::Result<Trust> {
        let name = wish.server_name.clone().unwrap_or_else(|| service.to_string());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let mut known = self.0.lock();
        let bundle =
            known.entry(wish.ca.clone()).or_insert_with(|| Arc::new(Bundle::new(wish.ca.as_deref())));
        Ok(Trust { bundle: bundle.clone(), name })
    }

    /// Follows the files for as long as it is polled, looking at them this often. One that cannot be used leaves things
    /// as they are.
    pub(crate) async fn follow(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let mut known = self.0.lock();
            known.retain(|_, bundle| Arc::strong_count(bundle) > 1);
            let bundles: Vec<Arc<Bundle>> = known.values().cloned().collect();
            drop(known);
            bundles.iter().for_each(|bundle| bundle.look());
        }
    }
}

impl Bundle {
    fn new(path: Option<&str>) -> Bundle {
        let bundle =
            Bundle { path: path.map(PathBuf::from), config: ArcSwapOption::empty(), seen: Mutex::default() };
        bundle.read();
        bundle
    }

    fn look(&self) {
        if self.stamp() != *self.seen.lock() {
            self.read();
        }
    }

    fn read(&self) {
        *self.seen.lock() = self.stamp();
        match self.place().and_then(|path| read_config(&path)) {
            Ok(config) => self.config.store(Some(Arc::new(config))),
            Err(error) => tracing::warn!(%error, "the authorities of instances cannot be read"),
        }
    }

    fn place(&self) -> io::Result<PathBuf> {
        self.path.clone().map_or_else(system_bundle, Ok)
    }

    /// What changes when the file does.
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let meta = std::fs::metadata(self.place().ok()?).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }
}

impl Trust {
    pub(crate) async fn greet(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = self.bundle.config.load_full();
        let config = config.ok_or_else(|| io::Error::other("no authorities could be read"))?;
        TlsConnector::from(config).connect(self.name.clone(), tcp).await
    }
}

fn read_config(path: &Path) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(read_roots(path)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn system_bundle() -> io::Result<PathBuf> {
    let bundle = BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    bundle.ok_or_else(|| io::Error::other("the system has no bundle of authorities: name one with `ca`"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str, seconds: u64) {
        std::fs::write(path, text).unwrap();
        let later = SystemTime::now() + Duration::from_secs(seconds);
        std::fs::File::options().append(true).open(path).unwrap().set_modified(later).unwrap();
    }

    fn authority() -> String {
        rcgen::generate_simple_self_signed(["web".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn file_that_comes_or_changes_is_read_and_a_damaged_one_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let bundle = Bundle::new(path.to_str());
        assert!(bundle.config.load_full().is_none());
        write(&path, &authority(), 10);
        bundle.look();
        let first = bundle.config.load_full().unwrap();
        bundle.look();
        assert!(Arc::ptr_eq(&first, &bundle.config.load_full().unwrap()), "it has not changed");
        write(&path, "half of a certi", 20);
        bundle.look();
        assert!(Arc::ptr_eq(&first, &bundle.config.load_full().unwrap()));
        write(&path, &authority(), 30);
        bundle.look();
        assert!(!Arc::ptr_eq(&first, &bundle.config.load_full().unwrap()));
    }

    #[tokio::test]
    async fn files_are_read_once_for_all_and_followed_as_long_as_somebody_uses_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let wish = UpstreamTls { ca: path.to_str().map(str::to_owned), server_name: None };
        let authorities = Authorities::default();
        let trust = |name: &str| authorities.trust(&name.parse().unwrap(), &wish).unwrap();
        let (one, other) = (trust("one"), trust("other"));
        assert!(Arc::ptr_eq(&one.bundle, &other.bundle));
        write(&path, &authority(), 10);
        let read = async {
            while one.bundle.config.load_full().is_none() {
                tokio::task::yield_now().await;
            }
            drop((one, other));
            while !authorities.0.lock().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = authorities.follow(Duration::from_millis(1)) => {}
            read = tokio::time::timeout(Duration::from_secs(20), read) => read.unwrap(),
        }
    }
}
