//! Connections to an instance are made here.

use std::io;
use std::time::Instant;

use adsum_model::Upstream as Speech;
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::shared::Shared;
use super::{Line, Socket, Stream, Upstream};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect: {0}")]
    Refused(#[source] io::Error),
    #[error("no connection in time")]
    TimedOut,
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    #[error("HTTP failed from the beginning: {0}")]
    Http(#[source] hyper::Error),
}

/// A new connection, by what the instance chose to speak.
pub(crate) enum Opened {
    Line(Box<Line>),
    Shared(Shared),
}

impl Upstream {
    /// A new connection.
    pub(crate) async fn open(&self, by: Option<Instant>) -> Result<Opened, ConnectError> {
        within(by, self.open_now()).await
    }

    async fn open_now(&self) -> Result<Opened, ConnectError> {
        let (stream, http2) = self.dial().await?;
        self.series.connections.add(1);
        if http2 {
            return Shared::open(stream).await.map(Opened::Shared).map_err(ConnectError::Http);
        }
        Ok(Opened::Line(Box::new(Line::new(Socket::new(stream), self.patience))))
    }

    /// A connection where it turns out only then whether it can be shared. Where it can, those who come while one is
    /// being made wait for it instead of making more, unless they want one of their own.
    pub(crate) async fn connection(&self, reuses: bool, by: Option<Instant>) -> Result<Opened, ConnectError> {
        within(by, async {
            while reuses && self.opening.get() && !self.speaks_lines.get() {
                self.opened.notified().await;
                if let Some(shared) = self.shared() {
                    return Ok(Opened::Shared(shared));
                }
            }
            let _opening = Opening::begin(self);
            let opened = self.open_now().await?;
            match &opened {
                Opened::Shared(shared) => self.shared.borrow_mut().push(shared.clone()),
                Opened::Line(_) => self.speaks_lines.set(true),
            }
            Ok(opened)
        })
        .await
    }

    /// One that has room for a further request.
    pub(crate) fn shared(&self) -> Option<Shared> {
        self.shared.borrow().iter().find(|shared| shared.has_room()).cloned()
    }

    /// The socket alone, and whether HTTP/2 is spoken on it.
    async fn dial(&self) -> Result<(Stream, bool), ConnectError> {
        let tcp = self.dial_tcp().await?;
        match (&self.speech, &self.trust) {
            (Speech::Http, _) => Ok((Stream::Plain(tcp), false)),
            (Speech::H2c, _) => Ok((Stream::Plain(tcp), true)),
            (Speech::Https(_), Some(trust)) => {
                let tls = trust.greet(tcp).await.map_err(ConnectError::Tls)?;
                let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok((Stream::Tls(Box::new(tls)), http2))
            }
            (Speech::Https(_), None) => {
                Err(ConnectError::Tls(io::Error::other("nobody can have the name that is wished")))
            }
        }
    }

    pub(crate) async fn dial_tcp(&self) -> Result<TcpStream, ConnectError> {
        let tcp = TcpStream::connect(self.endpoint).await.map_err(ConnectError::Refused)?;
        tcp.set_nodelay(true).map_err(ConnectError::Refused)?;
        Ok(tcp)
    }
}

async fn within(
    by: Option<Instant>,
    open: impl Future<Output = Result<Opened, ConnectError>>,
) -> Result<Opened, ConnectError> {
    match by {
        Some(by) => timeout_at(by.into(), open).await.unwrap_or(Err(ConnectError::TimedOut)),
        None => open.await,
    }
}

/// A connection is being made; dropped, those who wait look again.
struct Opening<'a>(&'a Upstream);

impl<'a> Opening<'a> {
    fn begin(upstream: &'a Upstream) -> Opening<'a> {
        upstream.opening.set(true);
        Opening(upstream)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.opened.notify_waiters();
    }
}
