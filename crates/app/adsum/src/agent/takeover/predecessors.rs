//! Agents that were taken over from and are still on their way out: they get this one's tables, and their reports go to the
//! barrier.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use adsum_control::Routing;
use adsum_listen::handover::{Link, write_letter};
use adsum_routing::InFlight;
use adsum_takeover::{FromNew, FromOld, SocketName, WorkerReport};
use tokio::task::JoinHandle;

use super::words::{hear, say};

/// Bounded by their time: each ends within half a minute.
#[derive(Default)]
pub(in super::super) struct Predecessors {
    cluster: String,
    all: Vec<Predecessor>,
}

struct Predecessor {
    process: u32,
    workers: u32,
    link: Arc<Link>,
    /// None while they are paused.
    task: Option<JoinHandle<()>>,
}

impl Predecessors {
    pub(super) fn new(cluster: String) -> Predecessors {
        Predecessors { cluster, all: Vec::new() }
    }

    /// From here on it is waited for.
    pub(super) fn adopt(&mut self, process: u32, workers: u32, link: Link, routing: &Routing) {
        let mut predecessor = Predecessor { process, workers, link: Arc::new(link), task: None };
        predecessor.follow(&self.cluster, routing);
        self.all.push(predecessor);
    }

    /// Nothing more is said to them or heard of them here. What they say waits in their links.
    pub(super) async fn pause(&mut self) {
        self.all.retain(|predecessor| predecessor.task.as_ref().is_some_and(|task| !task.is_finished()));
        for predecessor in &mut self.all {
            if let Some(task) = predecessor.task.take() {
                task.abort();
                // It has ended, in whatever way.
                let _ = task.await;
            }
        }
    }

    pub(super) fn go_on(&mut self, routing: &Routing) {
        let cluster = self.cluster.clone();
        self.all.iter_mut().for_each(|predecessor| predecessor.follow(&cluster, routing));
    }

    /// The links, for the next agent.
    pub(super) fn doubles(&self) -> io::Result<Vec<(SocketName, OwnedFd)>> {
        let double = |predecessor: &Predecessor| {
            let Predecessor { process, workers, .. } = *predecessor;
            Ok((SocketName::Predecessor { process, workers }, predecessor.link.try_clone()?))
        };
        self.all.iter().map(double).collect()
    }
}

impl Predecessor {
    fn follow(&mut self, cluster: &str, routing: &Routing) {
        routing.acknowledgements().adopt(self.process, self.workers as usize);
        let following = follow(self.process, self.link.clone(), cluster.to_string(), routing.clone());
        self.task = Some(tokio::spawn(following));
    }
}

/// Until it has gone. One that says farewell is not waited for any more.
async fn follow(process: u32, link: Arc<Link>, cluster: String, routing: Routing) {
    let mut tables = routing.subscribe();
    tables.mark_changed();
    loop {
        tokio::select! {
            word = hear::<FromOld>(&link) => match word {
                Some((FromOld::Report(reports), _)) => {
                    reports.into_iter().for_each(|report| take_in(process, report, &routing));
                }
                Some((FromOld::Farewell, _)) => {
                    tracing::info!(process, "the gateway of the process before has nothing any more");
                    return routing.acknowledgements().dismiss(process);
                }
                Some(_) => {}
                None => {
                    tracing::warn!(process, "the process before has gone without a word");
                    return;
                }
            },
            changed = tables.changed() => {
                let current = tables.borrow_and_update().clone();
                // The first one is that of the other run, which it has made itself.
                if changed.is_ok() && current.fresh && tell(&link, &current.table.to_json(&cluster)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn tell(link: &Link, table: &[u8]) -> io::Result<()> {
    say(link, &FromNew::Table, &[write_letter(table)?]).await
}

fn take_in(process: u32, report: WorkerReport, routing: &Routing) {
    let WorkerReport { worker, applied, in_flight } = report;
    let in_flight = in_flight
        .into_iter()
        .map(|(instance, requests, upgrades)| (instance, InFlight { requests, upgrades }));
    let acknowledgements = routing.acknowledgements();
    acknowledgements.report_of_predecessor(process, worker as usize, applied, in_flight);
}
