//! The barrier: nobody takes an instance away before all who route, or give its address away, have let go of it.
//!
//! ```text
//! instance i is draining since revision 7        verdict on (i, 7)
//!   worker 0 has applied 7, 2 requests on i      waiting on worker 0: 2 requests in flight
//!   worker 1 has applied 6                       waiting on worker 1: has applied 6 of 7
//!   worker 0 has applied 7, worker 1 7, none     passed
//! ```
//!
//! Each report renews a lease; a member whose lease has lapsed blocks nobody, since it may be dead. After the deadline
//! what is in flight blocks no longer, and what has not been applied still does. Nothing here is kept over a restart:
//! members join again and report what they have applied.
//!
//! A silence of a member is told from a standstill of the observer itself (a stopped process, a paused machine) by
//! [`Barrier::awake`]: nobody loses its lease while nobody could have listened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use adsum_model::{InstanceId, Name, Revision};
use serde::{Deserialize, Serialize};

/// How long a member counts after its last report.
pub const LEASE: Duration = Duration::from_secs(5);
/// How often the observer has to look around while it waits for somebody.
pub const LOOK: Duration = Duration::from_secs(1);
/// An observer that has not looked for longer than this has stood still.
pub const STANDSTILL: Duration = Duration::from_secs(2);
/// How long a member whose lease has lapsed is remembered, so that people can see that it has gone.
pub const REMEMBERED: Duration = Duration::from_secs(60);

/// All who route or give addresses away, and how far they are.
#[derive(Clone, Debug, Default)]
pub struct Barrier {
    members: BTreeMap<MemberId, Member>,
    /// When the observer looked around last.
    looked: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId {
    pub node: Name,
    pub face: Face,
    /// From 0; of faces that are one whole it is 0.
    pub worker: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Face {
    Gateway,
    /// The gateway of a process that another has taken over from, on its way out.
    Predecessor(u32),
    Dns,
    Http,
}

/// What a member has on an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    pub requests: u64,
    /// Upgraded and TCP connections.
    pub upgrades: u64,
}

/// Whether an instance may be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub instance: InstanceId,
    /// As of which the instance gets nothing new.
    pub revision: Revision,
    /// From then on what is in flight blocks no longer.
    pub deadline: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// In the order of the members.
    Waiting(Vec<Holdup>),
}

/// Who is waited for, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdup {
    pub member: MemberId,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Behind { applied: Revision, wanted: Revision },
    InFlight(InFlight),
}

/// How a member is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState<'a> {
    pub id: &'a MemberId,
    pub applied: Revision,
    /// Of instances that get nothing new.
    pub in_flight: &'a BTreeMap<InstanceId, InFlight>,
    /// Whether it has reported lately, so that it is waited for.
    pub live: bool,
}

#[derive(Clone, Debug)]
struct Member {
    applied: Revision,
    in_flight: BTreeMap<InstanceId, InFlight>,
    lease_ends: Instant,
}

impl Barrier {
    /// The observer looks around, before anything else that it does. If it has stood still since it last did, all leases
    /// are longer by that time: whoever reported meanwhile has not been heard. Says whether that was so.
    pub fn awake(&mut self, now: Instant) -> bool {
        let still = self.looked.map(|looked| now.saturating_duration_since(looked)).unwrap_or_default();
        self.looked = self.looked.max(Some(now));
        let stood_still = still > STANDSTILL;
        if stood_still {
            self.members.values_mut().for_each(|member| member.lease_ends += still);
        }
        stood_still
    }

    /// When the observer looked around last.
    pub fn looked(&self) -> Option<Instant> {
        self.looked
    }

    /// Somebody begins to route, or begins anew: what it said before no longer counts. It is waited for at once.
    pub fn join(&mut self, id: MemberId, now: Instant) {
        self.forget_the_gone(now);
        let member = Member { applied: Revision::ZERO, in_flight: BTreeMap::new(), lease_ends: now + LEASE };
        self.members.insert(id, member);
    }

    /// Somebody has ended politely, and has nothing in flight any more.
    pub fn leave(&mut self, id: &MemberId) {
        self.members.remove(id);
    }

