//! TLS and HTTP/2, on the client's side and on the instance's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use adsum_model::{Health, Policy, Upstream, UpstreamTls};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::kit::{Backend, House, Wire};

/// A certificate of its own authority, in files.
pub(crate) struct Identity {
    folder: tempfile::TempDir,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(crate) fn new(name: &str) -> Identity {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        Identity { folder, certificate: made.cert.der().clone(), key }
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    async fn connect(&self, house: &House, protocols: &[&str]) -> tokio_rustls::client::TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(house.gateway.addresses().tls.unwrap()).await.unwrap();
        let name = ServerName::try_from("web.test").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn house_with(identity: &Identity) -> House {
    House::with(|settings| {
        settings.tls = Some(adsum_gateway::TlsSettings {
            addr: "127.0.0.1:0".parse().unwrap(),
            cert: identity.cert(),
            key: identity.key(),
        });
    })
}

/// An HTTP/2 client over any stream.
pub(crate) async fn http2<S>(stream: S) -> hyper::client::conn::http2::SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn ask(path: &str, body: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://web.test{path}");
    Request::post(uri).body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

type Reply = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, std::io::Error>>>>;

/// Tells of what it got, in the body and in a trailer.
async fn grpc_like(request: Request<Incoming>) -> Result<Response<Reply>, std::io::Error> {
    let line = format!(
        "{:?} {} {}",
        request.version(),
        request.uri(),
        request.headers()["x-forwarded-proto"].to_str().unwrap()
    );
    let te = request.headers().get("te").cloned();
    let body = request.into_body().collect().await.unwrap();
    let sum = body.trailers().map_or(0, HeaderMap::len);
    let bytes = body.to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("x-got", format!("{}+{sum}", bytes.len()).parse().unwrap());
    let frames =
        vec![Ok(Frame::data(Bytes::from(line))), Ok(Frame::data(bytes)), Ok(Frame::trailers(trailers))];
    let reply = Response::builder()
        .header("content-type", "application/grpc")
        .header("x-te", te.unwrap_or("none".parse().unwrap()));
    Ok(reply.body(StreamBody::new(futures_util::stream::iter(frames))).unwrap())
}

/// An instance that speaks HTTP/2.
async fn instance(tls: Option<TlsAcceptor>) -> (std::net::SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let count = Arc::<std::sync::atomic::AtomicUsize>::default();
    let shared = count.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            shared.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let tls = tls.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(grpc_like);
                let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                match tls {
                    Some(tls) => {
                        http2.serve_connection(TokioIo::new(tls.accept(tcp).await.unwrap()), service).await
                    }
                    None => http2.serve_connection(TokioIo::new(tcp), service).await,
                }
            });
        }
    });
    (addr, count)
}

pub(crate) fn speaking(upstream: Upstream) -> Policy {
    Policy { upstream, ..Policy::default() }
}

#[tokio::test]
async fn http1_over_tls_tells_the_instance_of_https() {
    let identity = Identity::new("web.test");
    let backend = Backend::saying("hello").await;
    let mut house = house_with(&identity);
    house.serve("web", Policy::default(), &[&backend]);
    for protocols in [&["http/1.1"][..], &[]] {
        let mut wire = Wire::over(identity.connect(&house, protocols).await);
        assert_eq!(wire.get("/").await.text(), "hello");
        assert_eq!(wire.get("/").await.text(), "hello");
    }
    assert_eq!(backend.seen.requests()[0].header("x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn http2_over_tls_and_by_prior_knowledge_reaches_an_instance_that_speaks_http1() {
    let identity = Identity::new("web.test");
    let backend = Backend::new(|mut peer| async move {
        loop {
            let request = peer.request().await?;
            peer.say(&format!("{} {}", request.line(), request.body.len())).await?;
        }
    })
    .await;
    let mut house = house_with(&identity);
    house.serve("web", Policy::default(), &[&backend]);
    let mut tls = http2(identity.connect(&house, &["h2", "http/1.1"]).await).await;
    let mut plain = http2(TcpStream::connect(house.addr()).await.unwrap()).await;
    for sender in [&mut tls, &mut plain] {
        let asked: Vec<_> = (0..20).map(|n| sender.send_request(ask(&format!("/{n}?q"), "body"))).collect();
        for (n, answer) in asked.into_iter().enumerate() {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(text(answer).await, format!("POST /{n}?q HTTP/1.1 4"));
        }
    }
    let request = &backend.seen.requests()[0];
    assert_eq!((request.header("host"), request.header("via")), (Some("web.test"), Some("2.0 adsum")));
    assert_eq!(house.metric("adsum_gateway_connections_accepted_total", ""), 2.0);
}

#[tokio::test]
async fn http2_instance_gets_streams_of_one_connection_and_trailers_pass_both_ways() {
    let (addr, connections) = instance(None).await;
    let mut house = House::new();
    house.put("web", speaking(Upstream::H2c), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, addr, Health::Passing);
    house.apply();
    let mut sender = http2(TcpStream::connect(house.addr()).await.unwrap()).await;
    let asked: Vec<_> = (0..50)
        .map(|n| {
            let mut request = ask(&format!("/{n}"), &"x".repeat(n * 1000));
            request.headers_mut().insert("te", "trailers".parse().unwrap());
            sender.send_request(request)
        })
        .collect();
    for (n, answer) in asked.into_iter().enumerate() {
        let answer = answer.await.unwrap();
        assert_eq!(answer.headers()["x-te"], "trailers");
        let body = answer.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap().clone();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["x-got"]),
            (&"0".parse().unwrap(), &format!("{}+0", n * 1000).parse().unwrap())
        );
        let line = format!("HTTP/2.0 http://web.test/{n} http");
        assert!(body.to_bytes().starts_with(line.as_bytes()));
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    // A client of HTTP/1.1 reaches it as well.
    let mut wire = house.connect().await;
    let answer = wire.get("/plain").await;
    assert!(answer.text().starts_with("HTTP/2.0 http://web.test/plain http"), "{}", answer.text());
}

#[tokio::test]
async fn instance_with_tls_is_believed_by_its_authority_alone() {
    let identity = Identity::new("web");
    let other = Identity::new("web");
    let (addr, _) = instance(Some(identity.acceptor(&["h2"]))).await;
    let wish = |path: &Path| {
        speaking(Upstream::Https(UpstreamTls {
            ca: Some(path.to_str().unwrap().to_owned()),
            server_name: None,
        }))
    };
    let mut house = House::new();
    house.put("web", wish(&identity.cert()), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    assert!(wire.get("/x").await.text().starts_with("HTTP/2.0 https://web.test/x http"));
    house.put("web", wish(&other.cert()), &["PathPrefix(/)"], &[]);
    house.apply();
    let answer = wire.get("/x").await;
    assert_eq!((answer.status, answer.header("x-gateway-error")), (502, Some("connect-failed")));
}

#[tokio::test]
async fn instance_with_tls_may_choose_http1() {
    let identity = Identity::new("inner.test");
    let acceptor = identity.acceptor(&["http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut wire = Wire::over(acceptor.accept(tcp).await.unwrap());
                while wire.head().await.is_ok() {
                    wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ninner").await;
                }
            });
        }
    });
    let tls = UpstreamTls {
        ca: Some(identity.cert().to_str().unwrap().to_owned()),
        server_name: Some("inner.test".to_owned()),
    };
    let mut house = House::new();
    house.put("web", speaking(Upstream::Https(tls)), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    for _ in 0..5 {
        assert_eq!(wire.get("/").await.text(), "inner");
    }
    house.metric_becomes("adsum_gateway_instance_connections_total", "", 1.0).await;
}

