//! Who is in a service's pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adsum_model::{Health, Instance, InstanceId, Order, Phase, Service, Upstream};
use adsum_routing::{Pool, Standing, Table};

use crate::kit::{Records, Request, instance, name, service};

fn pool(service: &Service, instances: &[Instance]) -> Arc<Pool> {
    let table = Records::of(std::slice::from_ref(service), instances).table();
    table.pools[&service.spec.name].clone()
}

fn shop() -> Service {
    service("shop", 1, &["Host(shop.local)"])
}

/// `1` for a routable member with that seed, `2d` for a draining one, in order of seeds.
fn members(pool: &Pool) -> String {
    let mut words: Vec<String> = Vec::new();
    for seed in 0..100 {
        let id = InstanceId::from_seed(seed);
        words.extend(pool.members.iter().find(|member| member.instance == id).map(|member| {
            match member.standing {
                Standing::Routable => seed.to_string(),
                Standing::Draining(_) => format!("{seed}d"),
            }
        }));
    }
    words.join(" ")
}

fn of(healths: &[Health]) -> Vec<Instance> {
    healths.iter().zip(1..).map(|(health, seed)| instance(seed, "shop", *health)).collect()
}

#[test]
fn the_passing_are_routable_and_the_draining_finish_what_they_have() {
    use Health::{Critical, Draining, Maintenance, Passing, Starting, Warning};
    let pool = pool(&shop(), &of(&[Passing, Draining, Starting, Warning, Critical, Maintenance, Passing]));
    assert_eq!(members(&pool), "1 2d 6d 7");
    assert!(!pool.panic && !pool.replacing && pool.weights.is_empty());
    let drain = shop().spec.update.drain_timeout;
    assert!(pool.members.iter().any(|member| member.standing == Standing::Draining(drain)));
    assert!(pool.members.is_sorted_by_key(|member| member.instance.clone()));
}

#[test]
fn an_instance_is_spoken_to_as_its_version_has_it() {
    let mut shop = shop();
    let mut records = Records::default();
    records.put_version(&shop);
    records.put_instance(&instance(1, "shop", Health::Passing));
    shop.version = 2;
    shop.spec.routing.policy.upstream = Upstream::H2c;
    records.put_version(&shop);
    let before = records.table();
    let next = Instance { version: 2, ..instance(2, "shop", Health::Passing) };
    records.put_instance(&next);
    let after = Table::build(&records.catalog, Some(&before));
    let spoken = |table: &Table| -> Vec<(u32, Upstream)> {
        let members = table.pools["shop"].members.iter();
        let mut spoken: Vec<_> = members.map(|member| (member.version, member.upstream.clone())).collect();
        spoken.sort_by_key(|(version, _)| *version);
        spoken
    };
    assert_eq!(spoken(&before), [(1, Upstream::Http)]);
    assert_eq!(spoken(&after), [(1, Upstream::Http), (2, Upstream::H2c)]);
}

#[test]
fn a_table_without_some_members_is_the_same_for_all_others_and_whole_again_after() {
    let mut shop = shop();
    (shop.version, shop.weights) = (2, [(1, 5000), (2, 5000)].into());
    let next = Instance { version: 2, ..instance(2, "shop", Health::Passing) };
    let instances = [instance(1, "shop", Health::Passing), next, instance(3, "web", Health::Passing)];
    let records = Records::of(&[shop, service("web", 2, &[])], &instances);
    let whole = records.table();
    let less = whole.without(|member| member.instance == InstanceId::from_seed(2));
    assert_eq!(members(&less.pools["shop"]), "1");
    assert_eq!(less.pools["shop"].weights, BTreeMap::from([(1, 5000)]));
    assert!(Arc::ptr_eq(&less.pools["web"], &whole.pools["web"]));
    assert!(Request::of("GET shop.local/").found(&less, 0).is_some());
    let again = Table::build(&records.catalog, Some(&less));
    assert_eq!(again.pools, whole.pools);
}

#[test]
fn without_a_process_nobody_is_a_member() {
    let mut all = of(&[Health::Passing, Health::Draining, Health::Critical]);
    for phase in
        [Phase::Planned, Phase::Backoff, Phase::Stopping, Phase::Stopped, Phase::Failed, Phase::Complete]
    {
        all.iter_mut().for_each(|instance| instance.phase = phase);
        assert_eq!(members(&pool(&shop(), &all)), "", "{phase:?}");
    }
}

#[test]
fn when_nobody_passes_those_that_once_did_stand_in() {
    use Health::{Critical, Maintenance, Starting, Warning};
    let mut all = of(&[Critical, Warning, Starting, Maintenance, Critical]);
    all[4].proven = false;
    let pool = pool(&shop(), &all);
    assert_eq!(members(&pool), "1 2 4d");
    assert!(pool.panic);
}

#[test]
fn below_the_threshold_the_fallen_get_requests_too() {
    use Health::{Critical, Passing};
    let mut shop = shop();
    shop.spec.routing.policy.panic_threshold = 50;
    let two_of_four = pool(&shop, &of(&[Passing, Passing, Critical, Critical]));
    assert_eq!((members(&two_of_four).as_str(), two_of_four.panic), ("1 2", false));
    let one_of_three = pool(&shop, &of(&[Passing, Critical, Critical]));
    assert_eq!((members(&one_of_three).as_str(), one_of_three.panic), ("1 2 3", true));
}

