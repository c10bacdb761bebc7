//! Checks that clients have registered, against real sockets: HTTP with and without TLS, TCP, UDP, gRPC, a ping of HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adsum_model::registered::{Definition, Http, Kind, Tls};
use adsum_probe::{Outcome, Status, look};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::LOCATION;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

const LONG: Duration = Duration::from_secs(20);

async fn outcome(kind: Kind) -> Outcome {
    look(&Definition { kind, timeout: LONG, ..Definition::default() }).await.expect("it is made by looking")
}

fn http(url: String) -> Http {
    let wanted = url.starts_with("https");
    let tls = Tls { wanted, ..Tls::default() };
    Http { url, method: "GET".into(), tls, follow_redirects: true, ..Http::default() }
}

/// Tells what it was asked; `/to/...` redirects to what follows, `/loop` to itself.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let location = path.strip_prefix("/to/").map(|to| to.replace('|', "/"));
    if let Some(location) = location.or_else(|| (path == "/loop").then(|| path.to_string())) {
        let redirect = Response::builder().status(302).header(LOCATION, location);
        return Ok(redirect.body(Full::default()).unwrap());
    }
    let header = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_string();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let (host, x) = (header("host"), header("x"));
    let user = header("authorization");
    let user = if user.is_empty() { user } else { format!(" user={user}") };
    let told = format!("{} {path} host={host} x={x} body={body}{user}", head.method);
    Ok(Response::new(Full::from(told)))
}

async fn web() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    address
}

/// Speaks TLS with a certificate that nobody has signed.
async fn secure_web() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust us goes away in the middle of it.
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    address
}

#[tokio::test]
async fn an_http_check_sends_what_was_registered() {
    let address = web().await;
    let headers = [("X".to_string(), vec!["y".to_string()]), ("Host".to_string(), vec!["shop".to_string()])];
    let check = Http {
        method: "POST".into(),
        headers: headers.into(),
        body: "ping".into(),
        ..http(format!("http://{address}/health?deep=1"))
    };
    let found = outcome(Kind::Http(check)).await;
    let expect = format!(
        "HTTP POST http://{address}/health?deep=1: 200 OK Output: POST /health host=shop x=y body=ping"
    );
    assert_eq!((found.status, found.output), (Status::Passing, expect));
}

#[tokio::test]
async fn a_user_in_the_url_goes_into_a_header_unless_that_was_registered() {
    let address = web().await;
    let check = http(format!("http://ada:secret@{address}/"));
    let found = outcome(Kind::Http(check.clone())).await;
    let expect = format!("GET / host={address} x= body= user=Basic YWRhOnNlY3JldA==");
    assert!(found.output.ends_with(&expect), "{}", found.output);
    let headers = [("Authorization".to_string(), vec!["Bearer x".to_string()])];
    let found = outcome(Kind::Http(Http { headers: headers.into(), ..check })).await;
    assert!(found.output.ends_with("body= user=Bearer x"), "{}", found.output);
}

#[tokio::test]
async fn a_redirect_is_followed_to_the_same_host_alone() {
    let address = web().await;
    let other = web().await;
    let status = async |http: Http| outcome(Kind::Http(http)).await.status;
    let here = http(format!("http://{address}/to/|health"));
    assert_eq!(status(here.clone()).await, Status::Passing);
    assert_eq!(status(Http { follow_redirects: false, ..here }).await, Status::Critical);
    assert_eq!(status(http(format!("http://{address}/to/http:||{address}|health"))).await, Status::Passing);
    assert_eq!(status(http(format!("http://{address}/to/http:||{other}|health"))).await, Status::Critical);
    assert_eq!(status(http(format!("http://{address}/to/||{other}|health"))).await, Status::Critical);
    let endless = outcome(Kind::Http(http(format!("http://{address}/loop")))).await;
    assert_eq!(endless.status, Status::Critical);
    assert!(endless.output.ends_with("stopped after 10 redirects"), "{}", endless.output);
}

