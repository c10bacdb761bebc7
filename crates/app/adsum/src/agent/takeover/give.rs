//! The side of the agent that runs: from the first knock to the moment when it has given everything away, or goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_listen::handover::{Door, Link, MOST_DESCRIPTORS, Peer};
use adsum_takeover::{FromNew, FromOld, Giver, Giving, Hello, Offer, SocketName, Told};
use tokio::sync::Semaphore;

use super::super::node::{Frozen, Node};
use super::super::sockets::named;
use super::super::{ToldToEnd, ground};
use super::predecessors::Predecessors;
use super::words::{hear, say};

/// For whoever knocks to say what it wants.
const GREETING: Duration = Duration::from_secs(5);
/// For the new one to read the journal and open everything.
const OPENING: Duration = Duration::from_secs(120);
/// For one that has parted to end by itself, and to say why, before it is killed.
const PARTING: Duration = Duration::from_secs(5);
/// For the kernel to end it then.
const KILLING: Duration = Duration::from_secs(60);

/// Who knock during a visit and are being told so at the same time, at most.
const TURNED_AWAY: usize = 16;

/// What has come of a visit.
pub(in super::super) enum Given {
    /// This is the agent still, or again.
    Nothing(Node),
    /// The one at the other end of the link is the agent now.
    Everything(Frozen, Link),
}

/// Whom this agent is while somebody visits.
enum Place {
    Agent(Node),
    Frozen(Frozen),
}

struct Visit<'a> {
    giver: Giver,
    link: Link,
    peer: Peer,
    door: &'a Door,
    predecessors: &'a mut Predecessors,
    told: &'a mut ToldToEnd,
    /// Places for those who knock meanwhile.
    turned_away: Arc<Semaphore>,
    /// None while nothing but its end is waited for.
    deadline: Option<Instant>,
}

/// Deals with an agent that has knocked. Fails when this one cannot go on, neither as it was nor at all. Told to end
/// meanwhile, it gives nothing away any more; what is given away already ends with the new one, which is told in turn.
pub(in super::super) async fn visit(
    node: Node,
    (link, peer): (Link, Peer),
    door: &Door,
    predecessors: &mut Predecessors,
    told_to_end: &mut ToldToEnd,
) -> anyhow::Result<Given> {
    let hello = tokio::select! {
        hello = greeting(&link) => hello,
        () = told_to_end.wait() => None,
    };
    let Some(hello) = hello else { return Ok(Given::Nothing(node)) };
    let giver = Giver::new(nix::unistd::getuid().as_raw(), super::hello(node.settings())?);
    let deadline = Some(Instant::now() + GREETING);
    let told = Told::Hello { hello, process: peer.process, user: peer.user };
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let visit = Visit { giver, link, peer, door, predecessors, told: told_to_end, turned_away, deadline };
    visit.run(node, told).await
}

async fn greeting(link: &Link) -> Option<Hello> {
    match tokio::time::timeout(GREETING, hear::<FromNew>(link)).await {
        Ok(Some((FromNew::Hello(hello), _))) => Some(hello),
        Ok(_) | Err(_) => None,
    }
}

