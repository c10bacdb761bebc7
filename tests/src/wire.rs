//! A wire between two ends that can go silent: nothing comes through it any more, and no end is told. So it is when a
//! machine loses its power or its network.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Connections to its address go on to the target, until it is silenced.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    silent: watch::Sender<bool>,
    _runtime: Runtime,
}

impl Wire {
    pub fn to(target: SocketAddr) -> Wire {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a thread can be started");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("the system has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (silent, hears) = watch::channel(false);
        runtime.spawn(accept(listener, target, hears));
        Wire { address, silent, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing comes through, in either direction; connections stay open, and new ones are taken.
    pub fn go_silent(&self) {
        self.silent.send_replace(true);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, silent: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let silent = silent.clone();
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_in, far_out, silent.clone()));
            carry(far_in, near_out, silent).await;
        });
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut silent: watch::Receiver<bool>) {
    let mut chunk = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            biased;
            _ = silent.wait_for(|silent| *silent) => None,
            read = from.read(&mut chunk) => Some(read),
        };
        let Some(read) = read else { return std::future::pending().await };
        let Ok(length @ 1..) = read else { return };
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::http;
    use crate::load::{Load, Outcome, Plan};
    use std::time::Duration;

    #[test]
    fn a_wire_carries_until_it_is_silent() {
        let backend = Backend::start();
        let wire = Wire::to(backend.address());
        assert_eq!(http::get(wire.address(), "/bytes/100000").unwrap().body.len(), 100_000);
        wire.go_silent();
        let patience = Duration::from_millis(300);
        let report =
            Load::start(Plan::new(wire.address(), "a", 10).requests(1).patience(patience)).stop_after(1);
        assert_eq!(report.records()[0].outcome, Outcome::TimedOut);
        assert_eq!(backend.entries().count("request"), 1);
    }
}
