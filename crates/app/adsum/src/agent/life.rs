//! An agent from its start to its end, as whoever runs it sees it: signals, supervisor, takeovers.

use std::process::ExitCode;

use adsum_listen::handover::{Door, Link, Peer};
use adsum_listen::systemd::Notifier;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;

use super::takeover::{self, Predecessors, Successor};
use super::{Given, Node, Settings, ToldToEnd};

/// Where the agent's sockets and its journal come from.
pub(super) enum Origin {
    /// It is the first, perhaps with sockets of systemd.
    Fresh(Given),
    /// From the one that runs.
    Takeover,
}

pub(super) struct Life {
    told: ToldToEnd,
    /// SIGUSR2: the program is to be started anew and take over.
    renew: Signal,
    notifier: Notifier,
    watchdog: AbortHandle,
    predecessors: Predecessors,
    door: Option<Door>,
    successor: Successor,
}

/// What happens to an agent.
enum Event {
    End,
    Failed(anyhow::Error),
    Renew,
    Visit(Link, Peer),
}

/// Runs until it is told to end, was taken over from, or can no longer keep its word.
pub(super) async fn live(
    settings: Settings,
    origin: Origin,
    successor: Successor,
) -> anyhow::Result<ExitCode> {
    // Before anything is started that would be left behind.
    let told = ToldToEnd::listen()?;
    let renew = signal(SignalKind::user_defined2())?;
    let follows = matches!(origin, Origin::Takeover);
    let notifier = Notifier::of_environment(follows);
    let (node, predecessors) = match origin {
        Origin::Fresh(given) => (Node::start_on(settings, given).await?, Predecessors::default()),
        Origin::Takeover => takeover::take(settings).await?,
    };
    let door = Door::open(&node.data_dir());
    let door =
        door.inspect_err(|error| tracing::warn!(%error, "nobody can take over from this process")).ok();
    node.announce();
    let process = format!("MAINPID={}", std::process::id());
    let ready = ["READY=1", "STATUS=Serves", process.as_str()];
    // Without a takeover the supervisor knows whom it has started.
    notifier.say(&ready[..if follows { 3 } else { 2 }]);
    let watchdog = tokio::spawn(keep_watchdog(Notifier::of_environment(follows))).abort_handle();
    Life { told, renew, notifier, watchdog, predecessors, door, successor }.run(node).await
}

impl Life {
    async fn run(mut self, mut node: Node) -> anyhow::Result<ExitCode> {
        loop {
            match self.next(&mut node).await {
                Event::End => {
                    self.notifier.say(&["STOPPING=1", "STATUS=Ends"]);
                    return node.finish(false).await.map(|_| ExitCode::SUCCESS);
                }
                Event::Failed(error) => {
                    self.notifier.say(&["STOPPING=1", "STATUS=Has failed"]);
                    node.abandon().await;
                    return Err(error);
                }
                Event::Renew => self.successor.start(),
                Event::Visit(link, peer) => match self.receive(node, link, peer).await? {
                    Some(same) => node = same,
                    None => return Ok(ExitCode::SUCCESS),
                },
            }
        }
    }

    async fn next(&mut self, node: &mut Node) -> Event {
        let Life { told, renew, door, .. } = self;
        let visitor = async {
            match door {
                Some(door) => door.visitor().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = told.wait() => Event::End,
            error = node.failed() => Event::Failed(error),
            Some(()) = renew.recv() => Event::Renew,
            (link, peer) = visitor => Event::Visit(link, peer),
        }
    }

    /// None when the visitor is the agent now, and nothing of this one is left.
    async fn receive(&mut self, node: Node, link: Link, peer: Peer) -> anyhow::Result<Option<Node>> {
        let Some(door) = &self.door else { return Ok(Some(node)) };
        let cluster = node.store.cluster();
        self.notifier.say(&["RELOADING=1", "STATUS=Another process takes over"]);
        let process = peer.process;
        let (predecessors, told) = (&mut self.predecessors, &mut self.told);
        match takeover::visit(node, (link, peer), door, predecessors, told).await? {
            takeover::Given::Nothing(node) => {
                self.notifier.say(&["READY=1", "STATUS=Serves"]);
                Ok(Some(node))
            }
            takeover::Given::Everything(frozen, link) => {
                // The supervisor believes whom it knows, so this is the one to say so.
                let process = format!("MAINPID={process}");
                self.notifier.say(&["READY=1", "STATUS=Serves", process.as_str()]);
                self.watchdog.abort();
                // It was opened anew by the next one.
                self.door = None;
                self.predecessors = Predecessors::default();
                takeover::retire(frozen, &cluster, link, &mut self.told).await;
                Ok(None)
            }
        }
    }
}

/// Says that the thread of the controllers goes on, as often as the supervisor wants to know.
async fn keep_watchdog(notifier: Notifier) {
    let Some(period) = notifier.watchdog() else { return };
    let mut tick = tokio::time::interval(period);
    loop {
        tick.tick().await;
        notifier.say(&["WATCHDOG=1"]);
    }
}
