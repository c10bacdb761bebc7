//! A TCP proxy between one node and etcd, which can be cut, can swallow what etcd answers, and can keep a request back
//! until long after its sender has given up.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Requests arrive, answers do not.
    SwallowAnswers,
    /// Connections end, and new ones are closed at once.
    Cut,
    /// What is sent on connections that are there is kept up to a request with this in it; then the client's side ends,
    /// and etcd's waits for [`Mode::Release`]. New connections pass.
    KeepBack(&'static str),
    /// What was kept back arrives.
    Release,
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
    /// Requests that are kept back.
    kept: Arc<AtomicUsize>,
    late: Late,
    task: JoinHandle<()>,
}

/// What etcd has answered to clients that had hung up.
type Late = Arc<Mutex<Vec<u8>>>;

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State { mode: Mode::Pass, cuts: 0 }));
        let kept = Arc::new(AtomicUsize::new(0));
        let late = Late::default();
        let task = tokio::spawn(accept(listener, to, state.clone(), (kept.clone(), late.clone())));
        Proxy { address, state, kept, late, task }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kept_back(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Whether a late answer has this in it.
    pub(crate) fn has_late_answer(&self, part: &str) -> bool {
        self.late.lock().unwrap().windows(part.len()).any(|window| window == part.as_bytes())
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

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    state: Arc<watch::Sender<State>>,
    (kept, late): (Arc<AtomicUsize>, Late),
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut state = state.subscribe();
        let State { mode, cuts } = *state.borrow_and_update();
        if mode == Mode::Cut {
            continue;
        }
        let Ok(server) = TcpStream::connect(to).await else { continue };
        let (kept, late) = (kept.clone(), late.clone());
        // One that begins now keeps nothing back.
        let keeps = !matches!(mode, Mode::KeepBack(_) | Mode::Release);
        tokio::spawn(async move {
            let ((client_out, client_in), (server_out, server_in)) =
                (client.into_split(), server.into_split());
            let (asks, answers, hung_up) = (state.clone(), state.clone(), Notify::new());
            let until_kept = || {
                kept.fetch_add(1, Ordering::Relaxed);
                hung_up.notify_one();
            };
            tokio::select! {
                () = ask(client_out, server_in, asks, keeps, until_kept) => {}
                () = answer(server_out, client_in, answers, (&hung_up, &late)) => {}
                _ = state.wait_for(|state| state.cuts > cuts) => {}
            }
        });
    }
}

/// Requests, from the client to etcd.
async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    keeps: bool,
    hang_up: impl Fn(),
) {
    let (mut buffer, mut back) = ([0; 16 * 1024], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mode = state.borrow().mode;
        let (Mode::KeepBack(part), true) = (mode, keeps) else {
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            continue;
        };
        back.extend_from_slice(&buffer[..length]);
        if back.windows(part.len()).any(|window| window == part.as_bytes()) {
            drop(from);
            hang_up();
            let released = state.wait_for(|state| state.mode == Mode::Release).await.is_ok();
            if released && to.write_all(&back).await.is_ok() {
                // As long as etcd needs to answer, which nobody hears.
                std::future::pending::<()>().await;
            }
            return;
        }
    }
}

/// Answers, from etcd to the client, until that is hung up on.
async fn answer(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    state: watch::Receiver<State>,
    (hung_up, late): (&Notify, &Late),
) {
    let (mut buffer, mut to) = ([0; 16 * 1024], Some(to));
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = hung_up.notified() => {
                to = None;
                continue;
            }
        };
        let swallows = state.borrow().mode == Mode::SwallowAnswers;
        let failed = match &mut to {
            Some(to) if !swallows => to.write_all(&buffer[..length]).await.is_err(),
            Some(_) => false,
            None => {
                late.lock().unwrap().extend_from_slice(&buffer[..length]);
                false
            }
        };
        if failed || length == 0 {
            return;
        }
    }
}
