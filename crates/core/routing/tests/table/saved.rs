//! The last known good table, as it is kept on disk.

use std::sync::Arc;

use adsum_model::{Health, Protocol, Target};
use adsum_routing::{SavedError, Table};

use crate::kit::{Records, check, instance, publish, service};

fn records() -> Records {
    let mut shop = service("shop", 1, &["Host(a)", "Host(a) && PathPrefix(/user)"]);
    shop.spec.routing.routes[1].target = Target::RedirectToInstance { service: "user-{1}".to_string() };
    shop.spec.routing.publish = vec![publish(9000, Protocol::Tcp)];
    shop.weights = [(1, 10000)].into();
    let other = service("other", 2, &["Host(a)"]);
    let instances = [instance(1, "shop", Health::Passing), instance(2, "shop", Health::Draining)];
    Records::of(&[shop, other], &instances)
}

#[test]
fn a_table_is_read_as_it_was_saved() {
    let records = records();
    let table = records.table();
    let read = Table::from_json(&table.to_json("c"), "c").unwrap();
    assert_eq!((read.revision, &read.pools, &read.problems), (table.revision, &table.pools, &table.problems));
    assert!(!read.problems.is_empty());
    assert!(read.routes().eq(table.routes()) && read.ports().eq(table.ports()));
    assert_eq!(read.to_json("c"), table.to_json("c"));
    check(&read, "GET a/x", "shop/1");
    check(&read, "GET a/user/x", "shop/2");
}

#[test]
fn what_was_read_is_taken_over_where_nothing_has_changed() {
    let records = records();
    let read = Table::from_json(&records.table().to_json("c"), "c").unwrap();
    let table = Table::build(&records.catalog, Some(&read));
    assert!(Arc::ptr_eq(&table.pools["shop"], &read.pools["shop"]));
}

#[test]
fn a_table_of_another_cluster_is_none() {
    let refused = Table::from_json(&records().table().to_json("one"), "other").unwrap_err();
    assert_eq!(refused, SavedError::Foreign { found: "one".to_string(), expected: "other".to_string() });
}

#[test]
fn every_damage_is_seen() {
    let saved = records().table().to_json("c");
    for at in 0..saved.len() {
        assert!(Table::from_json(&saved[..at], "c").is_err(), "cut off at {at}");
        let mut flipped = saved.clone();
        flipped[at] ^= 1;
        assert!(Table::from_json(&flipped, "c").is_err(), "another letter at {at}");
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |bytes: &[u8]| Table::from_json(bytes, "c").unwrap_err().to_string();
    let expect = "the saved route table is damaged (it does not begin as one): it is of no use, remove it";
    assert_eq!(told(b"hello"), expect);
    assert_eq!(told(b""), expect);
    let newer = b"{\"format\":3,\"anything\":true}";
    assert!(matches!(Table::from_json(newer, "c"), Err(SavedError::Other { format: 3 })));
    assert!(told(newer).starts_with("the saved route table has format 3, and this release reads 2"));
    let huge = vec![b' '; adsum_routing::LARGEST_SAVED + 1];
    assert!(matches!(Table::from_json(&huge, "c"), Err(SavedError::TooLarge { .. })));
}
