//! Listeners that share an address, and the threads that serve them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use super::accept::serve;
use super::{Engine, Error, Limits};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A face that is being served. Dropped, it stops.
#[derive(Debug)]
pub struct Bound {
    /// With the port that it got.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Bound {
    /// Accepts nothing more, sends what may leave, and closes. Returns when it is done, within a little more than a
    /// second; blocks meanwhile.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(addr = %self.addr, "a RESP thread has panicked");
            }
        }
    }
}

/// Binds `threads` listeners to `addr` and serves each on a thread of its own.
pub fn spawn<E: Engine>(addr: SocketAddr, threads: usize, engine: E, limits: Limits) -> Result<Bound, Error> {
    let listeners = bind(addr, threads).map_err(|source| Error::Bind { addr, source })?;
    serve_all(listeners, threads, engine, limits)
}

/// Serves listeners of one address, at least one, on so many threads, at least one. All of them are served, however many
/// there are: a thread may have several, and a listener several threads.
pub fn serve_all<E: Engine>(
    mut listeners: Vec<TcpListener>,
    threads: usize,
    engine: E,
    limits: Limits,
) -> Result<Bound, Error> {
    let addr = listeners[0].local_addr();
    let addr = addr.map_err(|source| Error::Bind { addr: SocketAddr::from(([0; 4], 0)), source })?;
    for number in 0..threads.saturating_sub(listeners.len()) {
        let double = listeners[number].try_clone();
        listeners.push(double.map_err(|source| Error::Bind { addr, source })?);
    }
    let mut shares: Vec<Vec<TcpListener>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
    let count = shares.len();
    for (number, listener) in listeners.into_iter().enumerate() {
        shares[number % count].push(listener);
    }
    let (stop, stopped) = watch::channel(false);
    let mut bound = Bound { addr, stop, threads: Vec::new() };
    for (number, share) in shares.into_iter().enumerate() {
        let (engine, stopped) = (engine.clone(), stopped.clone());
        let run = move |runtime: tokio::runtime::Runtime| {
            runtime.block_on(serve(share, engine, limits, until_stopped(stopped)));
        };
        let thread = start(number, run).map_err(|source| Error::Thread { addr, source })?;
        bound.threads.push(thread);
    }
    Ok(bound)
}

/// `count` listeners (at least one) on the same address; port 0 is any one port for all. A port that somebody else
/// listens on is refused even where SO_REUSEPORT would share it.
pub fn bind(addr: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if addr.port() != 0 {
        // Two processes of one user could share the port without noticing, each getting half of the clients. A
        // socket that does not agree to share finds out.
        socket(addr, false)?;
    }
    let first = listener(addr)?;
    let addr = first.local_addr()?;
    let others = (1..count).map(|_| listener(addr));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(addr, true)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A bound socket.
fn socket(addr: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn start(
    number: usize,
    run: impl FnOnce(tokio::runtime::Runtime) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("resp-{number}")).spawn(move || run(runtime))
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that `Bound` was dropped, which stops as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
