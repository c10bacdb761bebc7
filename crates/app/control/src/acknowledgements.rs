//! Who routes, or gives addresses away, and how far each is: the barrier, shared by those who report and those who ask.
//!
//! The workers of the gateway report by themselves and keep their leases with it. The DNS and HTTP faces of this process
//! answer from the directory's view, within one turn of the runtime that the controllers run on too: what a controller
//! sees there is what they answer from, and so it reports for them when it asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Health, Instance, InstanceId, Name, Phase, Revision};
use adsum_rollout::service::{Held, drain_rest};
use adsum_routing::{Barrier, Face, InFlight, LEASE, MemberId, MemberState, Question, Verdict};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::faults;

/// What a worker that has ended has applied: no revision is above it.
const ENDED: Revision = Revision(u64::MAX);

/// Clones are the same.
#[derive(Clone)]
pub struct Acknowledgements {
    inner: Arc<Inner>,
}

struct Inner {
    node: Name,
    barrier: Mutex<Barrier>,
    /// Since when the view of this process shows that they drain. Of no others.
    hidden: Mutex<BTreeMap<InstanceId, Instant>>,
    /// Counts reports after which a verdict may be another.
    changed: watch::Sender<u64>,
}

/// How one member is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub id: MemberId,
    pub applied: Revision,
    /// Of instances that get nothing new.
    pub in_flight: BTreeMap<InstanceId, InFlight>,
    /// Whether it has reported lately, so that it is waited for.
    pub live: bool,
}

impl Acknowledged {
    fn of(member: MemberState<'_>) -> Acknowledged {
        Acknowledged {
            id: member.id.clone(),
            applied: member.applied,
            in_flight: member.in_flight.clone(),
            live: member.live,
        }
    }
}

impl Acknowledgements {
    pub fn new(node: Name) -> Acknowledgements {
        let (barrier, hidden, changed) = (Mutex::default(), Mutex::default(), watch::Sender::new(0));
        let inner = Inner { node, barrier, hidden, changed };
        Acknowledgements { inner: Arc::new(inner) }
    }

    /// A worker of the gateway is about to begin: it is waited for from here on.
    pub fn join(&self, worker: usize) {
        let now = Instant::now();
        self.barrier(now).join(self.member(Face::Gateway, worker), now);
    }

    /// The gateway accepts from now on. That nobody has reported while it was prepared is no standstill.
    pub fn begin(&self) {
        let _ = self.inner.barrier.lock().awake(Instant::now());
    }

    /// The gateway of a process that was taken over from goes on with what it has: each of its workers is waited for as
    /// those of this process are.
    pub fn adopt(&self, process: u32, workers: usize) {
        let now = Instant::now();
        let mut barrier = self.barrier(now);
        (0..workers).for_each(|worker| barrier.join(self.member(Face::Predecessor(process), worker), now));
    }

    /// It has ended politely. One that goes without a word is waited for until its lease is over.
    pub fn dismiss(&self, process: u32) {
        let mut barrier = self.inner.barrier.lock();
        barrier.leave_all(|id| id.face == Face::Predecessor(process));
        drop(barrier);
        self.inner.changed.send_modify(|count| *count += 1);
    }

    /// A worker of the gateway has ended: whatever comes, it is not in the way.
    pub fn end(&self, worker: usize) {
        self.report(worker, ENDED, []);
    }

    /// What a worker of the gateway says of itself.
    pub fn report(
        &self,
        worker: usize,
        applied: Revision,
        in_flight: impl IntoIterator<Item = (InstanceId, InFlight)>,
    ) {
        self.report_of(Face::Gateway, worker, applied, in_flight);
    }

    /// What a worker of a predecessor's gateway says of itself.
    pub fn report_of_predecessor(
        &self,
        process: u32,
        worker: usize,
        applied: Revision,
        in_flight: impl IntoIterator<Item = (InstanceId, InFlight)>,
    ) {
        let face = Face::Predecessor(process);
        if applied < ENDED {
            return self.report_of(face, worker, applied, in_flight);
        }
        self.inner.barrier.lock().leave(&self.member(face, worker));
        self.inner.changed.send_modify(|count| *count += 1);
    }

