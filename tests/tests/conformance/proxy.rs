//! A TCP proxy between one node and etcd, which can be cut, and can swallow what etcd answers.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Requests arrive, answers do not.
    SwallowAnswers,
    /// Connections end, and new ones are closed at once.
    Cut,
}

/// With the number of cuts so far: one that is over at once ends connections too.
#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    cuts: u64,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State { mode: Mode::Pass, cuts: 0 }));
        let task = tokio::spawn(accept(listener, to, state.clone()));
        Proxy { address, state, task }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            *state = State { mode, cuts: state.cuts + u64::from(mode == Mode::Cut) };
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.set(Mode::Cut);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, state: Arc<watch::Sender<State>>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut state = state.subscribe();
        let State { mode, cuts } = *state.borrow_and_update();
        if mode == Mode::Cut {
            continue;
        }
        let Ok(server) = TcpStream::connect(to).await else { continue };
        tokio::spawn(async move {
            let ((client_out, client_in), (server_out, server_in)) =
                (client.into_split(), server.into_split());
            let modes = state.clone();
            tokio::select! {
                () = pass(client_out, server_in, |_| true, modes.clone()) => {}
                () = pass(server_out, client_in, |mode| mode == Mode::Pass, modes) => {}
                _ = state.wait_for(|state| state.cuts > cuts) => {}
            }
        });
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    passes: impl Fn(Mode) -> bool,
    state: watch::Receiver<State>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let is_passed = passes(state.borrow().mode);
        if is_passed && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
