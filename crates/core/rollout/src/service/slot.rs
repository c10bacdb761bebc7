//! One slot: its instances, sorted by what they are to it.

use adsum_model::{Health, Instance, Phase};

use super::{Pace, Situation, is_maintained};

pub(crate) struct Slot<'a> {
    pub(crate) number: u32,
    /// Of the current version and staying, the one that serves best first.
    pub(crate) current: Vec<&'a Instance>,
    /// Of another version and in service.
    pub(crate) old: Vec<&'a Instance>,
    /// In service on a node that is being emptied, whatever their version.
    pub(crate) drained: Vec<&'a Instance>,
    /// On their way out.
    pub(crate) leaving: Vec<&'a Instance>,
    /// Of the current version, ended by itself since its rollout began and not to be started again: done, or given up.
    pub(crate) ended: Option<&'a Instance>,
    /// Emptied since the rollout began, or about to be.
    pub(crate) is_begun: bool,
}

impl<'a> Slot<'a> {
    /// `begun`: the tick at which the rollout to the version began.
    pub(crate) fn of(number: u32, version: u32, begun: u64, situation: &Situation<'a>) -> Slot<'a> {
        let mut slot = Slot {
            number,
            current: vec![],
            old: vec![],
            drained: vec![],
            leaving: vec![],
            ended: None,
            is_begun: false,
        };
        for instance in situation.state.slot(number) {
            slot.take_in(instance, version, begun, situation);
        }
        slot.current.sort_by_key(|instance| !instance.is_routable());
        slot
    }

    fn take_in(&mut self, instance: &'a Instance, version: u32, begun: u64, situation: &Situation<'a>) {
        let is_new = instance.since >= begun;
        match instance.phase {
            Phase::Failed | Phase::Complete if instance.version == version && is_new => {
                self.ended = Some(instance);
            }
            Phase::Stopped => self.is_begun |= is_new && instance.version != version,
            Phase::Complete | Phase::Failed => {}
            Phase::Stopping => self.let_go(instance, is_new && instance.version != version),
            Phase::Planned | Phase::Running | Phase::Backoff if instance.health == Health::Draining => {
                self.let_go(instance, is_new && instance.version != version);
            }
            Phase::Planned | Phase::Running | Phase::Backoff => {
                if situation.drained.contains(&instance.node) {
                    self.drained.push(instance);
                } else if instance.version == version {
                    self.current.push(instance);
                } else {
                    self.old.push(instance);
                }
            }
        }
    }

    fn let_go(&mut self, instance: &'a Instance, begins: bool) {
        self.is_begun |= begins;
        self.leaving.push(instance);
    }

    /// All that are not over.
    pub(crate) fn live(&self) -> impl Iterator<Item = &'a Instance> {
        self.staying().chain(self.leaving.iter().copied())
    }

    /// Those that nobody has told to go.
    pub(crate) fn staying(&self) -> impl Iterator<Item = &'a Instance> {
        [&self.current, &self.old, &self.drained].into_iter().flatten().copied()
    }

    pub(super) fn maintained(&self) -> impl Iterator<Item = &'a Instance> {
        self.staying().filter(|instance| is_maintained(instance))
    }

    /// Nobody stays in it, and none has done its work.
    pub(super) fn is_empty(&self) -> bool {
        self.staying().next().is_none() && !self.is_done()
    }

    /// Its instance of the current version has done its work.
    pub(crate) fn is_done(&self) -> bool {
        self.ended.is_some_and(|instance| instance.phase == Phase::Complete)
    }

    /// One of an older version is here, and none of the current one.
    pub(crate) fn is_outdated(&self) -> bool {
        self.current.is_empty() && self.ended.is_none() && !self.old.is_empty()
    }

    /// Nothing has to happen here before another slot may change: one that serves is here, one that was not yet touched,
    /// or one that has failed, which the rollout bears. What it replaced may still be on its way out.
    pub(crate) fn is_in_place(&self, pace: &Pace<'_>) -> bool {
        let filled = self.ended.is_some() || self.staying().next().is_some();
        filled && self.current.iter().all(|instance| pace.bears(instance))
    }

    /// An instance of the current version has stayed here for as long as it is watched.
    pub(crate) fn is_settled(&self, pace: &Pace<'_>, tick: u64) -> bool {
        self.is_done() || self.current.iter().any(|instance| pace.is_settled(instance, tick))
    }

    /// The same, and by itself: one that is out of use by a person has shown nothing.
    pub(super) fn has_stayed_well(&self, pace: &Pace<'_>, tick: u64) -> bool {
        let stays = |instance: &&Instance| !is_maintained(instance) && pace.is_settled(instance, tick);
        self.is_done() || self.current.iter().copied().any(|instance| stays(&instance))
    }

    /// Of versions that were given up before they were proven, where the one before them still serves, or they do not.
    pub(super) fn superseded(&self, pace: &Pace<'_>) -> impl Iterator<Item = &'a Instance> {
        let rank = |instance: &Instance| (!pace.is_from(instance), !instance.is_routable());
        let best = self.old.iter().copied().min_by_key(|instance| rank(instance));
        let old = self.old.clone();
        old.into_iter().filter(move |instance| {
            best.is_some_and(|best| best.id != instance.id && (best.is_routable() || !instance.is_routable()))
        })
    }
}