    fn report_of(
        &self,
        face: Face,
        worker: usize,
        applied: Revision,
        in_flight: impl IntoIterator<Item = (InstanceId, InFlight)>,
    ) {
        let id = self.member(face, worker);
        let now = Instant::now();
        let changed = self.barrier(now).report(&id, applied, in_flight, now);
        if changed {
            self.inner.changed.send_modify(|count| *count += 1);
        }
    }

    /// Waits until every worker of a gateway that lives has applied the revision.
    pub async fn reached(&self, revision: Revision) {
        let mut changed = self.subscribe();
        loop {
            changed.borrow_and_update();
            if self.gateways_applied(Instant::now()).is_none_or(|applied| applied >= revision) {
                return;
            }
            // The sender lives as long as this handle.
            let _ = changed.changed().await;
        }
    }

    /// The least that one of them has applied.
    fn gateways_applied(&self, now: Instant) -> Option<Revision> {
        let barrier = self.inner.barrier.lock();
        let routes = |face: Face| matches!(face, Face::Gateway | Face::Predecessor(_));
        let gateways = barrier.members(now).filter(|member| member.live && routes(member.id.face));
        gateways.map(|member| member.applied).min()
    }

    /// Wakes whoever waits for a verdict.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Who is in the way of the end of a service's draining instances, and of those in maintenance being out of use.
    /// `view` is the directory's own, as the faces answer from it now.
    pub fn held(&self, view: &Catalog, state: &ServiceState, tick: u64) -> BTreeMap<InstanceId, Held> {
        let leaves = |instance: &Instance| is_draining(instance) || is_maintained(instance);
        let draining = state.instances.iter().filter(|instance| leaves(instance));
        let mut draining = draining.peekable();
        if draining.peek().is_none() || faults::barrier_is_skipped() {
            return BTreeMap::new();
        }
        let now = Instant::now();
        let mut barrier = self.barrier(now);
        self.report_faces(&mut barrier, view, now);
        draining
            .filter_map(|instance| {
                let rest = drain_rest(instance, state.service.as_ref(), tick);
                let question = Question {
                    instance: instance.id.clone(),
                    revision: view.routed_since(&instance.id),
                    deadline: now + rest,
                };
                Some((instance.id.clone(), held_by(&barrier, &question, now)?))
            })
            .collect()
    }

    /// For how long nobody has been given the address of a service's draining instances. It begins with the first view
    /// that shows them so: a commit that waits for the disk has hidden nothing yet. `view` is the directory's own.
    pub fn hidden(&self, view: &Catalog, state: &ServiceState) -> BTreeMap<InstanceId, Duration> {
        let now = Instant::now();
        let mut hidden = self.inner.hidden.lock();
        hidden.retain(|id, _| view.instance(id).is_some_and(|instance| is_draining(instance)));
        let draining = state.instances.iter().filter(|instance| is_draining(instance));
        draining
            .map(|instance| {
                let since = *hidden.entry(instance.id.clone()).or_insert(now);
                (instance.id.clone(), now - since)
            })
            .collect()
    }

    /// The workers of this process's own gateway that have reported lately.
    pub fn workers(&self) -> Vec<Acknowledged> {
        let now = Instant::now();
        let barrier = self.barrier(now);
        let own = barrier.members(now).filter(|member| member.live && member.id.face == Face::Gateway);
        own.map(Acknowledged::of).collect()
    }

    /// All who are known, as of now.
    pub fn members(&self, view: &Catalog) -> Vec<Acknowledged> {
        let now = Instant::now();
        let mut barrier = self.barrier(now);
        self.report_faces(&mut barrier, view, now);
        barrier.members(now).map(Acknowledged::of).collect()
    }

    /// Every look at the barrier tells it that this process goes on: while that stands still no worker can report.
    fn barrier(&self, now: Instant) -> MutexGuard<'_, Barrier> {
        let mut barrier = self.inner.barrier.lock();
        let looked = barrier.looked();
        if barrier.awake(now) {
            let still = looked.map(|looked| now.saturating_duration_since(looked)).unwrap_or_default();
            tracing::warn!(?still, "the agent has stood still: whoever routes is waited for anew");
        }
        barrier
    }

    fn report_faces(&self, barrier: &mut Barrier, view: &Catalog, now: Instant) {
        for face in [Face::Dns, Face::Http] {
            // They give addresses away and have nothing in flight: those who were given one have a grace of their own.
            barrier.report(&self.member(face, 0), view.routing_revision(), [], now);
        }
    }

    fn member(&self, face: Face, worker: usize) -> MemberId {
        MemberId { node: self.inner.node.clone(), face, worker: u32::try_from(worker).unwrap_or(u32::MAX) }
    }
}

