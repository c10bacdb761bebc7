//! `bench scale locks`: locks taken and given back per second, each client its own; and one lock that a thousand want.
//!
//! Beside LOCK and UNLOCK stands what is done with Redis: SET NX PX, and a script that deletes the key if it is still
//! one's own. There nobody waits for a lock: whoever does not get it asks again at once.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::crowd::{Crowd, Heard};
use crate::rounds::Rounds;
use crate::server::Server;

use super::Peer;
use super::client::{Client, request};
use super::goal::{print, row};
use super::reply::Reply;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);
const UNLOCK: &str =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    clients: usize,
    /// All want the same lock.
    contended: bool,
}

const SCENES: [Scene; 3] = [
    Scene { name: "LOCK and UNLOCK, 1 connection", clients: 1, contended: false },
    Scene { name: "LOCK and UNLOCK, 50 connections, a lock each", clients: 50, contended: false },
    Scene { name: "grants of one lock, 1,000 connections", clients: 1_000, contended: true },
];

pub(super) fn run() -> anyhow::Result<()> {
    let adsum = Side::start(Peer::Adsum)?;
    let redis = Side::start(Peer::Redis)?;
    let mut rows = Vec::new();
    for scene in SCENES {
        let mut rates = [Rounds::default(), Rounds::default()];
        for _ in 0..ROUNDS {
            rates[0].add(adsum.measure(scene)?);
            rates[1].add(redis.measure(scene)?);
        }
        let ratio = rates[0].largest() / rates[1].largest();
        let [own, peer] = rates.map(|rates| format!("{:.0} ({:.0})", rates.largest(), rates.median()));
        rows.push(row(scene.name, [format!("{own}, {ratio:.2} x"), peer]));
    }
    print(&format!("per second, best (median) of {ROUNDS} rounds"), rows);
    Ok(())
}

struct Side {
    peer: Peer,
    server: Server,
    /// Of the script by which Redis gives a lock back.
    script: String,
}

impl Side {
    fn start(peer: Peer) -> anyhow::Result<Side> {
        let server = peer.start()?;
        let script = match peer {
            Peer::Adsum => String::new(),
            Peer::Redis => {
                let reply = Client::open(server.resp())?.ask(&["SCRIPT", "LOAD", UNLOCK])?;
                String::from_utf8(reply.text().context("a script has a name")?.to_vec())?
            }
        };
        Ok(Side { peer, server, script })
    }

    /// Locks that were taken and given back, per second.
    fn measure(&self, scene: Scene) -> anyhow::Result<f64> {
        // Whoever held a lock when the last round ended would hold it for its whole time.
        Client::open(self.server.resp())?.ask(&["FLUSHDB"])?;
        let mut crowd = Crowd::gather(self.server.resp(), scene.clients)?;
        let mut held = vec![false; scene.clients];
        let key = |member: usize| if scene.contended { "one".to_string() } else { format!("lock:{member}") };
        for member in 0..scene.clients {
            crowd.send(member, &self.lock(&key(member)))?;
        }
        let (mut done, begin) = (0u32, Instant::now());
        while begin.elapsed() < ROUND {
            crowd.turn(ROUND, |Heard { member, reply, .. }| {
                let (key, held) = (key(member), &mut held[member]);
                done += u32::from(*held);
                // Redis answers nothing to who does not get the lock.
                *held = !*held && reply != Reply::Nil;
                Ok(Some(if *held { self.unlock(&key, &reply) } else { self.lock(&key) }))
            })?;
        }
        Ok(f64::from(done) / begin.elapsed().as_secs_f64())
    }

    fn lock(&self, key: &str) -> Vec<u8> {
        match self.peer {
            Peer::Adsum => request(&["LOCK", key, "owner", "PX", "30000", "WAIT", "0"]),
            Peer::Redis => request(&["SET", key, "owner", "NX", "PX", "30000"]),
        }
    }

    /// With the answer to the request for the lock.
    fn unlock(&self, key: &str, granted: &Reply) -> Vec<u8> {
        match self.peer {
            Peer::Adsum => {
                let fence = granted.number().unwrap_or_default();
                request(&["UNLOCK", key, &fence.to_string()])
            }
            Peer::Redis => request(&["EVALSHA", &self.script, "1", key, "owner"]),
        }
    }
}
