//! The end of an agent that was taken over from: its gateway serves what it has by the tables of the new one, and reports.

use std::time::Duration;

use adsum_control::{Acknowledged, Routing};
use adsum_listen::handover::{Link, read_letter};
use adsum_takeover::{FromNew, FromOld, WorkerReport};

use super::super::ToldToEnd;
use super::super::node::Frozen;
use super::words::{hear, say};

/// How long requests in flight may go on. What stays open for longer is told to end within the first half.
const GRACE: Duration = Duration::from_secs(30);
/// Between two reports at most.
const REPORT: Duration = Duration::from_secs(1);

/// Returns when nothing is in flight any more, the grace is over, or it is told to end now.
pub(in super::super) async fn retire(frozen: Frozen, cluster: &str, link: Link, told: &mut ToldToEnd) {
    // What it was told before was meant for the agent, which has been told in turn.
    let was_told = told.is_told();
    let Frozen { ground, sockets } = frozen;
    drop(sockets);
    let routing = ground.routing;
    ground.settings.data_dir.leave();
    let Some(retirement) = routing.retire(GRACE) else { return };
    let mut ended = tokio::task::spawn_blocking(move || retirement.wait());
    let mut changed = routing.acknowledgements().subscribe();
    let mut tick = tokio::time::interval(REPORT);
    let mut is_followed = true;
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = told.wait(), if !was_told => {
                tracing::info!("told to end: what is in flight is cut");
                break;
            }
            word = hear::<FromNew>(&link), if is_followed => match word {
                Some((FromNew::Table, letters)) => obey(&routing, cluster, letters),
                Some(_) => {}
                None => {
                    is_followed = false;
                    routing.lose();
                }
            },
            _ = changed.changed() => report(&routing, &link).await,
            _ = tick.tick() => report(&routing, &link).await,
        }
    }
    report(&routing, &link).await;
    let _ = say(&link, &FromOld::Farewell, &[]).await;
    tracing::info!("nothing is in flight any more: this process ends");
}

fn obey(routing: &Routing, cluster: &str, letters: Vec<std::os::fd::OwnedFd>) {
    for letter in letters {
        let obeyed = read_letter(letter).map_err(anyhow::Error::from);
        let obeyed = obeyed.and_then(|table| Ok(routing.obey(&table, cluster)?));
        if let Err(error) = obeyed {
            tracing::warn!(%error, "a route table of the new agent cannot be used");
        }
    }
}

/// One that cannot be told shows itself when it is heard next.
async fn report(routing: &Routing, link: &Link) {
    for worker in routing.acknowledgements().workers() {
        let _ = say(link, &FromOld::Report(vec![report_of(worker)]), &[]).await;
    }
}

fn report_of(worker: Acknowledged) -> WorkerReport {
    let in_flight = worker.in_flight.into_iter();
    WorkerReport {
        worker: worker.id.worker,
        applied: worker.applied,
        in_flight: in_flight.map(|(id, count)| (id, count.requests, count.upgrades)).collect(),
    }
}