fn is_draining(instance: &Instance) -> bool {
    instance.phase == Phase::Running && instance.health == Health::Draining
}

/// Taken out by a person: it stays, and gets nothing new.
fn is_maintained(instance: &Instance) -> bool {
    instance.phase == Phase::Running && instance.health == Health::Maintenance
}

fn held_by(barrier: &Barrier, question: &Question, now: Instant) -> Option<Held> {
    let Verdict::Waiting(by) = barrier.verdict(question, now) else { return None };
    let wakeups = [Some(question.deadline), barrier.next_wakeup(now)].into_iter().flatten();
    let next = wakeups.filter(|wakeup| *wakeup > now).min().unwrap_or(now + LEASE);
    Some(Held { by, rest: next - now })
}

#[cfg(test)]
mod tests {
    use adsum_catalog::records;
    use adsum_keyspace::{Database, Keyspace, Now};
    use adsum_model::{Berth, Service, Spec};

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn instance(seed: u64, health: Health) -> Instance {
        let berth = Berth {
            id: InstanceId::from_seed(seed),
            node: name("n1"),
            endpoint: "127.0.0.1:20000".parse().unwrap(),
        };
        Instance { phase: Phase::Running, health, proven: true, ..Instance::planned(name("web"), berth) }
    }

    /// A catalog in which one instance of `web` drains and another passes.
    fn catalog() -> Catalog {
        let mut keyspace = Keyspace::default();
        let spec = Spec::new(name("web"), vec!["serve".into()]);
        keyspace
            .transact(Now::default(), |tx| {
                records::put_service(tx, &Service::new(spec, 1, 0));
                records::put_instance(tx, &mut instance(1, Health::Draining));
                records::put_instance(tx, &mut instance(2, Health::Passing));
            })
            .unwrap();
        Catalog::load(keyspace.keys(Database::System), keyspace.revision())
    }

    fn held(acknowledgements: &Acknowledgements, tick: u64) -> Vec<String> {
        let catalog = catalog();
        let state = catalog.service(&name("web")).unwrap();
        let held = acknowledgements.held(&catalog, state, tick);
        held.into_values().flat_map(|held| held.by).map(|holdup| holdup.to_string()).collect()
    }