    /// The same for several.
    pub fn leave_all(&mut self, which: impl Fn(&MemberId) -> bool) {
        self.members.retain(|id, _| !which(id));
    }

    /// Takes in what a member says of itself, and renews its lease. Says whether a verdict may have become another. A
    /// report that was overtaken by one of a later revision says nothing; a member that is not known, or whose lease has
    /// lapsed, joins.
    pub fn report(
        &mut self,
        id: &MemberId,
        applied: Revision,
        in_flight: impl IntoIterator<Item = (InstanceId, InFlight)>,
        now: Instant,
    ) -> bool {
        let is_live = self.members.get(id).is_some_and(|member| member.is_live(now));
        if !is_live {
            self.join(id.clone(), now);
        }
        let member = self.members.get_mut(id).expect("it has joined just now when it was not there");
        if applied < member.applied {
            return false;
        }
        let in_flight = in_flight.into_iter().filter(|(_, count)| !count.is_none()).collect();
        let changed = !is_live || applied != member.applied || in_flight != member.in_flight;
        *member = Member { applied, in_flight, lease_ends: now + LEASE };
        changed
    }

    pub fn verdict(&self, question: &Question, now: Instant) -> Verdict {
        let live = self.members.iter().filter(|(_, member)| member.is_live(now));
        let holdups: Vec<Holdup> = live
            .filter_map(|(id, member)| {
                let reason = member.holds_up(question, now)?;
                Some(Holdup { member: id.clone(), reason })
            })
            .collect();
        if holdups.is_empty() { Verdict::Passed } else { Verdict::Waiting(holdups) }
    }

    /// When to look around and ask again, though nobody has reported; a question's own deadline comes on top.
    pub fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        let ends = self.lease_ends(now)?;
        Some(ends.min(now + LOOK))
    }

    /// When the first lease ends, if nobody reports.
    fn lease_ends(&self, now: Instant) -> Option<Instant> {
        self.members.values().map(|member| member.lease_ends).filter(|ends| *ends > now).min()
    }

    /// All who are known, in order.
    pub fn members(&self, now: Instant) -> impl Iterator<Item = MemberState<'_>> {
        self.members.iter().map(move |(id, member)| MemberState {
            id,
            applied: member.applied,
            in_flight: &member.in_flight,
            live: member.is_live(now),
        })
    }

    fn forget_the_gone(&mut self, now: Instant) {
        self.members.retain(|_, member| now < member.lease_ends + REMEMBERED);
    }
}

impl Member {
    fn is_live(&self, now: Instant) -> bool {
        now < self.lease_ends
    }

    fn holds_up(&self, question: &Question, now: Instant) -> Option<Reason> {
        if self.applied < question.revision {
            return Some(Reason::Behind { applied: self.applied, wanted: question.revision });
        }
        let in_flight = self.in_flight.get(&question.instance).filter(|_| now < question.deadline);
        in_flight.map(|in_flight| Reason::InFlight(*in_flight))
    }
}

impl Verdict {
    pub fn is_passed(&self) -> bool {
        *self == Verdict::Passed
    }
}

impl InFlight {
    pub fn is_none(&self) -> bool {
        *self == InFlight::default()
    }
}

impl fmt::Display for Holdup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.member, self.reason)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.face {
            Face::Gateway => write!(f, "gateway on node {} (worker {})", self.node, self.worker),
            Face::Predecessor(process) => write!(
                f,
                "gateway of process {process} on node {} (worker {}), which was taken over from,",
                self.node, self.worker
            ),
            Face::Dns => write!(f, "dns on node {}", self.node),
            Face::Http => write!(f, "http on node {}", self.node),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Behind { applied, wanted } => write!(f, "has applied {applied} of {wanted}"),
            Reason::InFlight(in_flight) => write!(f, "has {in_flight} in flight"),
        }
    }
}

/// `3 requests and 1 upgraded connection`.
impl fmt::Display for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = counted(self.requests, "request");
        let upgrades = counted(self.upgrades, "upgraded connection");
        match (self.requests, self.upgrades) {
            (_, 0) => f.write_str(&requests),
            (0, _) => f.write_str(&upgrades),
            _ => write!(f, "{requests} and {upgrades}"),
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
