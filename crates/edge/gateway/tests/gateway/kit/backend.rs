//! An instance: a listener whose connections are served by a function of the test.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::shared;
use super::wire::{Wire, header};

pub(crate) struct Backend {
    pub(crate) addr: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

/// What has come to it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// One connection to it.
pub(crate) struct Peer {
    pub(crate) wire: Wire,
    seen: Arc<Seen>,
    /// The number of the connection, from 0.
    pub(crate) number: usize,
}

impl Seen {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

impl Backend {
    /// Each connection is served by `serve`.
    pub(crate) async fn new<F, Served>(serve: F) -> Backend
    where
        F: Fn(Peer) -> Served + Send + 'static,
        Served: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let peer = Peer { wire: Wire::over(stream), seen: shared.clone(), number };
                tokio::spawn(serve(peer));
            }
        });
        Backend { addr, seen, task }
    }

    /// Answers every request with `text`, and keeps its connections.
    pub(crate) async fn saying(text: &'static str) -> Backend {
        Backend::new(move |mut peer| async move {
            loop {
                peer.request().await?;
                peer.say(text).await?;
            }
        })
        .await
    }

    /// Reads a request, and answers nothing.
    pub(crate) async fn silent() -> Backend {
        Backend::new(|mut peer| async move {
            peer.request().await?;
            std::future::pending().await
        })
        .await
    }

    /// Answers every request with `done`, and the one that begins with `line` once it is released.
    pub(crate) async fn holding(line: &'static str) -> (Backend, oneshot::Sender<()>) {
        let (release, released) = oneshot::channel();
        let released = shared(released);
        let backend = Backend::new(move |mut peer| {
            let released = released.clone();
            async move {
                loop {
                    let request = peer.request().await?;
                    if request.line().starts_with(line) {
                        let _ = released.take().await.await;
                    }
                    peer.say("done").await?;
                }
            }
        });
        (backend.await, release)
    }

    /// An address that nobody listens on: none that the system gives to anybody.
    pub(crate) fn nobody() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Reads one request to its end.
    pub(crate) async fn request(&mut self) -> io::Result<Request> {
        let head = self.wire.head().await?;
        let body = match (header(&head, "content-length"), header(&head, "transfer-encoding")) {
            (Some(length), None) => self.wire.take(length.parse().unwrap()).await?,
            (None, Some("chunked")) => self.wire.chunks().await?,
            (None, None) => Vec::new(),
            (length, encoding) => panic!("length {length:?} and encoding {encoding:?}"),
        };
        let request = Request { head, body };
        self.seen.requests.lock().push(request.clone());
        Ok(request)
    }

    pub(crate) async fn head(&mut self) -> io::Result<String> {
        let head = self.wire.head().await?;
        self.seen.requests.lock().push(Request { head: head.clone(), body: Vec::new() });
        Ok(head)
    }

    pub(crate) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())).await
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.stream.write_all(bytes.as_ref()).await
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        let stream: TcpStream = self.wire.stream;
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}
