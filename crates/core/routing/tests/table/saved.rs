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
    let read = Table::from_json(&table.to_json()).unwrap();
    assert_eq!((read.revision, &read.pools, &read.problems), (table.revision, &table.pools, &table.problems));
    assert!(!read.problems.is_empty());
    assert!(read.routes().eq(table.routes()) && read.ports().eq(table.ports()));
    assert_eq!(read.to_json(), table.to_json());
    check(&read, "GET a/x", "shop/1");
    check(&read, "GET a/user/x", "shop/2");
}

#[test]
fn what_was_read_is_taken_over_where_nothing_has_changed() {
    let records = records();
    let read = Table::from_json(&records.table().to_json()).unwrap();
    let table = Table::build(&records.catalog, Some(&read));
    assert!(Arc::ptr_eq(&table.pools["shop"], &read.pools["shop"]));
}

#[test]
fn every_damage_is_seen() {
    let saved = records().table().to_json();
    for at in 0..saved.len() {
        assert!(Table::from_json(&saved[..at]).is_err(), "cut off at {at}");
        let mut flipped = saved.clone();
        flipped[at] ^= 1;
        assert!(Table::from_json(&flipped).is_err(), "another letter at {at}");
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |bytes: &[u8]| Table::from_json(bytes).unwrap_err().to_string();
    let expect = "the saved route table is damaged (it does not begin as one): it is of no use, remove it";
    assert_eq!(told(b"hello"), expect);
    assert_eq!(told(b""), expect);
    let newer = b"{\"format\":2,\"anything\":true}";
    assert!(matches!(Table::from_json(newer), Err(SavedError::Newer { format: 2 })));
    assert!(told(newer).starts_with("the saved route table has format 2, and this release reads 1"));
    let huge = vec![b' '; adsum_routing::LARGEST_SAVED + 1];
    assert!(matches!(Table::from_json(&huge), Err(SavedError::TooLarge { .. })));
}