    #[test]
    fn an_instance_is_held_until_every_worker_has_applied_its_drain_and_has_nothing_in_flight() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        [0, 1].into_iter().for_each(|worker| acknowledgements.join(worker));
        let revision = catalog().routing_revision();
        assert_eq!(held(&acknowledgements, 0).len(), 2);
        let in_flight = InFlight { requests: 1, upgrades: 0 };
        acknowledgements.report(0, revision, [(InstanceId::from_seed(1), in_flight)]);
        acknowledgements.report(1, revision, []);
        assert_eq!(held(&acknowledgements, 0), ["gateway on node n1 (worker 0) has 1 request in flight"]);
        // Past the drain time-out what is in flight counts no longer.
        assert_eq!(held(&acknowledgements, 31_000), Vec::<String>::new());
        acknowledgements.report(0, revision, []);
        assert_eq!(held(&acknowledgements, 0), Vec::<String>::new());
    }

    #[test]
    fn the_gateway_of_a_predecessor_is_waited_for_until_it_has_nothing_or_says_farewell() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        let revision = catalog().routing_revision();
        let (two, three) = (Face::Predecessor(2), Face::Predecessor(3));
        acknowledgements.adopt(2, 1);
        acknowledgements.adopt(3, 1);
        assert_eq!(held(&acknowledgements, 0).len(), 2);
        let in_flight = InFlight { requests: 1, upgrades: 0 };
        acknowledgements.report_of(two, 0, revision, [(InstanceId::from_seed(1), in_flight)]);
        acknowledgements.report_of(three, 0, revision, [(InstanceId::from_seed(1), in_flight)]);
        let by =
            "gateway of process 2 on node n1 (worker 0), which was taken over from, has 1 request in flight";
        assert_eq!(held(&acknowledgements, 0)[0], by);
        acknowledgements.report_of(two, 0, revision, []);
        assert_eq!(held(&acknowledgements, 0).len(), 1);
        let mut changed = acknowledgements.subscribe();
        changed.borrow_and_update();
        acknowledgements.dismiss(3);
        assert!(changed.has_changed().unwrap());
        assert_eq!(held(&acknowledgements, 0), Vec::<String>::new());
        assert_eq!(acknowledgements.workers(), [], "they are none of this process");
    }

    #[test]
    fn an_address_is_hidden_since_the_view_shows_that_its_instance_drains() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        let catalog = catalog();
        let state = catalog.service(&name("web")).unwrap();
        let hidden = |catalog: &Catalog| acknowledgements.hidden(catalog, state);
        // Its record is as old as the keyspace, and nobody has seen it.
        let first = hidden(&catalog);
        assert_eq!(first.into_iter().collect::<Vec<_>>(), [(InstanceId::from_seed(1), Duration::ZERO)]);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {}
        assert!(hidden(&catalog)[&InstanceId::from_seed(1)] >= Duration::from_millis(2));
        // It has gone from the view, and what was known of it too.
        let _ = acknowledgements.hidden(&Catalog::default(), &ServiceState::default());
        assert!(acknowledgements.inner.hidden.lock().is_empty());
    }

    #[test]
    fn a_report_after_which_a_verdict_may_be_another_wakes_who_waits() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        acknowledgements.join(0);
        let mut changed = acknowledgements.subscribe();
        changed.borrow_and_update();
        acknowledgements.report(0, Revision(7), []);
        assert!(changed.has_changed().unwrap());
        changed.borrow_and_update();
        acknowledgements.report(0, Revision(7), []);
        assert!(!changed.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_revision_is_reached_when_the_last_worker_has_applied_it() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        acknowledgements.reached(Revision(7)).await;
        [0, 1].into_iter().for_each(|worker| acknowledgements.join(worker));
        acknowledgements.report(0, Revision(7), []);
        let mut reached = std::pin::pin!(acknowledgements.reached(Revision(7)));
        let early = tokio::time::timeout(std::time::Duration::ZERO, &mut reached).await;
        assert!(early.is_err());
        acknowledgements.report(1, Revision(8), []);
        reached.await;
    }

    /// Of its gateway, or of one before it: what it has not reported it will never report.
    #[tokio::test]
    async fn a_worker_that_leaves_while_it_is_waited_for_is_in_nobodys_way() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        let revision = catalog().routing_revision();
        let in_flight = || [(InstanceId::from_seed(1), InFlight { requests: 1, upgrades: 0 })];
        [0, 1].into_iter().for_each(|worker| acknowledgements.join(worker));
        acknowledgements.adopt(7, 1);
        acknowledgements.report(0, revision, []);
        acknowledgements.report(1, revision, in_flight());
        acknowledgements.report_of_predecessor(7, 0, revision, in_flight());
        assert_eq!(held(&acknowledgements, 0).len(), 2);
        let later = Revision(revision.0 + 1);
        acknowledgements.report(0, later, []);
        let mut reached = std::pin::pin!(acknowledgements.reached(later));
        let early = tokio::time::timeout(Duration::ZERO, &mut reached).await;
        assert!(early.is_err(), "two of three have not come so far");
        acknowledgements.end(1);
        assert_eq!(held(&acknowledgements, 0).len(), 1);
        let early = tokio::time::timeout(Duration::ZERO, &mut reached).await;
        assert!(early.is_err(), "one of three has not come so far");
        acknowledgements.report_of_predecessor(7, 0, ENDED, []);
        assert_eq!(held(&acknowledgements, 0), Vec::<String>::new());
        // Woken, and not by its lease.
        reached.await;
    }

    #[test]
    fn the_faces_of_this_process_answer_from_the_view_that_is_asked_about() {
        let acknowledgements = Acknowledgements::new(name("n1"));
        let catalog = catalog();
        let members = acknowledgements.members(&catalog);
        let faces: Vec<_> =
            members.iter().map(|member| (member.id.face, member.applied, member.live)).collect();
        let revision = catalog.routing_revision();
        assert_eq!(faces, [(Face::Dns, revision, true), (Face::Http, revision, true)]);
    }
}
