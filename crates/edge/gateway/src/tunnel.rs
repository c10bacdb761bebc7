//! Connections that carry no HTTP any more, or never did: bytes in both directions, until one of three says that it is
//! over: the client, the instance, the drain.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use adsum_balance::{Class, NoPick};
use adsum_forward::{close_frame, proxy_header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Stream;
use crate::farewell::{Call, Farewell};
use crate::patience::Watch;
use crate::station::{Lease, Station, Wish};
use crate::upstream::Line;
use crate::worker::{Guest, Worker};

mod pump;

use pump::Pump;

/// RFC 6455, 7.4.1 and its registry: service restart.
const RESTART: u16 = 1012;
const REASON: &str = "the instance is being replaced: connect again";

/// Both ends of an upgraded connection, as soon as they are there.
pub(crate) struct Ends {
    pub(crate) client: oneshot::Receiver<Stream>,
    pub(crate) instance: Box<Line>,
}

/// How it goes with a connection, beside its bytes.
struct Course {
    /// What the instance has is counted until this is dropped.
    lease: Lease,
    farewell: Farewell,
    silence: Watch,
    idle: Duration,
    mask: [u8; 4],
}

/// Joins the two ends of an upgraded connection.
pub(crate) fn join(worker: &Rc<Worker>, ends: Ends, mut lease: Lease, websocket: bool, idle: Duration) {
    let guest = worker.adopt();
    lease.upgrade();
    let course = Course::new(worker, lease, idle);
    tokio::task::spawn_local(async move {
        let _guest: Guest = guest;
        let Some((instance, behind)) = ends.instance.into_socket().await else { return };
        let Ok(client) = ends.client.await else { return };
        let pumps = (Pump::new(&[], websocket), Pump::new(&behind, websocket));
        carry(client, instance, pumps, course).await;
    });
}

/// Serves a connection of a TCP route.
pub(crate) async fn serve_port(worker: Rc<Worker>, client: TcpStream, peer: SocketAddr, port: u16) {
    let pool = worker.table().tcp(port).cloned();
    let Some(station) = pool.and_then(|pool| worker.station(&pool)) else { return };
    let Some((mut instance, mut lease)) = reach(&worker, &station).await else { return };
    lease.upgrade();
    let policy = station.pool().policy.clone();
    if let Some(version) = policy.proxy_protocol {
        let Ok(own) = client.local_addr() else { return };
        if instance.write_all(&proxy_header(version, peer, own)).await.is_err() {
            return;
        }
    }
    let course = Course::new(&worker, lease, policy.idle_timeout);
    let pumps = (Pump::new(&[], false), Pump::new(&[], false));
    carry(client, instance, pumps, course).await;
}

/// A connection to an instance of the service; to another one when the first is not there.
async fn reach(worker: &Worker, station: &Rc<Station>) -> Option<(TcpStream, Lease)> {
    let policy = station.pool().policy.clone();
    let until = Instant::now() + policy.hold;
    let mut wish = Wish { lot: worker.lot(), ..Wish::default() };
    for _ in 0..=policy.retries {
        let mut lease = match station.pick(&wish, Instant::now()) {
            Ok((lease, _)) => lease,
            Err(reason) if reason == NoPick::Full || station.pool().replacing => {
                station.hold(wish.clone(), until).await.ok()?.0
            }
            Err(_) => return None,
        };
        let dialled = timeout(policy.connect_timeout, lease.upstream.dial_tcp()).await;
        let now = Instant::now();
        if let Ok(Ok(stream)) = dialled {
            lease.observe(Class::Fine, now);
            return Some((stream, lease));
        }
        lease.observe(Class::Technical, now);
        lease.upstream.series.failures.add(1);
        wish.tried.push(lease.seat());
        wish.lot = worker.lot();
    }
    None
}

impl Course {
    fn new(worker: &Worker, lease: Lease, idle: Duration) -> Course {
        let farewell = Farewell::new(worker, &lease.upstream);
        let mask = (worker.lot() as u32).to_ne_bytes();
        Course { lease, farewell, silence: Watch::default(), idle, mask }
    }

    /// Tells both ends, or says that it is over.
    fn poll_call(&mut self, pumps: &mut (Pump, Pump), cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(call) = self.farewell.poll(cx) {
            match call {
                Call::Leave => {
                    pumps.0.say_close(close_frame(RESTART, REASON, Some(self.mask)));
                    pumps.1.say_close(close_frame(RESTART, REASON, None));
                }
                Call::Cut => {
                    self.lease.cut();
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }

    /// Ready when nothing has been moved for too long.
    fn poll_silence(&mut self, moved: bool, cx: &mut Context<'_>) -> Poll<()> {
        if moved {
            self.silence.has_come();
        }
        if self.idle.is_zero() { Poll::Pending } else { self.silence.poll_for(self.idle, cx) }
    }
}

/// Moves bytes until both directions have ended, one fails, or the time is over.
async fn carry<C, I>(mut client: C, mut instance: I, mut pumps: (Pump, Pump), mut course: Course)
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut moved = 0;
    poll_fn(|cx| {
        if course.poll_call(&mut pumps, cx).is_ready() {
            return Poll::Ready(());
        }
        let up = pumps.0.poll(&mut client, &mut instance, cx);
        let down = pumps.1.poll(&mut instance, &mut client, cx);
        if matches!(up, Poll::Ready(Err(_))) || matches!(down, Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        if up.is_ready() && down.is_ready() {
            return Poll::Ready(());
        }
        let now = pumps.0.moved + pumps.1.moved;
        let has_moved = std::mem::replace(&mut moved, now) != now;
        course.poll_silence(has_moved, cx)
    })
    .await;
    let _ = client.shutdown().await;
    let _ = instance.shutdown().await;
}
