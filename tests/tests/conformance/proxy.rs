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

pub(crate) struct Proxy {
    address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let task = tokio::spawn(accept(listener, to, mode.clone()));
        Proxy { address, mode, task }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.set(Mode::Cut);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, mode: Arc<watch::Sender<Mode>>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut mode = mode.subscribe();
        if *mode.borrow_and_update() == Mode::Cut {
            continue;
        }
        let Ok(server) = TcpStream::connect(to).await else { continue };
        tokio::spawn(async move {
            let ((client_out, client_in), (server_out, server_in)) =
                (client.into_split(), server.into_split());
            let answers = mode.clone();
            tokio::select! {
                () = pass(client_out, server_in, |_| true, answers.clone()) => {}
                () = pass(server_out, client_in, |mode| mode == Mode::Pass, answers) => {}
                _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
            }
        });
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    passes: impl Fn(Mode) -> bool,
    mode: watch::Receiver<Mode>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let is_passed = passes(*mode.borrow());
        if is_passed && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
