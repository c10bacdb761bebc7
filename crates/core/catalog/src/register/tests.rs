//! What each verb leaves on record, and what it leaves alone.

use std::time::Duration;

use adsum_keyspace::{Keyspace, Now};
use adsum_model::registered::{Definition, Kind, Place, Status};

use super::check::checks_of;
use super::key::attached_key;
use super::*;
use crate::records::delete;
use crate::{Catalog, checks};

fn service(id: &str, name: &str) -> Service {
    Service { node: "N1".into(), id: id.into(), service: name.into(), port: 80, ..Service::default() }
}

fn ttl(id: &str, of: &str) -> Check {
    let definition = Definition { kind: Kind::Ttl(Duration::from_secs(10)), ..Definition::default() };
    Check { node: "N1".into(), id: id.into(), service: of.into(), definition, ..Check::default() }
}

#[derive(Default)]
struct Kept(Keyspace);

impl Kept {
    fn at<T>(&mut self, tick: u64, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        self.0.transact(Now { tick, wall: tick }, body).unwrap().reply
    }

    fn keys(&self) -> Vec<String> {
        let keys = self.0.keys(Database::System).iter();
        let names = keys.map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        names.filter(|name| !name.starts_with("event/")).collect()
    }

    /// Of the events, oldest first.
    fn kinds(&self) -> Vec<String> {
        self.catalog().events().map(|(_, event)| event.kind.clone()).collect()
    }

    fn catalog(&self) -> Catalog {
        Catalog::load(self.0.keys(Database::System), self.0.revision())
    }
}

#[test]
fn a_service_and_its_checks_come_and_go_together() {
    let mut kept = Kept::default();
    kept.at(0, |tx| register_service(tx, &service("a/b", "Web"), vec![ttl("c", "a/b")], Others::Stay))
        .unwrap();
    assert_eq!(kept.keys(), ["beat/n1/c", "check-of/n1/a%2Fb/c", "check/n1/c", "registered/n1/a%2Fb"]);
    let catalog = kept.catalog();
    let registry = catalog.registry();
    assert_eq!(registry.named("WEB").count(), 1);
    assert_eq!(registry.service("n1", "a/b").unwrap().service, "Web");
    assert_eq!(registry.status(registry.service("n1", "a/b").unwrap()), Status::Critical);
    assert!(kept.at(0, |tx| deregister_service(tx, "n1", "a/b")).was_there);
    assert!(!kept.at(0, |tx| deregister_service(tx, "n1", "a/b")).was_there);
    assert_eq!(kept.keys(), [""; 0]);
}

#[test]
fn what_is_registered_again_as_it_is_changes_nothing_and_stays_as_it_was_found() {
    let mut kept = Kept::default();
    let register = |tx: &mut Transaction<'_>| {
        register_service(tx, &service("a", "web"), vec![ttl("c", "a")], Others::Stay).unwrap();
    };
    kept.at(0, register);
    assert!(kept.at(1, |tx| heard(tx, "n1", "c", Status::Passing, "fine")));
    let before = kept.0.revision();
    kept.at(2, register);
    assert_eq!(kept.0.revision(), before);
    let check = kept.at(2, |tx| check(tx, "n1", "c")).unwrap();
    assert_eq!((check.status, check.output.as_str(), check.since), (Status::Passing, "fine", 1));
}

