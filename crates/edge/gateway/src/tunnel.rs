//! Connections that carry no HTTP any more, or never did: bytes in both directions.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::station::Lease;
use crate::upstream::Line;
use crate::worker::Worker;

/// Both ends of an upgraded connection, as soon as they are there.
pub(crate) struct Ends {
    pub(crate) client: OnUpgrade,
    pub(crate) instance: Box<Line>,
}

/// Joins the two ends of an upgraded connection.
pub(crate) fn join(worker: &Rc<Worker>, ends: Ends, mut lease: Lease, _websocket: bool, _idle: Duration) {
    let _worker = worker.clone();
    lease.upgrade();
    tokio::task::spawn_local(async move {
        let _lease = lease;
        let Ends { client, instance } = ends;
        let Some((mut instance, _rest)) = instance.into_socket().await else { return };
        let Ok(client) = client.await else { return };
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut instance).await;
    });
}

/// Serves a connection of a TCP route.
pub(crate) async fn serve_port(_worker: Rc<Worker>, _stream: TcpStream, _peer: SocketAddr, _port: u16) {}
