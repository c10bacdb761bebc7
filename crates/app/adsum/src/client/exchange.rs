//! One request on one connection.

use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Address, Call, Error};

/// For a host that neither accepts nor refuses.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends a call and waits for the head of its answer.
pub(super) async fn open(address: &Address, call: &Call) -> Result<Response<Incoming>, Error> {
    let lost = |source| Error::Lost { address: address.clone(), source };
    let stream = connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Ends with the answer's body; what goes wrong on it is told by the body.
    tokio::spawn(connection);
    sender.send_request(request(address, call)).await.map_err(lost)
}

async fn connect(address: &Address) -> Result<TcpStream, Error> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect((address.host.as_str(), address.port)));
    match stream.await.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => Ok(stream),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Error::NoAgent { address: address.clone() })
        }
        Err(source) => Err(Error::Unreachable { address: address.clone(), source }),
    }
}

fn request(address: &Address, call: &Call) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(&call.method).uri(call.path.as_str());
    request = request.header(HOST, address.to_string());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(call.body.clone()));
    request.expect("a read address, an encoded path and our own headers make a request")
}
