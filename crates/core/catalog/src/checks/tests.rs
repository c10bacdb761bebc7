//! Exact effects: findings in, statuses out; moments in, decisions out.

use adsum_keyspace::{Database, Keyspace, Now};
use adsum_model::registered::{Definition, Service};

use super::*;
use crate::register::{self, Told};

#[track_caller]
fn check_course(thresholds: Thresholds, steps: &[(Status, Option<Status>)]) {
    let mut course = Course::default();
    for (step, (found, expect)) in steps.iter().enumerate() {
        assert_eq!(course.observe(&thresholds, *found), *expect, "step {step}");
    }
}

#[test]
fn without_thresholds_a_status_is_what_was_found() {
    use Status::{Critical, Passing, Warning};
    let steps = [Critical, Passing, Warning, Critical].map(|found| (found, Some(found)));
    check_course(Thresholds::default(), &steps);
}

#[test]
fn a_status_waits_until_it_was_found_often_enough_in_a_row() {
    use Status::{Critical, Passing, Warning};
    check_course(
        Thresholds { passing: 2, warning: 2, critical: 3 },
        &[
            (Passing, None),
            (Critical, None),
            (Passing, None),
            (Passing, Some(Passing)),
            (Critical, None),
            (Critical, Some(Warning)),
            (Critical, Some(Critical)),
            (Critical, Some(Critical)),
            (Warning, None),
            (Warning, Some(Warning)),
        ],
    );
}

#[test]
fn without_a_threshold_for_warnings_there_is_none_on_the_way() {
    use Status::Critical;
    let thresholds = Thresholds { critical: 3, ..Thresholds::default() };
    check_course(thresholds, &[(Critical, None), (Critical, None), (Critical, Some(Critical))]);
}

#[test]
fn the_first_pause_is_any_part_of_the_interval() {
    let interval = Duration::from_secs(10);
    assert_eq!(pause(interval, 1, 0), Duration::ZERO);
    assert_eq!(pause(interval, 1, u32::MAX), interval);
    assert_eq!(pause(interval, 2, 0), interval);
}

#[test]
fn a_service_is_reaped_when_it_was_critical_for_long_enough_and_never_within_a_minute() {
    let definition =
        |secs| Definition { deregister_after: Some(Duration::from_secs(secs)), ..Definition::default() };
    let check = Check { service: "a".into(), since: 5_000, definition: definition(90), ..Check::default() };
    assert_eq!(reaped_at(&check), Some(95_000));
    assert_eq!(reaped_at(&Check { definition: definition(1), ..check.clone() }), Some(65_000));
    assert_eq!(reaped_at(&Check { status: Status::Warning, ..check.clone() }), None);
    assert_eq!(reaped_at(&Check { service: String::new(), ..check.clone() }), None);
    assert_eq!(reaped_at(&Check { definition: Definition::default(), ..check }), None);
}

#[test]
fn what_expired_says_what_was_said_last_within_its_bounds() {
    assert_eq!(expired_output(""), "TTL expired");
    assert_eq!(expired_output("fine"), "TTL expired (last output before timeout follows): fine");
    assert!(expired_output(&"ä".repeat(OUTPUT)).len() <= OUTPUT);
}

#[test]
fn a_status_is_news_at_once_and_words_alone_after_a_while() {
    let on_record = (Status::Passing, "a");
    assert!(is_news(on_record, (Status::Critical, "a"), Duration::ZERO));
    assert!(!is_news(on_record, (Status::Passing, "b"), OUTPUT_PAUSE - Duration::from_millis(1)));
    assert!(is_news(on_record, (Status::Passing, "b"), OUTPUT_PAUSE));
    assert!(!is_news(on_record, on_record, OUTPUT_PAUSE));
}

fn alias(node: &str, service: &str) -> Check {
    let kind = Kind::Alias { node: node.into(), service: service.into() };
    Check {
        node: "n1".into(),
        id: "alias".into(),
        definition: Definition { kind, ..Default::default() },
        ..Check::default()
    }
}

