//! The face's sockets: connections in, within their bounds, until the face closes.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::closing::Closing;
use crate::limits;
use crate::patient::Patient;

/// Serves the router until `shutdown` is done. Then no connection is taken any more, blocking queries are answered,
/// streams end, and what is in flight has [`limits::GRACE`].
///
/// # Errors
/// When the listener cannot go on. That the process has no descriptor left for a connection is waited out.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let bounds = Bounds {
        connections: limits::CONNECTIONS,
        header_time: limits::HEADER_TIME,
        patience: limits::PATIENCE,
    };
    serve_within(bounds, listener, router, shutdown).await
}

#[derive(Clone, Copy)]
struct Bounds {
    connections: usize,
    header_time: Duration,
    patience: Duration,
}

async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (close, closing) = watch::channel(false);
    let face = Face {
        service: TowerToHyperService::new(router.layer(Extension(Closing::of(closing)))),
        http: http(bounds.header_time),
        graceful: GracefulShutdown::new(),
        room: Arc::new(Semaphore::new(bounds.connections)),
        bounds,
    };
    let mut shutdown = pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            accepted = accept(&listener) => match accepted {
                Ok(stream) => face.take(stream),
                Err(error) => break Err(error),
            },
            () = &mut shutdown => break Ok(()),
        }
    };
    drop(listener);
    close.send_replace(true);
    // Whoever is not done by then is cut off when the runtime ends.
    let _ = tokio::time::timeout(limits::GRACE, face.graceful.shutdown()).await;
    outcome
}

struct Face {
    service: TowerToHyperService<Router>,
    http: http1::Builder,
    graceful: GracefulShutdown,
    room: Arc<Semaphore>,
    bounds: Bounds,
}

impl Face {
    fn take(&self, stream: TcpStream) {
        let Ok(place) = self.room.clone().try_acquire_owned() else {
            tokio::spawn(turn_away(stream, self.bounds.connections));
            return;
        };
        // Answers are written whole: waiting for more of them gains nothing.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Patient::new(stream, self.bounds.patience));
        let connection = self.http.serve_connection(stream, self.service.clone());
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            // How a client leaves is its own affair.
            let _ = connection.await;
            drop(place);
        });
    }
}

fn http(header_time: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .max_header_size(limits::HEADER)
        .max_buf_size(2 * limits::HEADER)
        .half_close(false)
        .keep_alive(true);
    http
}

/// The next connection. Those that end before they are taken are skipped.
async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    /// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: none to be had at the moment.
    const SHORTAGE: [i32; 4] = [24, 23, 105, 12];
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.raw_os_error().is_some_and(|code| SHORTAGE.contains(&code)) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

/// Tells a client that there are too many.
async fn turn_away(mut stream: TcpStream, connections: usize) -> Result<(), Infallible> {
    let text = format!("there are {connections} connections already: close some and try again\n");
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\nRetry-After: 1\r\n\r\n{text}",
        text.len()
    );
    let writing = tokio::time::timeout(Duration::from_secs(1), stream.write_all(answer.as_bytes()));
    // It is turned away, whether it hears it or not.
    let _ = writing.await;
    Ok(())
}

#[cfg(test)]
mod tests;
