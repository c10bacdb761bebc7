//! Both sides together, with every interruption at every step.
//!
//! ```text
//! World { giver, taker, what is under way between them, who lives, who has the journal's lock }
//!   a step: a message arrives, work is done, somebody dies, time runs out
//! ```
//!
//! All worlds that can come of the first one are looked at, not some.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use adsum_model::Name;
use adsum_takeover::{Giver, Giving, Heard, Hello, PROTOCOL, Refusal, Taker, Taking, Told};

const USER: u32 = 1000;

fn hello() -> Hello {
    let node: Name = "one".parse().unwrap();
    Hello { protocol: PROTOCOL, version: "1".into(), node, data: (1, 2) }
}

fn told_hello() -> Told {
    Told::Hello { hello: hello(), process: 7, user: USER }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Old,
    New,
}

/// What a side has still to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Close,
    Open,
    Resume,
}

#[derive(Clone, Debug, PartialEq)]
struct World {
    giver: Giver,
    taker: Taker,
    to_old: VecDeque<Told>,
    to_new: VecDeque<Heard>,
    old_work: Option<Work>,
    new_work: Option<Work>,
    old_lives: bool,
    new_lives: bool,
    lock: Option<Side>,
    /// Whether each side has seen the other go.
    old_knows: bool,
    new_knows: bool,
    retired: bool,
}

impl World {
    fn new() -> World {
        World {
            giver: Giver::new(USER, hello()),
            taker: Taker::default(),
            to_old: [told_hello()].into(),
            to_new: VecDeque::new(),
            old_work: None,
            new_work: None,
            old_lives: true,
            new_lives: true,
            lock: Some(Side::Old),
            old_knows: false,
            new_knows: false,
            retired: false,
        }
    }

    fn tell(&mut self, told: Told) {
        match self.giver.handle(told) {
            None => {}
            Some(Giving::Refuse(_)) => self.to_new.push_back(Heard::Refused),
            Some(Giving::Offer) => self.to_new.push_back(Heard::Offer),
            Some(Giving::Close) => self.old_work = Some(Work::Close),
            Some(Giving::Give) => self.to_new.push_back(Heard::Yours),
            Some(Giving::Retire) => self.retired = true,
            Some(Giving::Kill) => self.kill_new(),
            Some(Giving::Part) => self.to_new.push_back(Heard::Lost),
            Some(Giving::Resume) => self.old_work = Some(Work::Resume),
        }
    }

    fn hear(&mut self, heard: Heard) {
        match self.taker.handle(heard) {
            None => {}
            Some(Taking::Take) => self.to_old.push_back(Told::Take),
            Some(Taking::Open) => self.new_work = Some(Work::Open),
            Some(Taking::Serve) => self.to_old.push_back(Told::Serving),
            Some(Taking::GiveUp) => self.kill_new(),
        }
    }

    fn kill_new(&mut self) {
        self.new_lives = false;
        self.new_work = None;
        if self.lock == Some(Side::New) {
            self.lock = None;
        }
    }

    fn kill_old(&mut self) {
        self.old_lives = false;
        self.old_work = None;
        if self.lock == Some(Side::Old) {
            self.lock = None;
        }
    }

    fn old_works(&mut self) -> Option<()> {
        match self.old_work.filter(|_| self.old_lives)? {
            Work::Close => {
                assert_eq!(self.lock.take(), Some(Side::Old));
                self.old_work = None;
                self.tell(Told::Closed);
            }
            // It waits until the lock is free.
            Work::Resume if self.lock.is_none() => {
                self.lock = Some(Side::Old);
                self.old_work = None;
                self.tell(Told::Resumed);
            }
            Work::Resume | Work::Open => return None,
        }
        Some(())
    }

    fn new_works(&mut self, fails: bool) -> Option<()> {
        self.new_work.filter(|_| self.new_lives)?;
        self.new_work = None;
        if fails {
            self.hear(Heard::Failed);
        } else {
            assert_eq!(self.lock, None, "whoever is told Open finds the lock free");
            self.lock = Some(Side::New);
            self.hear(Heard::Opened);
        }
        Some(())
    }

    /// Everything that can happen next, with its name.
    fn next(&self) -> Vec<(&'static str, World)> {
        let mut worlds = Vec::new();
        let mut step = |name, act: &dyn Fn(&mut World) -> Option<()>| {
            let mut world = self.clone();
            if act(&mut world).is_some() && world != *self {
                worlds.push((name, world));
            }
        };
        step("old hears", &|world| {
            let told = world.to_old.pop_front().filter(|_| world.old_lives)?;
            world.tell(told);
            Some(())
        });
        step("new hears", &|world| {
            let heard = world.to_new.pop_front().filter(|_| world.new_lives)?;
            world.hear(heard);
            Some(())
        });
        step("old works", &World::old_works);
        step("new works", &|world| world.new_works(false));
        step("new cannot open", &|world| world.new_works(true));
        step("old sees that new is gone", &|world| {
            let news = world.old_lives && !world.new_lives && world.to_old.is_empty() && !world.old_knows;
            news.then(|| {
                world.old_knows = true;
                world.tell(Told::Lost);
            })
        });
        step("new sees that old is gone", &|world| {
            let news = world.new_lives && !world.old_lives && world.to_new.is_empty() && !world.new_knows;
            news.then(|| {
                world.new_knows = true;
                world.hear(Heard::Lost);
            })
        });
        step("new dies", &|world| world.new_lives.then(|| world.kill_new()));
        step("old dies", &|world| world.old_lives.then(|| world.kill_old()));
        step("time runs out", &|world| world.old_lives.then(|| world.tell(Told::Expired)));
        worlds
    }

