//! The gateway's own certificate, read again when its files change.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::settings::TlsSettings;

/// How often the files are looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// Shared by all workers.
#[derive(Clone)]
pub(crate) struct Certificate(Arc<ArcSwap<ServerConfig>>);

impl Certificate {
    pub(crate) fn read(settings: &TlsSettings) -> io::Result<Certificate> {
        Ok(Certificate(Arc::new(ArcSwap::from_pointee(read(settings)?))))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }

    /// Follows the files for as long as it is polled, looking at them this often. Files that cannot be used leave the certificate as it is.
    pub(crate) async fn follow(self, settings: TlsSettings, every: Duration) {
        let mut seen = stamp(&settings);
        loop {
            tokio::time::sleep(every).await;
            let now = stamp(&settings);
            if now != seen {
                seen = now;
                self.reload(&settings);
            }
        }
    }

    fn reload(&self, settings: &TlsSettings) {
        match read(settings) {
            Ok(config) => {
                self.0.store(Arc::new(config));
                tracing::info!(cert = %settings.cert.display(), "the gateway has a new certificate");
            }
            Err(error) => {
                tracing::warn!(%error, "the gateway keeps its certificate: the new one cannot be used")
            }
        }
    }
}

fn read(settings: &TlsSettings) -> io::Result<ServerConfig> {
    let named =
        |path: &Path, error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let chain = CertificateDer::pem_file_iter(&settings.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(&settings.cert, &error))?;
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| named(&settings.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| named(&settings.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What changes when the files do.
fn stamp(settings: &TlsSettings) -> [Option<(SystemTime, u64)>; 2] {
    [&settings.cert, &settings.key].map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(settings: &TlsSettings) {
        let made = rcgen::generate_simple_self_signed(["web.test".to_owned()]).unwrap();
        fs::write(&settings.cert, made.cert.pem()).unwrap();
        fs::write(&settings.key, made.signing_key.serialize_pem()).unwrap();
    }

    fn written_to(folder: &Path) -> TlsSettings {
        let addr = "127.0.0.1:0".parse().unwrap();
        let settings = TlsSettings { addr, cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        write(&settings);
        settings
    }

    #[test]
    fn new_files_make_a_new_certificate_and_damaged_ones_leave_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let settings = written_to(folder.path());
        let certificate = Certificate::read(&settings).unwrap();
        let first = certificate.0.load_full();
        fs::write(&settings.cert, "half of a certi").unwrap();
        certificate.reload(&settings);
        assert!(Arc::ptr_eq(&first, &certificate.0.load_full()));
        write(&settings);
        certificate.reload(&settings);
        assert!(!Arc::ptr_eq(&first, &certificate.0.load_full()));
    }

    #[tokio::test]
    async fn files_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let settings = written_to(folder.path());
        let certificate = Certificate::read(&settings).unwrap();
        let first = certificate.0.load_full();
        let following = tokio::spawn(certificate.clone().follow(settings.clone(), Duration::from_millis(5)));
        // Its first look at them comes before they change.
        tokio::task::yield_now().await;
        write(&settings);
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::File::options().append(true).open(&settings.cert).unwrap().set_modified(later).unwrap();
        let changed = async {
            while Arc::ptr_eq(&first, &certificate.0.load_full()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();
        following.abort();
    }
}
