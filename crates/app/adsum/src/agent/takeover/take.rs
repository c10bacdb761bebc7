//! The side of the agent that is started.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use adsum_listen::handover::Link;
use adsum_takeover::{FromNew, FromOld, Heard, Offer, SocketName, Taker, Taking};
use anyhow::{anyhow, bail};

use super::super::Settings;
use super::super::ground::{self, Ground, Keepers, Opened};
use super::super::node::Node;
use super::super::sockets::Given;
use super::points;
use super::predecessors::Predecessors;
use super::words::{hear, say};

/// For an agent that is there to answer: it may be in the middle of something.
const GREETING: Duration = Duration::from_secs(10);

/// What was handed over.
#[derive(Default)]
struct Handed {
    given: Given,
    predecessors: Vec<(u32, u32, OwnedFd)>,
}

/// Takes over from the agent on the data directory, or says why not; then that one goes on.
pub(in super::super) async fn take(settings: Settings) -> anyhow::Result<(Node, Predecessors)> {
    let dir = settings.data_dir.path();
    let link = Link::connect(&dir).map_err(|error| nobody(&dir, error))?;
    points::reach("knocked");
    let mut taker = Taker::default();
    let offer = greet(&link, &settings).await;
    let offer = tell(&mut taker, offer, (Heard::Offer, Heard::Refused), Taking::Take)?;
    points::reach("offered");
    let begun = Instant::now();
    let handed = be_given(&link).await;
    let handed = tell(&mut taker, handed, (Heard::Yours, Heard::Lost), Taking::Open)?;
    points::reach("given");
    let workers = u32::try_from(handed.given.gateway.plain.len()).unwrap_or(u32::MAX);
    let Handed { given, predecessors: earlier } = handed;
    let opened = open(settings, given, &offer).await;
    let (ground, opened) = tell(&mut taker, opened, (Heard::Opened, Heard::Failed), Taking::Serve)?;
    points::reach("opened");
    let mut predecessors = Predecessors::new(offer.cluster.clone());
    for (process, workers, link) in earlier {
        predecessors.adopt(process, workers, Link::new(link)?, &ground.routing);
    }
    // Before a controller could ask whether the old one still has something on an instance.
    ground.routing.acknowledgements().adopt(offer.process, workers as usize);
    // Whether the old one still hears it: it is this one's turn.
    let (serving, link) = serve(ground, opened, link).await?;
    predecessors.adopt(offer.process, workers, link, serving.routing());
    let waited = begun.elapsed();
    tracing::info!(process = offer.process, version = offer.version, ?waited, "taken over");
    Ok((serving, predecessors))
}

/// What has come of a step is told; it goes on in one way, or not at all.
fn tell<T>(
    taker: &mut Taker,
    outcome: anyhow::Result<T>,
    (good, bad): (Heard, Heard),
    expected: Taking,
) -> anyhow::Result<T> {
    let taking = taker.handle(if outcome.is_ok() { good } else { bad });
    let expected = if outcome.is_ok() { expected } else { Taking::GiveUp };
    assert_eq!(taking, Some(expected), "the steps are taken in their order");
    outcome
}

async fn greet(link: &Link, settings: &Settings) -> anyhow::Result<Offer> {
    let gone = || anyhow!("the running agent has not answered: is it ending? start without --takeover then");
    say(link, &FromNew::Hello(super::hello(settings)?), &[]).await.map_err(|_| gone())?;
    match tokio::time::timeout(GREETING, hear(link)).await.ok().flatten() {
        Some((FromOld::Offer(offer), _)) => Ok(offer),
        Some((FromOld::Refused(why), _)) => bail!("the running agent refuses the takeover: {why}"),
        Some(_) | None => Err(gone()),
    }
}

async fn be_given(link: &Link) -> anyhow::Result<Handed> {
    let gone = || {
        anyhow!(
            "the running agent has parted in the middle of the takeover: if it goes on, try again; if it has gone, start \
             without --takeover"
        )
    };
    // One that has gone may have said why before: that is heard, whether it still hears or not.
    let _ = say(link, &FromNew::Take, &[]).await;
    points::reach("taking");
    let mut handed = Handed::default();
    loop {
        match hear(link).await {
            Some((FromOld::Sockets(names), descriptors)) => {
                for (name, descriptor) in names.iter().zip(descriptors) {
                    handed.take_in(name, descriptor);
                }
            }
            Some((FromOld::Yours, _)) => return Ok(handed),
            Some((FromOld::Refused(why), _)) => bail!("the running agent refuses the takeover: {why}"),
            Some(_) => {}
            None => return Err(gone()),
        }
    }
}

impl Handed {
    fn take_in(&mut self, name: &SocketName, descriptor: OwnedFd) {
        if let SocketName::Predecessor { process, workers } = name {
            self.predecessors.push((*process, *workers, descriptor));
        } else {
            self.given.take_in(name, descriptor);
        }
    }
}

/// Everything but that nobody is served yet.
async fn open(mut settings: Settings, mut given: Given, offer: &Offer) -> anyhow::Result<(Ground, Opened)> {
    settings.adopt(&given)?;
    let locked = ground::lock(&settings.data_dir.path())?;
    points::reach("locked");
    let found = locked.cluster().map(|cluster| cluster.to_string());
    if found.as_ref() != Some(&offer.cluster) {
        bail!("the data is of cluster {found:?}, and the running agent's is of {}", offer.cluster);
    }
    let sockets = std::mem::take(&mut given.gateway);
    let ground = Ground::lay(settings, &locked, sockets)?;
    match ground.open(locked, given, Keepers::Needed).await {
        Ok(opened) => Ok((ground, opened)),
        Err(error) => {
            ground.close().await;
            Err(error)
        }
    }
}

/// From here on this is the agent.
async fn serve(ground: Ground, opened: Opened, link: Link) -> anyhow::Result<(Node, Link)> {
    ground.routing.open();
    let node = Node::begin(ground, opened)?;
    // One that has died meanwhile need not know.
    let _ = say(&link, &FromNew::Serving, &[]).await;
    Ok((node, link))
}

fn nobody(dir: &Path, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            anyhow!("no agent runs on the data directory {}: start it without --takeover", dir.display())
        }
        io::ErrorKind::PermissionDenied => anyhow!(
            "the agent on the data directory {} is another user's: take over as that user",
            dir.display()
        ),
        _ => {
            anyhow!(error).context(format!("cannot reach the agent on the data directory {}", dir.display()))
        }
    }
}