#[tokio::test]
async fn a_certificate_that_nobody_has_signed_is_taken_only_where_that_was_registered() {
    let port = secure_web().await.port();
    let check = http(format!("https://localhost:{port}/"));
    let strict = outcome(Kind::Http(check.clone())).await;
    assert_eq!(strict.status, Status::Critical, "{}", strict.output);
    let tls = Tls { skip_verify: true, ..check.tls.clone() };
    let lenient = outcome(Kind::Http(Http { tls: tls.clone(), ..check })).await;
    assert_eq!(lenient.status, Status::Passing, "{}", lenient.output);
    let loud =
        Http { tls: Tls { wanted: false, ..tls.clone() }, ..http(format!("HTTPS://localhost:{port}/")) };
    let loud = outcome(Kind::Http(loud)).await;
    assert_eq!(loud.status, Status::Passing, "{}", loud.output);
    let address = format!("localhost:{port}");
    let tcp = outcome(Kind::Tcp { address: address.clone(), tls }).await;
    assert_eq!(tcp.output, format!("TCP connect {address}: Success"));
}

#[tokio::test]
async fn a_tcp_check_passes_while_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tcp = || outcome(Kind::Tcp { address: address.clone(), tls: Tls::default() });
    assert_eq!(tcp().await.status, Status::Passing);
    drop(listener);
    assert_eq!(tcp().await.status, Status::Critical);
}

#[tokio::test]
async fn a_udp_check_passes_unless_the_datagram_is_rejected() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    assert_eq!(outcome(Kind::Udp { address: address.clone() }).await.status, Status::Passing);
    drop(socket);
    assert_eq!(outcome(Kind::Udp { address }).await.status, Status::Critical);
}

#[test]
fn a_udp_check_whose_host_is_not_found_in_time_is_critical() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let runtime = runtime.unwrap();
    // Names are looked up where this waits.
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || held.recv());
    let timeout = Duration::from_millis(10);
    let kind = || Kind::Udp { address: "localhost:9".into() };
    let late =
        runtime.block_on(look(&Definition { kind: kind(), timeout, ..Definition::default() })).unwrap();
    assert_eq!(late.output, "UDP connect localhost:9: no answer within 10ms");
    assert_eq!(late.status, Status::Critical);
    drop(release);
    let found = runtime.block_on(outcome(kind()));
    assert!(!found.output.contains("no answer"), "the control: {}", found.output);
}

/// A health service of gRPC: it serves as a whole, `db` does not, and others it does not know.
async fn serve_health(request: Request<Incoming>) -> Result<Response<Health>, Infallible> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    let question = request.into_body().collect().await.unwrap().to_bytes();
    let (answer, code): (&[u8], &str) = match &question[5..] {
        [] => (&[0, 0, 0, 0, 2, 0x08, 1], "0"),
        [0x0a, 2, b'd', b'b'] => (&[0, 0, 0, 0, 2, 0x08, 2], "0"),
        _ => (&[], "5"),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers.insert("grpc-message", "unknown service".parse().unwrap());
    let frames = [Ok(Frame::data(Bytes::copy_from_slice(answer))), Ok(Frame::trailers(trailers))];
    Ok(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
}

type Health =
    StreamBody<futures_util::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

async fn grpc_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(serve_health)));
        }
    });
    address
}

#[tokio::test]
async fn a_grpc_check_passes_when_the_service_serves() {
    let address = grpc_server().await;
    let check = async |service: &str| {
        let kind = Kind::Grpc { address: address.clone(), service: service.into(), tls: Tls::default() };
        let found = outcome(kind).await;
        (found.status, found.output)
    };
    assert_eq!(check("").await, (Status::Passing, format!("gRPC check {address}: success")));
    assert_eq!(check("db").await, (Status::Critical, format!("gRPC check {address}/db: serving status 2")));
    let unknown = format!("gRPC check {address}/other: code 5: unknown service");
    assert_eq!(check("other").await, (Status::Critical, unknown));
}

#[tokio::test]
async fn a_ping_is_answered_by_who_speaks_http_2() {
    let ping = async |address: String| outcome(Kind::H2Ping { address, tls: Tls::default() }).await;
    let found = ping(grpc_server().await).await;
    assert_eq!((found.status, found.output.as_str()), (Status::Passing, "HTTP2 ping was successful"));
    let refused = ping(web().await.to_string()).await;
    assert_eq!(refused.status, Status::Critical, "{}", refused.output);
}

#[tokio::test]
async fn a_script_says_by_its_exit_code_how_it_is_and_who_is_not_looked_at_says_nothing() {
    let arguments = ["sh", "-c", "echo low; exit 1"].map(String::from).to_vec();
    let found = outcome(Kind::Script { arguments }).await;
    assert_eq!((found.status, found.output.as_str()), (Status::Warning, "low\n"));
    assert!(look(&Definition { kind: Kind::Ttl(LONG), ..Definition::default() }).await.is_none());
}