#[test]
fn an_alias_is_as_the_worst_of_what_it_stands_for() {
    let mut keyspace = Keyspace::default();
    let mut catalog = |body: &dyn Fn(&mut adsum_keyspace::Transaction<'_>)| {
        keyspace.transact(Now::default(), |tx| body(tx)).unwrap();
        Catalog::load(keyspace.keys(Database::System), keyspace.revision())
    };
    let service =
        Service { node: "n1".into(), id: "web-1".into(), service: "web".into(), ..Service::default() };
    let told = |id: &str, of: &str, status| Check {
        node: "n1".into(),
        id: id.into(),
        name: id.into(),
        service: of.into(),
        status,
        output: "why".into(),
        ..Check::default()
    };
    let none = catalog(&|_| {});
    let missing = "Service web-1 could not be found on node n1".to_string();
    assert_eq!(mirrored(&none, &alias("", "web-1")), Some((Status::Critical, missing)));
    assert_eq!(mirrored(&none, &alias("n2", "")), Some((Status::Passing, "No checks found.".into())));
    assert_eq!(mirrored(&none, &told("x", "", Status::Passing)), None);
    let well = catalog(&|tx| {
        let checks = vec![told("c", "web-1", Status::Passing)];
        register::tell(tx, Told { service: Some(service.clone()), checks, ..Told::default() }).unwrap();
    });
    assert_eq!(mirrored(&well, &alias("", "web-1")), Some((Status::Passing, "All checks passing.".into())));
    let ill = catalog(&|tx| {
        register::tell(tx, Told { checks: vec![told("mem", "", Status::Warning)], ..Told::default() })
            .unwrap();
    });
    let says = (Status::Warning, "Aliased check \"mem\" failing: why".to_string());
    assert_eq!(mirrored(&ill, &alias("n1", "web-1")), Some(says));
}

#[test]
fn an_alias_of_an_instance_is_as_the_instance_and_its_node_are() {
    let mut keyspace = Keyspace::default();
    let mut catalog = |body: &dyn Fn(&mut adsum_keyspace::Transaction<'_>)| {
        keyspace.transact(Now::default(), |tx| body(tx)).unwrap();
        Catalog::load(keyspace.keys(Database::System), keyspace.revision())
    };
    let instance = |health| crate::catalog::tests::instance(1, "web", 1, health);
    let id = instance(Health::Passing).id;
    let alias = alias("", id.as_str());
    let none = catalog(&|_| {});
    assert!(mirrors_instance(&none, &alias), "it may come");
    assert_eq!(mirrored(&none, &alias).unwrap().0, Status::Critical);
    for (health, status, says) in [
        (Health::Passing, Status::Passing, "All checks passing."),
        (Health::Warning, Status::Warning, "Aliased check \"Service 'web' check\" failing: running, warning"),
        (
            Health::Draining,
            Status::Critical,
            "Aliased check \"Service 'web' check\" failing: running, draining",
        ),
    ] {
        let catalog = catalog(&|tx| crate::records::put_instance(tx, &mut instance(health)));
        assert_eq!(mirrored(&catalog, &alias), Some((status, says.to_string())));
    }
    let ill = catalog(&|tx| {
        let (node, id) = ("n1".to_string(), "mem".to_string());
        let check = Check { node, name: id.clone(), id, status: Status::Critical, ..Check::default() };
        register::tell(tx, Told { checks: vec![check], ..Told::default() }).unwrap();
        crate::records::put_instance(tx, &mut instance(Health::Passing));
    });
    assert_eq!(mirrored(&ill, &alias), Some((Status::Critical, "Aliased check \"mem\" failing: ".into())));
    let registered = catalog(&|tx| {
        let service = Service { node: "n1".into(), id: id.to_string(), ..Service::default() };
        register::tell(tx, Told { service: Some(service), ..Told::default() }).unwrap();
    });
    assert!(!mirrors_instance(&registered, &alias));
}