#[test]
fn checks_that_are_not_registered_again_go_when_that_is_asked_for() {
    let mut kept = Kept::default();
    let mut register = |checks: Vec<Check>, others| {
        kept.at(0, |tx| register_service(tx, &service("a", "web"), checks, others)).unwrap();
        let ids = kept.at(0, |tx| checks_of(tx, "n1", "a")).into_iter().map(|check| check.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(register(vec![ttl("one", "a")], Others::Stay), ["one"]);
    assert_eq!(register(vec![ttl("two", "a")], Others::Stay), ["one", "two"]);
    assert_eq!(register(vec![ttl("two", "a")], Others::Go), ["two"]);
}

#[test]
fn a_check_of_a_service_that_is_not_there_is_refused() {
    let mut kept = Kept::default();
    let refused = kept.at(0, |tx| register_check(tx, ttl("c", "none"))).unwrap_err();
    assert_eq!(refused.to_string(), "ServiceID \"none\" does not exist");
    kept.at(0, |tx| register_check(tx, ttl("c", ""))).unwrap();
    assert_eq!(kept.catalog().registry().node_status("n1"), Status::Critical);
}

#[test]
fn a_ttl_check_is_critical_when_there_was_no_sign_of_life_for_its_ttl() {
    let mut kept = Kept::default();
    kept.at(0, |tx| register_check(tx, ttl("c", ""))).unwrap();
    kept.at(4_000, |tx| heard(tx, "n1", "c", Status::Passing, "fine"));
    kept.at(14_000, |tx| expired(tx, "n1", "c"));
    assert_eq!(kept.at(14_000, |tx| check(tx, "n1", "c")).unwrap().status, Status::Passing);
    kept.at(14_001, |tx| expired(tx, "n1", "c"));
    let check = kept.at(14_001, |tx| check(tx, "n1", "c")).unwrap();
    let expect = "TTL expired (last output before timeout follows): fine";
    assert_eq!((check.status, check.output.as_str(), check.since), (Status::Critical, expect, 14_001));
}

#[test]
fn a_sign_of_life_that_says_nothing_new_does_not_change_the_check() {
    let mut kept = Kept::default();
    kept.at(0, |tx| register_check(tx, ttl("c", ""))).unwrap();
    kept.at(1, |tx| heard(tx, "n1", "c", Status::Passing, ""));
    let before = kept.catalog().registry().check("n1", "c").unwrap().modified;
    kept.at(2, |tx| heard(tx, "n1", "c", Status::Passing, ""));
    assert_eq!(kept.catalog().registry().check("n1", "c").unwrap().modified, before);
    assert!(kept.at(3, |tx| !heard(tx, "n1", "none", Status::Passing, "")));
}

#[test]
fn a_service_goes_when_it_has_been_critical_for_as_long_as_its_check_allows() {
    let mut kept = Kept::default();
    let mut dying = ttl("c", "a");
    dying.definition.deregister_after = Some(Duration::from_secs(60));
    kept.at(1_000, |tx| register_service(tx, &service("a", "web"), vec![dying.clone()], Others::Stay))
        .unwrap();
    kept.at(60_999, |tx| reap(tx, &dying));
    assert!(kept.at(60_999, |tx| super::service(tx, "n1", "a")).is_some());
    kept.at(61_000, |tx| reap(tx, &dying));
    assert!(kept.at(61_000, |tx| super::service(tx, "n1", "a")).is_none());
}

#[test]
fn what_was_looked_at_before_it_was_defined_anew_does_not_count() {
    let mut kept = Kept::default();
    let probed = |url: &str| {
        let kind = Kind::Udp { address: url.into() };
        Check { definition: Definition { kind, ..Definition::default() }, ..ttl("c", "") }
    };
    kept.at(0, |tx| register_check(tx, probed("a"))).unwrap();
    kept.at(0, |tx| register_check(tx, probed("b"))).unwrap();
    kept.at(1, |tx| observed(tx, &probed("a"), Status::Passing, ""));
    assert_eq!(kept.at(1, |tx| check(tx, "n1", "c")).unwrap().status, Status::Critical);
    kept.at(1, |tx| observed(tx, &probed("b"), Status::Passing, ""));
    assert_eq!(kept.at(1, |tx| check(tx, "n1", "c")).unwrap().status, Status::Passing);
}

#[test]
fn a_node_goes_with_all_that_is_registered_there() {
    let mut kept = Kept::default();
    let node = Node { name: "N1".into(), address: "10.0.0.1".into(), ..Node::default() };
    kept.at(0, |tx| {
        tell(tx, Told { node: Some(node.clone()), ..Told::default() }).unwrap();
        let addresses = [("lan".to_string(), Place { address: "10.0.0.1".into(), port: 1 })];
        let with_addresses = Service { tagged_addresses: addresses.into(), ..service("a", "web") };
        register_service(tx, &with_addresses, vec![ttl("c", "a"), ttl("d", "")], Others::Stay).unwrap();
    });
    assert_eq!(kept.catalog().registry().node("n1").unwrap().record, node);
    assert_eq!(kept.catalog().registry().checks_on("n1").count(), 2);
    assert!(!kept.at(0, |tx| deregister_node(tx, "n1")));
    assert_eq!(kept.keys(), [""; 0]);
    let events = kept.kinds().into_iter().filter(|kind| kind.ends_with("-deregistered"));
    assert_eq!(events.collect::<Vec<_>>(), ["node-deregistered"]);
}

#[test]
fn very_many_checks_go_in_pieces_and_the_one_that_says_so_last() {
    let mut kept = Kept::default();
    let mut dying = ttl("0", "a");
    dying.definition.deregister_after = Some(Duration::from_secs(60));
    let many = |kept: &mut Kept| {
        kept.at(0, |tx| {
            let others = (1..=2 * PIECE).map(|number| ttl(&number.to_string(), "a"));
            let checks = others.chain([dying.clone()]).collect();
            register_service(tx, &service("a", "web"), checks, Others::Stay).unwrap();
            register_check(tx, ttl("node", "")).unwrap();
        });
    };
    let left = ["beat/n1/node", "check/n1/node"];
    many(&mut kept);
    assert!(!kept.at(59_999, |tx| reap(tx, &dying)));
    assert!(kept.at(60_000, |tx| reap(tx, &dying)), "a piece is left");
    assert!(kept.at(60_000, |tx| super::service(tx, "n1", "a")).is_none());
    assert!(kept.at(60_000, |tx| check(tx, "n1", "0")).is_some());
    assert!(!kept.at(60_000, |tx| reap(tx, &dying)));
    assert_eq!(kept.keys(), left[1..], "the signs of life have ended");

    let mut kept = Kept::default();
    many(&mut kept);
    let removals = [0; 4].map(|tick| kept.at(tick, |tx| deregister_service(tx, "n1", "a")));
    let removal = |was_there, more| Removal { was_there, more };
    assert_eq!(
        removals,
        [removal(true, true), removal(false, true), removal(false, false), removal(false, false)]
    );
    assert_eq!(kept.keys(), left);

    many(&mut kept);
    assert_eq!([0; 4].map(|tick| kept.at(tick, |tx| deregister_node(tx, "n1"))), [true, true, false, false]);
    assert_eq!(kept.keys(), [""; 0]);
    assert_eq!(kept.kinds().last().unwrap(), "node-deregistered");
}

#[test]
fn a_service_takes_none_of_the_checks_that_only_mention_it() {
    let mut kept = Kept::default();
    let kind = Kind::Alias { node: String::new(), service: "a\"b".into() };
    let alias = Check { definition: Definition { kind, ..Definition::default() }, ..ttl("alias", "b") };
    kept.at(0, |tx| {
        register_service(tx, &service("a\"b", "web"), vec![ttl("own", "a\"b")], Others::Stay).unwrap();
        register_service(tx, &service("b", "web"), vec![alias], Others::Stay).unwrap();
        register_check(tx, ttl("node", "")).unwrap();
    });
    assert!(!kept.at(0, |tx| deregister_service(tx, "n1", "")).was_there);
    assert!(kept.at(0, |tx| deregister_service(tx, "n1", "a\"b")).was_there);
    assert_eq!(
        kept.keys(),
        ["beat/n1/node", "check-of/n1/b/alias", "check/n1/alias", "check/n1/node", "registered/n1/b"]
    );
}

#[test]
fn a_check_that_is_registered_with_another_service_goes_with_that() {
    let mut kept = Kept::default();
    kept.at(0, |tx| {
        register_service(tx, &service("a", "web"), vec![ttl("c", "a")], Others::Stay).unwrap();
        register_service(tx, &service("b", "web"), vec![ttl("c", "b")], Others::Go).unwrap();
        deregister_service(tx, "n1", "a");
    });
    assert!(kept.at(0, |tx| check(tx, "n1", "c")).is_some());
    kept.at(0, |tx| deregister_service(tx, "n1", "b"));
    assert_eq!(kept.keys(), [""; 0]);
}

#[test]
fn words_alone_are_put_on_record_now_and_then_and_a_status_at_once() {
    let mut kept = Kept::default();
    kept.at(0, |tx| register_check(tx, ttl("c", ""))).unwrap();
    let mut say = |tick, status, output: &str| {
        kept.at(tick, |tx| heard(tx, "n1", "c", status, output));
        kept.at(tick, |tx| check(tx, "n1", "c")).unwrap().output
    };
    assert_eq!(say(1, Status::Critical, "starts"), "starts");
    assert_eq!(say(2, Status::Critical, "starts still"), "starts");
    assert_eq!(say(3, Status::Passing, "1 request"), "1 request");
    let pause = checks::OUTPUT_PAUSE.as_millis() as u64;
    for tick in (1000..3 + pause).step_by(5000) {
        assert_eq!(say(tick, Status::Passing, &tick.to_string()), "1 request");
    }
    assert_eq!(say(3 + pause, Status::Passing, "many"), "many");
    assert_eq!(say(4 + pause, Status::Passing, "more"), "many");
}

#[test]
fn a_node_is_known_by_its_agent_or_by_what_is_told_of_it() {
    let mut kept = Kept::default();
    assert_eq!(kept.at(0, |tx| expect_node(tx, "N1")), Err(Refusal::NoNode));
    let node = Node { name: "N1".into(), address: "10.0.0.1".into(), ..Node::default() };
    kept.at(0, |tx| tell(tx, Told { node: Some(node), ..Told::default() })).unwrap();
    assert_eq!(kept.at(0, |tx| expect_node(tx, "n1")), Ok(()));
}

#[test]
fn what_is_told_holds_and_who_is_refused_has_changed_nothing() {
    let mut kept = Kept::default();
    let told =
        |id: &str, of: &str, status| Check { status, definition: Definition::default(), ..ttl(id, of) };
    let node = Some(Node { name: "N1".into(), address: "10.0.0.1".into(), ..Node::default() });
    let missing = Told { node: node.clone(), service: None, checks: vec![told("c", "a", Status::Passing)] };
    assert_eq!(kept.at(0, |tx| tell(tx, missing)), Err(Refusal::NoService));
    assert_eq!(kept.keys(), [""; 0]);
    for status in [Status::Passing, Status::Critical] {
        let checks = vec![told("c", "a", status)];
        kept.at(0, |tx| tell(tx, Told { node: node.clone(), service: Some(service("a", "web")), checks }))
            .unwrap();
        assert_eq!(kept.at(0, |tx| check(tx, "n1", "c")).unwrap().status, status);
    }
}

#[test]
fn a_check_of_which_an_older_agent_did_not_note_the_service_goes_with_it_when_that_is_noted() {
    let mut kept = Kept::default();
    let old = ttl("old", "a");
    kept.at(0, |tx| {
        register_service(tx, &service("a", "web"), vec![old.clone(), ttl("moved", "a")], Others::Stay)
            .unwrap();
        delete(tx, &attached_key(&old));
    });
    let seen = [old, ttl("moved", "a"), ttl("gone", "a")];
    kept.at(0, |tx| {
        register_service(tx, &service("b", "web"), vec![ttl("moved", "b")], Others::Stay).unwrap();
        note_services(tx, &seen);
        deregister_service(tx, "n1", "a");
    });
    let left = ["beat/n1/moved", "check-of/n1/b/moved", "check/n1/moved", "registered/n1/b"];
    assert_eq!(kept.keys(), left);
}

#[test]
fn the_checks_of_an_older_agent_go_with_a_service_that_is_critical_for_too_long() {
    let mut kept = Kept::default();
    let mut dying = ttl("c", "a");
    dying.definition.deregister_after = Some(Duration::from_secs(60));
    let checks = vec![dying.clone(), ttl("d", "a")];
    kept.at(0, |tx| {
        register_service(tx, &service("a", "web"), checks.clone(), Others::Stay).unwrap();
        checks.iter().for_each(|check| delete(tx, &attached_key(check)));
        note_services(tx, &checks);
    });
    assert!(!kept.at(60_000, |tx| reap(tx, &dying)));
    assert_eq!(kept.keys(), [""; 0]);
}

fn told_of(status: Status, output: &str) -> Told {
    let (name, notes, output) = ("new".into(), "who".into(), output.into());
    let check = Check { name, notes, status, output, definition: Definition::default(), ..ttl("c", "a") };
    Told { checks: vec![check], ..Told::default() }
}

#[test]
fn what_is_told_of_a_check_that_somebody_makes_leaves_how_it_is_made() {
    let mut kept = Kept::default();
    let mut probed = ttl("c", "a");
    probed.definition.kind = Kind::Udp { address: "a".into() };
    probed.definition.thresholds.critical = 3;
    kept.at(0, |tx| register_service(tx, &service("a", "web"), vec![probed.clone()], Others::Stay)).unwrap();
    kept.at(1, |tx| tell(tx, told_of(Status::Warning, "so"))).unwrap();
    let found = kept.at(1, |tx| check(tx, "n1", "c")).unwrap();
    assert_eq!((found.status, found.output.as_str()), (Status::Warning, "so"));
    assert_eq!((found.name.as_str(), found.notes.as_str()), ("new", "who"));
    assert_eq!(found.definition, probed.definition);
    // The control: nobody makes one that was told of, and how it is told is how it is.
    let mut kept = Kept::default();
    kept.at(0, |tx| register_service(tx, &service("a", "web"), vec![], Others::Stay)).unwrap();
    for _ in 0..2 {
        kept.at(1, |tx| tell(tx, told_of(Status::Warning, "so"))).unwrap();
        assert_eq!(kept.at(1, |tx| check(tx, "n1", "c")).unwrap().definition, Definition::default());
    }
}

#[test]
fn a_ttl_check_that_is_told_to_pass_lives_for_its_ttl_by_that_and_no_longer() {
    let mut kept = Kept::default();
    kept.at(0, |tx| register_service(tx, &service("a", "web"), vec![ttl("c", "a")], Others::Stay)).unwrap();
    kept.at(20_000, |tx| tell(tx, told_of(Status::Passing, ""))).unwrap();
    let mut status_at = |tick| {
        kept.at(tick, |tx| expired(tx, "n1", "c"));
        kept.at(tick, |tx| check(tx, "n1", "c")).unwrap().status
    };
    assert_eq!([29_999, 30_001].map(&mut status_at), [Status::Passing, Status::Critical]);
}