#[test]
fn certificate_that_cannot_be_used_is_named() {
    let identity = Identity::new("web.test");
    std::fs::write(identity.cert(), "no certificate").unwrap();
    let mut settings = adsum_gateway::Settings::new("127.0.0.1:0".parse().unwrap());
    settings.tls = Some(adsum_gateway::TlsSettings {
        addr: "127.0.0.1:0".parse().unwrap(),
        cert: identity.cert(),
        key: identity.key(),
    });
    let error = adsum_gateway::Gateway::start(settings, Arc::<crate::kit::Recorder>::default()).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("cert.pem"), "{error}: {why}");
}

/// Reads frames of HTTP/2 by hand, up to the first HEADERS of a stream.
async fn until_headers<S>(wire: &mut Wire<S>) -> u32
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let head = wire.take(9).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        wire.take(length).await.unwrap();
        if head[3] == 1 {
            return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        }
    }
}

pub(crate) fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn post_that_an_http2_instance_has_refused_or_left_behind_goes_to_another_one() {
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    let refusing: [fn(u32) -> Vec<u8>; 2] =
        [|stream| h2_frame(RST_STREAM, 0, stream, &7u32.to_be_bytes()), |_| h2_frame(GOAWAY, 0, 0, &[0; 8])];
    for refuse in refusing {
        let bad = Backend::new(move |mut peer| async move {
            peer.wire.take(24).await?;
            peer.write(h2_frame(4, 0, 0, &[])).await?;
            loop {
                let stream = until_headers(&mut peer.wire).await;
                peer.write(refuse(stream)).await?;
            }
        })
        .await;
        let (good, _) = instance(None).await;
        let mut house = House::new();
        house.put("web", speaking(Upstream::H2c), &["PathPrefix(/)"], &[]);
        house.instance("web", 1, bad.addr, Health::Passing);
        house.instance("web", 2, good, Health::Passing);
        house.apply();
        let mut wire = house.connect().await;
        let mut tries = 0;
        for _ in 0..20 {
            let answer = wire.ask("POST", "/", "once").await;
            assert_eq!(answer.status, 200, "{}", answer.head);
            tries += answer.header("x-attempts").unwrap().parse::<u32>().unwrap();
        }
        assert!(tries > 20, "the fault fired");
    }
}

#[tokio::test]
async fn http2_clients_are_told_to_go_and_their_streams_end_when_the_gateway_stops() {
    let backend = Backend::new(|mut peer| async move {
        peer.request().await?;
        // Until the gateway is stopping: its own connection is not touched before its answer.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        peer.say("late").await
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut sender = http2(TcpStream::connect(house.addr()).await.unwrap()).await;
    let asked = sender.send_request(ask("/", ""));
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    let gateway = house.gateway;
    let stopping = tokio::task::spawn_blocking(move || gateway.stop(std::time::Duration::from_secs(20)));
    assert_eq!(text(asked.await.unwrap()).await, "late");
    stopping.await.unwrap();
    assert!(sender.send_request(ask("/", "")).await.is_err());
}
