//! A way to the other side: a connection, with TLS where that is wanted.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use adsum_model::registered::Tls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where systems keep the authorities that they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

pub(crate) type Stream = Box<dyn Duplex>;

/// `address` is `host:port`; `protocol` is what is spoken over TLS, for ALPN.
pub(crate) async fn connect(address: &str, tls: &Tls, protocol: &[u8]) -> io::Result<Stream> {
    let stream = TcpStream::connect(address).await?;
    if !tls.wanted {
        return Ok(Box::new(stream));
    }
    let host = if tls.server_name.is_empty() { host_of(address) } else { &tls.server_name };
    let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
    let config = Arc::new(config(tls.skip_verify, protocol)?);
    Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
}

/// `[::1]:443` is `::1`.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn config(skip_verify: bool, protocol: &[u8]) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = if skip_verify {
        let anybody = Arc::new(Anybody(provider));
        builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth()
    } else {
        builder.with_root_certificates(authorities()?).with_no_client_auth()
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// Those of the system, read once.
fn authorities() -> io::Result<Arc<RootCertStore>> {
    static READ: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = READ.get() {
        return Ok(roots.clone());
    }
    let bundle = BUNDLES.iter().map(Path::new).find(|path| path.exists());
    let bundle = bundle.ok_or_else(|| io::Error::other("the system has no bundle of authorities"))?;
    let certificates = CertificateDer::pem_file_iter(bundle).map_err(io::Error::other)?;
    let mut roots = RootCertStore::empty();
    // Bundles have authorities that this library does not take; the others count.
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    Ok(READ.get_or_init(|| Arc::new(roots)).clone())
}

/// Takes any certificate for anybody's: the check was registered with `TLSSkipVerify`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