    fn check(&self, path: &[&str]) {
        let old = self.old_lives && self.giver.is_agent();
        let new = self.new_lives && self.taker.is_agent();
        assert!(!(old && new), "two agents: {path:?}");
        assert!(!old || self.lock == Some(Side::Old), "the old one has no lock: {path:?}");
        assert!(!new || self.lock == Some(Side::New), "the new one has no lock: {path:?}");
        // Once nothing is under way any more, somebody who lives is the agent, unless it died after the commit point,
        // or the old one died in the middle.
        let stuck = self.next().iter().all(|(name, _)| name.ends_with("dies") || *name == "time runs out");
        if stuck && self.old_lives && self.giver != retired() {
            assert!(old || self.is_waiting_for_new(), "nobody goes on: {path:?}\n{self:?}");
        }
    }

    /// It hangs: that is what the time is for.
    fn is_waiting_for_new(&self) -> bool {
        self.new_lives && self.next().iter().any(|(name, _)| *name == "time runs out")
    }
}

fn retired() -> Giver {
    let mut giver = Giver::new(USER, hello());
    for told in [told_hello(), Told::Take, Told::Closed, Told::Serving] {
        giver.handle(told);
    }
    assert!(giver.is_retired());
    giver
}

/// All worlds, each with a way there.
fn explore() -> Vec<(World, Vec<&'static str>)> {
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    let mut all = Vec::new();
    let mut open = VecDeque::from([(World::new(), Vec::new())]);
    while let Some((world, path)) = open.pop_front() {
        if seen.insert(format!("{world:?}"), ()).is_some() {
            continue;
        }
        for (name, next) in world.next() {
            open.push_back((next, [&path[..], &[name]].concat()));
        }
        all.push((world, path));
    }
    all
}

#[test]
fn whatever_interrupts_a_takeover_there_is_never_more_than_one_agent_and_one_goes_on() {
    let all = explore();
    assert!(all.len() > 50, "{}", all.len());
    all.iter().for_each(|(world, path)| world.check(path));
}

#[test]
fn every_end_is_among_them() {
    let all = explore();
    let any = |which: &dyn Fn(&World) -> bool| all.iter().any(|(world, _)| which(world));
    assert!(any(&|world| world.retired && world.taker.is_agent() && world.new_lives), "it can succeed");
    assert!(any(&|world| !world.new_lives && world.old_knows && world.giver.is_agent()), "or be called off");
    assert!(any(&|world| !world.old_lives && world.taker.is_agent()), "or end with the old one's death");
    assert!(any(&|world| world.retired && !world.new_lives), "or with the new one's, too late");
}

/// The new one dies behind each of the first steps of a takeover that would succeed.
#[test]
fn a_new_one_that_dies_before_the_commit_point_leaves_the_old_one_as_it_was() {
    let told = [told_hello(), Told::Take, Told::Closed];
    for steps in 1..=told.len() {
        let mut giver = Giver::new(USER, hello());
        told[..steps].iter().cloned().for_each(|told| drop(giver.handle(told)));
        let last = match giver.handle(Told::Lost) {
            Some(Giving::Part) => None,
            Some(Giving::Resume) => giver.handle(Told::Resumed),
            None => {
                assert_eq!(giver.handle(Told::Closed), Some(Giving::Resume));
                giver.handle(Told::Resumed)
            }
            other => panic!("after {steps} steps: {other:?}"),
        };
        assert_eq!(last, None);
        assert_eq!(giver, Giver::new(USER, hello()), "after {steps} steps");
    }
}

#[test]
fn a_new_one_that_hangs_is_killed_before_the_old_one_goes_on() {
    let mut giver = Giver::new(USER, hello());
    [told_hello(), Told::Take, Told::Closed].into_iter().for_each(|told| drop(giver.handle(told)));
    assert_eq!(giver.handle(Told::Expired), Some(Giving::Kill));
    // What it says in its last moment comes too late.
    assert_eq!(giver.handle(Told::Serving), None);
    assert_eq!(giver.handle(Told::Lost), Some(Giving::Resume));
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Hello, &mut u32), expect: Refusal) {
    let (mut hello, mut user) = (hello(), USER);
    change(&mut hello, &mut user);
    let mut giver = Giver::new(USER, self::hello());
    let before = giver.clone();
    assert_eq!(giver.handle(Told::Hello { hello, process: 7, user }), Some(Giving::Refuse(expect)));
    assert_eq!(giver, before);
}

#[test]
fn whoever_is_not_the_same_agent_is_refused() {
    refused(|hello, _| hello.protocol = 9, Refusal::Protocol { ours: PROTOCOL, theirs: 9 });
    refused(|_, user| *user = 0, Refusal::User { ours: USER, theirs: 0 });
    refused(|hello, _| hello.data = (1, 3), Refusal::Data);
    let two: Name = "two".parse().unwrap();
    let node = Refusal::Node { ours: "one".parse().unwrap(), theirs: two.clone() };
    refused(|hello, _| hello.node = two, node);
}

#[test]
fn one_takeover_is_let_in_at_a_time() {
    let mut giver = Giver::new(USER, hello());
    assert_eq!(giver.handle(told_hello()), Some(Giving::Offer));
    assert_eq!(giver.handle(told_hello()), Some(Giving::Refuse(Refusal::Busy(7))));
    assert_eq!(retired().handle(told_hello()), Some(Giving::Refuse(Refusal::Over)));
}
