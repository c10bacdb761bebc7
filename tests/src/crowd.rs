//! Many who stay connected for long: WebSockets that talk, and readers of server-sent events. What a test asks is how
//! their connections ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A WebSocket by a Close frame with this code.
    Closed(u16),
    /// A body as it should end, behind a whole event.
    Finished,
    /// A body as it should end, but within an event.
    Torn,
    /// Anything else, with what was seen of it.
    Cut(String),
    /// It never began.
    Refused(String),
}

/// Connections that are held by a thread of their own until they end, or the crowd is dropped.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: usize,
    heard: usize,
    ends: Vec<End>,
}

impl Crowd {
    /// WebSockets on `/ws`, each of which sends a message and waits for its echo, again and again.
    pub fn websockets(target: SocketAddr, host: &str, count: usize, pause: Duration) -> Crowd {
        let host = host.to_string();
        Crowd::of(count, move |shared| talk(shared, target, host.clone(), pause))
    }

    /// Readers of `/events/100`.
    pub fn events(target: SocketAddr, host: &str, count: usize) -> Crowd {
        let host = host.to_string();
        Crowd::of(count, move |shared| read(shared, target, host.clone()))
    }

    fn of<F>(count: usize, member: impl Fn(Arc<Shared>) -> F) -> Crowd
    where
        F: Future<Output = Result<End, Error>> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a thread can be started");
        for _ in 0..count {
            let (member, shared) = (member(Arc::clone(&shared)), Arc::clone(&shared));
            runtime.spawn(async move {
                let end = member.await.unwrap_or_else(|error| error.0);
                shared.with(|state| state.ends.push(end));
            });
        }
        Crowd { shared, _runtime: runtime }
    }

    /// How many have been opened and have not ended.
    pub fn open(&self) -> usize {
        self.shared.with(|state| state.open.saturating_sub(state.ends.len()))
    }

    /// How many echoes or events have come to all of them together.
    pub fn heard(&self) -> usize {
        self.shared.with(|state| state.heard)
    }

    /// How often which end has come so far.
    pub fn ends(&self) -> BTreeMap<End, usize> {
        let mut ends = BTreeMap::new();
        self.shared
            .with(|state| state.ends.iter().for_each(|end| *ends.entry(end.clone()).or_default() += 1));
        ends
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn opened(&self) {
        self.with(|state| state.open += 1);
    }

    fn heard(&self) {
        self.with(|state| state.heard += 1);
    }
}

/// An end by an error.
struct Error(End);

fn cut(error: impl std::fmt::Display) -> Error {
    Error(End::Cut(error.to_string()))
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error(End::Refused(error.to_string()))
}

async fn talk(shared: Arc<Shared>, target: SocketAddr, host: String, pause: Duration) -> Result<End, Error> {
    let stream = TcpStream::connect(target).await.map_err(refused)?;
    let opened = tokio_tungstenite::client_async(format!("ws://{host}/ws"), stream).await;
    let (mut socket, _) = opened.map_err(refused)?;
    shared.opened();
    let mut turns = tokio::time::interval(pause);
    let mut end = None;
    loop {
        let message = tokio::select! {
            _ = turns.tick(), if end.is_none() => {
                // When this fails, reading says why.
                let _ = socket.send(Message::text("hello")).await;
                continue;
            }
            message = socket.next() => message,
        };
        match message {
            Some(Ok(Message::Text(_))) => shared.heard(),
            Some(Ok(Message::Close(frame))) => end = Some(frame.map_or(1005, |frame| u16::from(frame.code))),
            Some(Ok(_)) => (),
            Some(Err(error)) if end.is_none() => return Err(cut(error)),
            Some(Err(_)) | None => return Ok(end.map_or(End::Cut("no Close".to_string()), End::Closed)),
        }
    }
}

async fn read(shared: Arc<Shared>, target: SocketAddr, host: String) -> Result<End, Error> {
    let stream = TcpStream::connect(target).await.map_err(refused)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(refused)?;
    // How it ends is known from the body.
    tokio::spawn(async move { drop(connection.await) });
    let request = Request::get("/events/100").header("host", host).body(Empty::<Bytes>::new());
    let response = sender.send_request(request.expect("it is a request")).await.map_err(refused)?;
    if response.status() != 200 {
        return Err(refused(response.status()));
    }
    shared.opened();
    let mut body = response.into_body();
    let mut tail = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        tail.extend_from_slice(&data);
        tail.drain(..tail.len().saturating_sub(2));
        shared.heard();
    }
    Ok(if tail == b"\n\n" { End::Finished } else { End::Torn })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::until;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn websockets_and_readers_hear_the_backend_until_it_is_gone() {
        let backend = Backend::start();
        let sockets = Crowd::websockets(backend.address(), "a", 20, Duration::from_millis(20));
        let readers = Crowd::events(backend.address(), "a", 20);
        until("all are open", SOON, || ((sockets.open(), readers.open()) == (20, 20)).then_some(()));
        until("all have heard something", SOON, || {
            (sockets.heard() > 40 && readers.heard() > 40).then_some(())
        });
        drop(backend);
        until("all have ended", SOON, || (sockets.open() + readers.open() == 0).then_some(()));
        let cut = |crowd: &Crowd| crowd.ends().keys().all(|end| matches!(end, End::Cut(_)));
        assert!(cut(&sockets) && cut(&readers), "{:?} {:?}", sockets.ends(), readers.ends());
    }

    #[test]
    fn who_is_refused_was_never_open() {
        let backend = Backend::start();
        backend.set_mood("status 503");
        let sockets = Crowd::websockets(backend.address(), "a", 2, SOON);
        until("both have ended", SOON, || (sockets.ends().values().sum::<usize>() == 2).then_some(()));
        assert!(sockets.ends().keys().all(|end| matches!(end, End::Refused(_))), "{:?}", sockets.ends());
        assert_eq!(sockets.open(), 0);
    }
}