impl Visit<'_> {
    async fn run(mut self, node: Node, first: Told) -> anyhow::Result<Given> {
        let mut place = Place::Agent(node);
        let mut told = VecDeque::from([first]);
        loop {
            let next = match told.pop_front() {
                Some(next) => next,
                None => self.next().await,
            };
            let is_late = next == Told::Expired;
            match (self.giver.handle(next), place) {
                (None, same) => place = same,
                (Some(Giving::Refuse(refusal)), Place::Agent(node)) => {
                    tracing::info!(process = self.peer.process, %refusal, "a takeover is refused");
                    let _ = say(&self.link, &FromOld::Refused(refusal.to_string()), &[]).await;
                    return Ok(Given::Nothing(node));
                }
                (Some(Giving::Part), Place::Agent(node)) => {
                    self.part(is_late).await;
                    return Ok(Given::Nothing(node));
                }
                (Some(Giving::Offer), Place::Agent(node)) => {
                    let offer = FromOld::Offer(offer(&node));
                    let _ = say(&self.link, &offer, &[]).await;
                    place = Place::Agent(node);
                }
                (Some(Giving::Close), Place::Agent(node)) => {
                    place = Place::Frozen(self.freeze(node).await);
                    told.push_back(Told::Closed);
                }
                (Some(Giving::Give), Place::Frozen(frozen)) => {
                    self.deadline = Some(Instant::now() + OPENING);
                    if let Err(error) = self.give(&frozen).await {
                        tracing::warn!(%error, "the sockets cannot be handed over");
                        // Whether it understands what it has got or not: it must not write.
                        self.peer.kill();
                    }
                    place = Place::Frozen(frozen);
                }
                (Some(Giving::Kill), same) => {
                    tracing::error!(
                        process = self.peer.process,
                        "it takes too long to take over, and is killed"
                    );
                    self.peer.kill();
                    // Until its end shows.
                    self.deadline = None;
                    place = same;
                }
                (Some(Giving::Resume), Place::Frozen(frozen)) => return self.resume(frozen).await,
                (Some(Giving::Retire), Place::Frozen(frozen)) => {
                    if self.told.is_told() {
                        tracing::info!(process = self.peer.process, "it is told to end, as this process was");
                        self.peer.terminate();
                    }
                    return Ok(Given::Everything(frozen, self.link));
                }
                (Some(giving), _) => unreachable!("{giving:?} does not come here"),
            }
        }
    }

    async fn freeze(&mut self, node: Node) -> Frozen {
        let process = self.peer.process;
        tracing::info!(process, "another process takes over: faces and controllers end, the gateway goes on");
        let frozen = node.freeze().await;
        self.predecessors.pause().await;
        frozen
    }

    async fn resume(self, frozen: Frozen) -> anyhow::Result<Given> {
        tracing::warn!(
            process = self.peer.process,
            "it has gone before it had taken over: this process goes on"
        );
        let dir = frozen.ground.settings.data_dir.path();
        let locked = match ground::lock_within(&dir, PARTING).await {
            Ok(locked) => locked,
            Err(error) => {
                tracing::error!(process = self.peer.process, %error, "it has parted, and is killed");
                self.peer.kill();
                ground::lock_within(&dir, KILLING).await?
            }
        };
        let node = frozen.resume(locked).await?;
        self.predecessors.go_on(node.routing());
        Ok(Given::Nothing(node))
    }

    /// Before anything was done.
    async fn part(&self, is_late: bool) {
        let why = match (self.told.is_told(), is_late) {
            (true, _) => "this agent was told to end: start the new one without --takeover".to_string(),
            (false, true) => format!("you took longer than {GREETING:?}; this agent goes on: try again"),
            (false, false) => return,
        };
        tracing::info!(process = self.peer.process, why, "a takeover is refused");
        let _ = say(&self.link, &FromOld::Refused(why), &[]).await;
    }

    /// What happens next to the takeover.
    async fn next(&mut self) -> Told {
        loop {
            let deadline = self.deadline;
            let is_told = self.told.is_told();
            if is_told && self.giver.is_agent() {
                // Nothing was given away yet.
                return Told::Lost;
            }
            tokio::select! {
                word = hear::<FromNew>(&self.link) => match word {
                    Some((FromNew::Take, _)) => return Told::Take,
                    Some((FromNew::Serving, _)) => return Told::Serving,
                    Some((FromNew::Hello(_) | FromNew::Table, _)) => {}
                    None => return Told::Lost,
                },
                () = expiry(deadline) => return Told::Expired,
                () = self.told.wait(), if !is_told => {
                    tracing::info!(process = self.peer.process, "told to end while another process takes over");
                }
                (link, peer) = self.door.visitor() => self.refuse(link, &peer),
            }
        }
    }

    /// One at a time. It is told so beside the visit, which does not wait for it to say what it wants.
    fn refuse(&self, link: Link, peer: &Peer) {
        // One too many hears nothing, and sees the connection end.
        let Ok(place) = self.turned_away.clone().try_acquire_owned() else { return };
        let (mut giver, process, user) = (self.giver.clone(), peer.process, peer.user);
        tokio::spawn(async move {
            let _place = place;
            let Some(hello) = greeting(&link).await else { return };
            if let Some(Giving::Refuse(refusal)) = giver.handle(Told::Hello { hello, process, user }) {
                let _ = say(&link, &FromOld::Refused(refusal.to_string()), &[]).await;
            }
        });
    }

    async fn give(&mut self, frozen: &Frozen) -> std::io::Result<()> {
        let mut given = frozen.sockets.try_clone()?.into_given();
        given.gateway = frozen.ground.routing.sockets()?;
        let mut sockets = named(given);
        sockets.extend(self.predecessors.doubles()?);
        while !sockets.is_empty() {
            let rest = sockets.split_off(sockets.len().min(MOST_DESCRIPTORS));
            let (names, descriptors): (Vec<SocketName>, Vec<_>) = sockets.into_iter().unzip();
            say(&self.link, &FromOld::Sockets(names), &descriptors).await?;
            sockets = rest;
        }
        say(&self.link, &FromOld::Yours, &[]).await
    }
}

async fn expiry(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn offer(node: &Node) -> Offer {
    let version = env!("CARGO_PKG_VERSION").to_string();
    Offer { version, process: std::process::id(), cluster: node.store.cluster() }
}