#[test]
fn a_service_without_instances_is_found_and_has_an_empty_pool() {
    let table = Records::of(&[shop()], &[]).table();
    let request = Request::of("GET shop.local/");
    let found = request.found(&table, 0).unwrap();
    assert!(found.pool.unwrap().members.is_empty());
    assert!(!found.pool.unwrap().replacing);
}

#[test]
fn a_service_that_is_being_removed_has_no_routes_but_keeps_what_is_in_flight() {
    let mut records = Records::of(&[shop()], &of(&[Health::Draining]));
    records.put(&Service { removed: true, ..shop() });
    let table = records.table();
    assert_eq!(Request::of("GET shop.local/").label(&table, 0), "nobody");
    assert_eq!(members(&table.pools["shop"]), "1d");
    records.delete("shop");
    let table = records.table();
    assert_eq!(members(&table.pools["shop"]), "1d");
    assert!(
        matches!(table.pools["shop"].members[0].standing, Standing::Draining(rest) if rest > Duration::ZERO)
    );
}

#[test]
fn shares_are_those_of_the_versions_that_can_answer() {
    let mut shop = shop();
    shop.weights = BTreeMap::from([(1, 7500), (2, 2500), (3, 0)]);
    let mut all = of(&[Health::Passing, Health::Passing, Health::Passing, Health::Passing]);
    all[1].version = 2;
    all[2].version = 3;
    all[3].version = 4;
    let both = pool(&shop, &all);
    assert_eq!(members(&both), "1 2", "a version without a share gets nothing");
    assert_eq!(both.weights, BTreeMap::from([(1, 7500), (2, 2500)]));
    all[1].health = Health::Starting;
    let one = pool(&shop, &all);
    assert_eq!((members(&one).as_str(), &one.weights), ("1", &BTreeMap::from([(1, 7500)])));
}

#[test]
fn a_version_without_a_share_does_not_hide_that_the_others_are_down() {
    let mut shop = shop();
    shop.weights = BTreeMap::from([(1, 10000)]);
    let mut all = of(&[Health::Critical, Health::Passing]);
    all[1].version = 2;
    let pool = pool(&shop, &all);
    assert_eq!((members(&pool).as_str(), pool.panic), ("1", true));
}

#[track_caller]
fn replacing(service: &Service, instances: &[Instance], expect: bool) {
    assert_eq!(pool(service, instances).replacing, expect);
}

#[test]
fn an_exclusive_service_between_two_instances_is_being_replaced() {
    let exclusive = Service { spec: adsum_model::Spec { exclusive: true, ..shop().spec }, ..shop() };
    let with = |phase, health| vec![Instance { phase, ..instance(1, "shop", health) }];
    replacing(&exclusive, &with(Phase::Running, Health::Passing), false);
    replacing(&exclusive, &with(Phase::Running, Health::Draining), true);
    replacing(&exclusive, &with(Phase::Stopping, Health::Draining), true);
    replacing(&exclusive, &with(Phase::Stopped, Health::Draining), true);
    replacing(&exclusive, &[], true);
    replacing(&exclusive, &with(Phase::Planned, Health::Starting), true);
    replacing(&exclusive, &with(Phase::Running, Health::Starting), true);
    replacing(&exclusive, &with(Phase::Backoff, Health::Starting), true);
    replacing(&exclusive, &with(Phase::Failed, Health::Critical), false);
    replacing(&exclusive, &with(Phase::Running, Health::Maintenance), false);
    replacing(&exclusive, &with(Phase::Running, Health::Critical), false);
    replacing(&shop(), &with(Phase::Running, Health::Draining), false);
}

#[test]
fn who_is_not_wanted_any_more_is_not_being_replaced() {
    let exclusive = Service { spec: adsum_model::Spec { exclusive: true, ..shop().spec }, ..shop() };
    let draining = of(&[Health::Draining]);
    replacing(&Service { removed: true, ..exclusive.clone() }, &draining, false);
    let mut none = exclusive;
    none.spec.replicas = 0;
    replacing(&none, &draining, false);
}

#[test]
fn what_is_replaced_stop_first_is_held_too_with_any_number_of_replicas() {
    let mut shop = shop();
    shop.spec.update.order = Order::StopFirst;
    replacing(&shop, &of(&[Health::Draining]), true);
    shop.spec.replicas = 2;
    replacing(&shop, &of(&[Health::Draining, Health::Draining]), true);
    replacing(&shop, &of(&[Health::Draining, Health::Passing]), false);
}

#[test]
fn a_pool_that_has_not_changed_is_the_same_one() {
    let mut records = Records::of(&[shop(), service("api", 1, &[])], &of(&[Health::Passing]));
    records.put_instance(&instance(9, "api", Health::Starting));
    let before = records.table();
    records.put_instance(&instance(9, "api", Health::Passing));
    let after = Table::build(&records.catalog, Some(&before));
    assert!(after.revision > before.revision);
    assert!(Arc::ptr_eq(&before.pools["shop"], &after.pools["shop"]));
    assert!(!Arc::ptr_eq(&before.pools["api"], &after.pools["api"]));
    assert_eq!(members(&after.pools[&name("api")]), "9");
}
